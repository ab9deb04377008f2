"""What a graph of layers is made of. Each node knows the way there and, from it, the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import _check
from ..layers import Composite, Embedding, Parameters, Pooling
from ..layers.wanted import go_back
from ..sequence.marks import chosen, known_steps, whole_lengths


class Value(NamedTuple):
    """What a node gives for a batch: [T, B, ...] and the lengths [B] (None: all T) if it has `steps`, else [B, ...]."""

    array: np.ndarray
    lengths: np.ndarray | None = None
    steps: bool = False


# From the gradient of what a node gives to those of its sources; None for one that needs none.
Back = Callable[[np.ndarray], Sequence[np.ndarray | None]]


class Node:
    """A value in a graph: an input, or what is made of other values. `through`, `+`, `concatenate`, `repeat` and
    `activate` make further ones.

    Attributes:
        sources: the nodes that it is made of.

    Raises:
        ValueError: a source is no node.
    """

    def __init__(self, *sources: Node):
        for source in sources:
            if not isinstance(source, Node):
                hint = "; node.through(layer) reads what a layer makes of a node" * isinstance(
                    source, Parameters
                )
                raise ValueError(f"nodes: expected nodes of a graph, got {_check.describe(source)}{hint}")
        self.sources = sources

    def through(self, *layers: Parameters, **named: Parameters) -> Node:
        """What layers make of it, one after the other; one that comes in several places of a graph is shared.

        Args:
            layers: named by the graph: "gru", "linear", "linear_2", ...
            named: further layers, whose names in the graph's `parts` these are.

        Returns:
            The node of what the last layer makes.
        """
        node: Node = self
        for name, layer in [*((None, layer) for layer in layers), *named.items()]:
            node = Through(layer, node, name=name)
        return node

    def activate(self, function: str) -> Node:
        """Each number by itself through a `function`, "tanh" or "relu"."""
        return Activation(self, function=function)

    def __add__(self, other: Node) -> Node:
        """The sum of two values of one shape."""
        return Sum(self, other)

    def run(self, values: list[Value], layer: Any, keep: bool, need_dx: bool) -> tuple[Value, Back]:
        """What it gives for the values of its sources, and the way back.

        Args:
            values: of its sources, in their order.
            layer: the layer of a node that has one; else None.
            keep: whether there will be a way back.
            need_dx: whether the gradients of the sources matter.

        Returns:
            (value, back): `back(d)` gives the gradients of the sources from that of the value.

        Raises:
            ValueError: the values do not fit each other, or the layer.
        """
        raise NotImplementedError

    def facts(self) -> dict[str, Any]:
        """What it was made of beside its sources and its layer, by the constructor's names."""
        return {}


class Input(Node):
    """What a graph reads under a name: for each sample a sequence [t, I], a vector [F], or a number.

    Tokens, whole numbers, are what is read by an Embedding: for each sample a sequence [t] or one.

    Args:
        name: under which the data has it.

    Raises:
        ValueError: name is no text.
    """

    def __init__(self, name: str):
        super().__init__()
        if not isinstance(name, str):
            raise ValueError(f"name: expected text, got {_check.describe(name)}")
        self.name = name

    def facts(self) -> dict[str, Any]:
        return {"name": self.name}

    def read(self, array: np.ndarray, lengths: np.ndarray | None, tokens: bool, dtype: np.dtype) -> Value:
        """A batch's array [B, ...], with lengths [B] if it was a list, as tokens or as numbers of a dtype.

        Raises:
            ValueError: it is of another kind.
        """
        given = array
        if not tokens:
            if array.dtype.kind not in "biuf":
                raise ValueError(f"x[{self.name!r}]: expected numbers, got {_check.describe(array)}")
            array = array.astype(dtype, copy=False)
            if array.ndim == 1 or (array.ndim == 2 and lengths is not None):
                array = array[..., None]  # one number for each sample or step
        if array.ndim == (1 if tokens else 2):
            return Value(array)
        if array.ndim != (2 if tokens else 3):
            want = "[B, T] or [B] tokens" if tokens else "[B, T, I] or [B, F]"
            raise ValueError(f"x[{self.name!r}]: expected {want}, got {_check.describe(given)}")
        steps = np.ascontiguousarray(array.swapaxes(0, 1))
        known = known_steps(steps.shape[0], steps.shape[1], lengths)
        beyond = None if known is None else known.reshape(known.shape + (1,) * (steps.ndim - 2))
        return Value(chosen(beyond, steps), lengths, True)


