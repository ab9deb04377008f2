"""What a graph of layers is made of. Each node knows the way there and, from it, the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import _check
from ..data.vocabulary import as_vocabulary
from ..layers import Composite, Embedding, Parameters
from ..layers.pooling import pools
from ..layers.steppers import Stateless
from ..layers.wanted import go_back
from ..sequence.marks import chosen, known_steps
from .reading import as_whole, cast


class Value(NamedTuple):
    """What a node gives for a batch: [B, ...]; if it has `steps` [T, B, ...], with lengths [B] (None: all T) and a
    mask [T, B] (None: all count)."""

    array: np.ndarray
    lengths: np.ndarray | None = None
    steps: bool = False
    mask: np.ndarray | None = None

    def known(self) -> np.ndarray | None:
        """[T, B] bool, the steps that count; None where all do."""
        T, B = self.array.shape[:2]
        return known_steps(T, B, self.lengths, self.mask)

    def spread(self, known: np.ndarray | None) -> np.ndarray | None:
        """What is known of steps, [T, B], with as many axes as the array has."""
        return None if known is None else known.reshape(known.shape + (1,) * (self.array.ndim - 2))


class StepOf(NamedTuple):
    """A node step by step: `function(arrays, out)`, and the stepper whose state it moves on, if it keeps any."""

    function: Callable[..., np.ndarray]
    stepper: Any = None


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

    paced_by = 0  # which of the sources has the steps that this has, if there are steps

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

    def made(self, arrays: Sequence[np.ndarray], out: np.ndarray | None = None) -> np.ndarray:
        """What it makes of the `arrays` [.., F] of its sources without a layer, the same for one step as for many; in
        `out` [.., F], if that is given."""
        return arrays[0]

    def stepper(self, layer: Any, batch_size: int) -> StepOf:
        """What makes its value of those of its sources step by step, over `batch_size` streams, a whole number, with
        its `layer`, if it has one (else None).

        Raises:
            ValueError: it needs the whole sequence.
        """
        return StepOf(self.made)

    def facts(self) -> dict[str, Any]:
        """What it was made of beside its sources and its layer, by the constructor's names."""
        return {}


class Input(Node):
    """What a graph reads under a name: for each sample a sequence [t, I], a vector [F], or a number.

    Tokens, whole numbers, are what is read by an Embedding: for each sample a sequence [t] or one.

    Args:
        name: under which the data has it.
        vocabulary: an `elman.train.Vocabulary`, which makes tokens of it where the data has texts or lists of words,
            each of them a sequence. It is kept in the file.

    Raises:
        ValueError: name is no text, or vocabulary no Vocabulary.
    """

    def __init__(self, name: str, vocabulary: Any = None):
        super().__init__()
        if not isinstance(name, str):
            raise ValueError(f"name: expected text, got {_check.describe(name)}")
        self.name = name
        self.vocabulary, size = as_vocabulary(vocabulary)
        if self.vocabulary is None and size is not None:
            raise ValueError(f"vocabulary: expected a Vocabulary, got {_check.describe(vocabulary)}")

    def facts(self) -> dict[str, Any]:
        texts = {} if self.vocabulary is None else {"vocabulary": self.vocabulary.as_plain()}
        return {"name": self.name, **texts}

    def read(
        self,
        array: np.ndarray,
        lengths: np.ndarray | None,
        tokens: bool,
        dtype: np.dtype,
        mask: np.ndarray | None = None,
    ) -> Value:
        """A batch's array [B, ...], with lengths [B] if it was a list, as tokens or as numbers of a dtype; of a
        sequence the steps that count by the mask [B, T].

        Raises:
            ValueError: it is of another kind.
        """
        what = f"x[{self.name!r}]"
        given = array
        if not tokens:
            if array.dtype.kind not in "biuf":
                raise ValueError(f"{what}: expected numbers, got {_check.describe(array)}")
            if array.ndim == 1 or (array.ndim == 2 and lengths is not None):
                array = array[..., None]  # one number for each sample or step
        if array.ndim == (1 if tokens else 2):
            if mask is not None:
                raise ValueError(
                    f"{what}: expected a sequence for each sample with its mask, got {_check.describe(given)}"
                )
            return Value(as_whole(array) if tokens else cast(what, array, dtype))
        if array.ndim != (2 if tokens else 3):
            want = "[B, T] or [B] tokens" if tokens else "[B, T, I] or [B, F]"
            raise ValueError(f"{what}: expected {want}, got {_check.describe(given)}")
        steps = np.ascontiguousarray(array.swapaxes(0, 1))
        value = Value(steps, lengths, True, None if mask is None else np.ascontiguousarray(mask.T))
        steps = chosen(value.spread(value.known()), steps)
        return value._replace(array=as_whole(steps) if tokens else cast(what, steps, dtype))


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
    def tokens(self) -> int | None:
        """How many tokens it knows, if it reads such."""
        first = next(_leaves(self.layer))
        return first.num_embeddings if isinstance(first, Embedding) else None

    def run(self, values: list[Value], layer: Any, keep: bool, need_dx: bool) -> tuple[Value, Back]:
        x, lengths, steps, mask = values[0]
        if not steps and any(leaf.over_time for leaf in _leaves(layer)):
            raise ValueError(f"expected a sequence for each sample, got {_check.describe(x)}")
        options = {"lengths": lengths, "mask": mask} if layer.over_time and steps else {}
        if layer.carries_state:
            y, _, through = layer.apply(x, None, **options, keep=keep)
        else:
            y, through = layer.apply(x, **options, keep=keep)

        def back(d: np.ndarray) -> list[np.ndarray | None]:
            return [go_back(layer, through, d, None, need_dx, need_dstate=False)[0]]

        return (Value(y) if pools(layer) else values[0]._replace(array=y)), back

    def stepper(self, layer: Any, batch_size: int) -> StepOf:
        step = layer.stepper(batch_size)
        step = step if hasattr(step, "reset") else Stateless(step)
        keeps = None if isinstance(step, Stateless) else step
        return StepOf(lambda arrays, **options: step(arrays[0], **options), keeps)