class Through(Node):
    """What a layer makes of a value."""

    def __init__(self, layer: Parameters, source: Node, name: str | None = None):
        super().__init__(source)
        if not isinstance(layer, Parameters):
            raise ValueError(f"layers: expected a layer, got {_check.describe(layer)}")
        if any(getattr(leaf, "batch_first", False) for leaf in _leaves(layer)):
            raise ValueError(f"layers: expected none that is batch_first, got {layer!r}")
        self.layer, self.name = layer, name

    @property
    def reads_tokens(self) -> bool:
        return isinstance(next(_leaves(self.layer)), Embedding)

    def run(self, values: list[Value], layer: Any, keep: bool, need_dx: bool) -> tuple[Value, Back]:
        x, lengths, steps = values[0]
        if not steps and any(leaf.over_time for leaf in _leaves(layer)):
            raise ValueError(f"expected a sequence for each sample, got {_check.describe(x)}")
        options = {"lengths": lengths} if layer.over_time and steps else {}
        if layer.carries_state:
            y, _, through = layer.apply(x, None, **options, keep=keep)
        else:
            y, through = layer.apply(x, **options, keep=keep)
        pooled = any(isinstance(leaf, Pooling) for leaf in _leaves(layer))

        def back(d: np.ndarray) -> list[np.ndarray | None]:
            return [go_back(layer, through, d, None, need_dx, need_dstate=False)[0]]

        return (Value(y) if pooled else Value(y, lengths, steps)), back


class Sum(Node):
    """The sum of values of one shape."""

    def run(self, values: list[Value], layer: Any, keep: bool, need_dx: bool) -> tuple[Value, Back]:
        expect_beside(values, "one shape", lambda value: value.array.shape)
        total = values[0].array + values[1].array
        return values[0]._replace(array=total), lambda d: [d, d]


# Each function, and its slope times a gradient d, from what it gives, y.
_ACTIVATIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any, Any], Any]]] = {
    "tanh": (np.tanh, lambda y, d: d * (1 - np.square(y))),
    "relu": (lambda x: np.maximum(x, 0), lambda y, d: np.where(y > 0, d, d.dtype.type(0))),
}


class Activation(Node):
    """Each number by itself through a function."""

    def __init__(self, source: Node, function: str):
        super().__init__(source)
        self.function = _check.choice("function", function, tuple(_ACTIVATIONS))

    def facts(self) -> dict[str, Any]:
        return {"function": self.function}

    def run(self, values: list[Value], layer: Any, keep: bool, need_dx: bool) -> tuple[Value, Back]:
        function, slope = _ACTIVATIONS[self.function]
        y = function(values[0].array)
        return values[0]._replace(array=y), lambda d: [slope(y, d)]


def _leaves(layer: Parameters) -> Iterator[Parameters]:
    if isinstance(layer, Composite):
        for part in layer.parts.values():
            yield from _leaves(part)
    else:
        yield layer


def expect_beside(values: list[Value], what: str, of: Callable[[Value], Any]) -> None:
    first = values[0]
    for value in values[1:]:
        if value.steps != first.steps or of(value) != of(first):
            got = ", ".join(_check.describe(one.array) for one in values)
            raise ValueError(f"expected values of {what}, got {got}")
        if first.steps:
            ends, other = (
                whole_lengths("lengths", one.lengths, *first.array.shape[:2]) for one in (first, value)
            )
            if not np.array_equal(ends, other):
                raise ValueError("expected sequences of the same lengths, got others")


def in_order(ends: list[Node]) -> list[Node]:
    """All nodes that these need, sources first."""
    found: dict[int, Node] = {}
    waiting = list(reversed(ends))
    while waiting:
        node = waiting[-1]
        missing = [source for source in reversed(node.sources) if id(source) not in found]
        if missing:
            waiting += missing
        else:
            found.setdefault(id(waiting.pop()), node)
    return list(found.values())


def is_tokens(node: Input, order: list[Node]) -> bool:
    """Whether an input is tokens. Two inputs of one name are one input."""
    readers = [
        isinstance(reader, Through) and reader.reads_tokens
        for reader in order
        for source in reader.sources
        if isinstance(source, Input) and source.name == node.name
    ]
    if any(readers) and not all(readers):
        raise ValueError(
            f"outputs: expected the input {node.name!r} to be tokens or numbers, got readers of both"
        )
    return any(readers)