class Sum(Node):
    """The sum of values of one shape."""

    def run(self, values: list[Value], layer: Any, keep: bool, need_dx: bool) -> tuple[Value, Back]:
        expect_beside(values, "one shape", lambda value: value.array.shape)
        return values[0]._replace(array=self.made([value.array for value in values])), lambda d: [d, d]

    def made(self, arrays: Sequence[np.ndarray], out: np.ndarray | None = None) -> np.ndarray:
        first, second = arrays
        if first.shape != second.shape:  # NumPy would repeat one of them
            raise ValueError(
                f"expected values of one shape, got {_check.describe(first)}, {_check.describe(second)}"
            )
        return np.add(first, second, out=out)


# Each function, and its slope times a gradient d, from what it gives, y.
_ACTIVATIONS: dict[str, tuple[Callable[..., Any], Callable[[Any, Any], Any]]] = {
    "tanh": (np.tanh, lambda y, d: d * (1 - np.square(y))),
    "relu": (lambda x, out=None: np.maximum(x, 0, out=out), lambda y, d: np.where(y > 0, d, d.dtype.type(0))),
}


class Activation(Node):
    """Each number by itself through a function."""

    def __init__(self, source: Node, function: str):
        super().__init__(source)
        self.function = _check.choice("function", function, tuple(_ACTIVATIONS))

    def facts(self) -> dict[str, Any]:
        return {"function": self.function}

    def run(self, values: list[Value], layer: Any, keep: bool, need_dx: bool) -> tuple[Value, Back]:
        y, slope = self.made([values[0].array]), _ACTIVATIONS[self.function][1]
        return values[0]._replace(array=y), lambda d: [slope(y, d)]

    def made(self, arrays: Sequence[np.ndarray], out: np.ndarray | None = None) -> np.ndarray:
        return _ACTIVATIONS[self.function][0](arrays[0], out=out)


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
        alike = value.lengths is first.lengths and value.mask is first.mask
        if first.steps and not alike and not _same_steps(first.known(), value.known()):
            raise ValueError(
                "expected sequences of the same lengths and masks, got others; one mask, not by name, is for all "
                "inputs of as many steps"
            )


def _same_steps(first: np.ndarray | None, other: np.ndarray | None) -> bool:
    if first is None or other is None:
        return first is other or bool(np.all(other if first is None else first))
    return np.array_equal(first, other)
