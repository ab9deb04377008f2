"""Models of several inputs and outputs: layers put together as a graph, said once for both directions."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _check
from ..data import Batch, Data, NamedSequences, Sequences
from ..layers.wanted import is_wanted
from ..losses import Loss
from ..sequence.marks import whole_lengths
from .base import Model
from .graph_files import described, outputs_of
from .nodes import Back, Input, Node, Through, Value, in_order, is_tokens
from .outputs import Output
from .probabilities import softmax

if TYPE_CHECKING:
    from typing_extensions import Self


class Graph(Model):
    """Layers between several inputs and several outputs, each with its loss.

    Examples:
        >>> from elman.layers import GRU, Embedding, Linear, Pooling
        >>> notes = Input("notes").through(Embedding(1000, 16), GRU(16, 32), Pooling("last"))
        >>> both = concatenate(notes, Input("age").through(Linear(1, 8)))
        >>> model = Graph({
        ...     "ill": Output(both.through(Linear(40, 2)), "cross_entropy"),
        ...     "days": Output(both.through(Linear(40, 1)), "absolute", weight=0.1),
        ... })

    `fit` takes dicts of inputs and of targets: `fit(model, ({"notes": ..., "age": ...}, {"ill": ..., "days": ...}))`.

    Args:
        outputs: by name, as `Output`, or a node alone for the loss "squared".

    Attributes:
        inputs: the names of what it reads.
        outputs: by name.
        order: its nodes, sources first.

    Targets: as for `SequenceTagger` and `SequenceRegressor`, for each output by its name: one for each step, if that
    which is predicted has steps, else one for each sample. `parts` has the layers by their names.

    Raises:
        ValueError: an output is none, or an input is read both as tokens and as numbers.
    """

    def __init__(self, outputs: Mapping[str, Output | Node]):
        if not isinstance(outputs, Mapping) or not outputs:
            raise ValueError(
                f"outputs: expected a dict of at least one Output, got {_check.describe(outputs)}"
            )
        self.outputs: dict[str, Output] = {}
        for name, output in outputs.items():
            if not isinstance(name, str):
                raise ValueError(f"outputs: expected text as names, got {name!r}")
            if not isinstance(output, (Output, Node)):
                raise ValueError(f"outputs[{name!r}]: expected an Output, got {_check.describe(output)}")
            self.outputs[name] = Output(output) if isinstance(output, Node) else output
        self.order = in_order([output.node for output in self.outputs.values()])
        self._name_parts()
        self._tokens = {
            node.name: is_tokens(node, self.order) for node in self.order if isinstance(node, Input)
        }
        if self._is_plain():
            self.config = self._config()

    def _name_parts(self) -> None:
        """Give each layer a name, the one of `through` or one that tells its class."""
        self.parts = {}
        self.part_of: dict[int, str] = {}  # of the nodes, by their place in the order
        through = {i: node for i, node in enumerate(self.order) if isinstance(node, Through)}
        named = [(id(node.layer), node.name) for node in through.values() if node.name is not None]
        names = dict(reversed(named))  # the first of a layer counts
        given = set(names.values())
        for i, node in through.items():
            kind = type(node.layer).__name__.lower()
            free = (kind if n == 1 else f"{kind}_{n}" for n in itertools.count(1))
            if id(node.layer) not in names:
                names[id(node.layer)] = next(name for name in free if name not in {*given, *self.parts})
            name = self.part_of[i] = names[id(node.layer)]
            if self.parts.setdefault(name, node.layer) is not node.layer or "." in name:
                raise ValueError(f"named: expected a name for one layer, without dots, got {name!r}")

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of what it reads."""
        return tuple(self._tokens)

    # The file.

    def _is_plain(self) -> bool:
        """Whether it is known by its graph, and not by the arguments of a derived class."""
        return type(self).__init__ is Graph.__init__

    def _keep(self, bound: Mapping[str, Any]) -> None:
        super()._keep({} if self._is_plain() else bound)

    def _config(self) -> dict[str, Any]:
        return described(self) if self._is_plain() else self.config

    @classmethod
    def _from_config(cls, config: Mapping[str, Any]) -> Self:
        if cls.__init__ is not Graph.__init__:
            return super()._from_config(config)
        return cls(outputs_of(config))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.inputs)} -> {', '.join(self.outputs)})"

    # There and back.

    def flow(self, batch: Batch, state: Any = None, keep: bool = False) -> tuple[Any, Any, Any]:
        """A Value for each output by name, None for the state, and backward."""
        values: dict[int, Value] = {}
        backs: list[tuple[Node, Back]] = []
        reached: set[int] = set()  # nodes that gradients must reach
        for i, node in enumerate(self.order):
            if isinstance(node, Input):
                values[id(node)] = self._read(node, batch)
                continue
            name = self.part_of.get(i, type(node).__name__)
            need_dx = any(id(source) in reached for source in node.sources)
            layer = self.parts.get(name)
            try:
                value, back = node.run([values[id(source)] for source in node.sources], layer, keep, need_dx)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
            values[id(node)] = value
            if need_dx or (layer is not None and is_wanted(layer)):
                reached.add(id(node))
                backs.append((node, back))

        def backward(gradients: Mapping[str, Any]) -> None:
            found: dict[int, Any] = {}
            for name, output in self.outputs.items():
                _add(found, output.node, gradients[name])
            for node, back in reversed(backs):
                d = found.pop(id(node), None)
                if d is not None:
                    for source, gradient in zip(node.sources, back(d), strict=True):
                        if gradient is not None and id(source) in reached:
                            _add(found, source, gradient)

        return {name: values[id(output.node)] for name, output in self.outputs.items()}, None, backward

    def _read(self, node: Input, batch: Batch) -> Value:
        _expect_names("x", batch.x, self.inputs)
        lengths = batch.lengths or {}
        return node.read(batch.x[node.name], lengths.get(node.name), self._tokens[node.name], self._dtype())

    def read(self, batch: Batch) -> Batch:
        """The batch as it is: each input is read by its node."""
        return batch

    def criterion(self, prediction: Any, batch: Batch, gradient: bool) -> Loss:
        """The sum of the outputs' losses, each times its weight; it counts as many targets as there are samples (or
        their weights)."""
        value, count, gradients = 0.0, 0.0, {}
        targets = batch.targets()
        _expect_names("y", targets, self.outputs)
        for name, output in self.outputs.items():
            try:
                y, y_lengths = targets[name], (batch.y_lengths or {}).get(name)
                loss = output.loss_of(prediction[name], y, y_lengths, batch.weights, gradient)
            except ValueError as error:
                raise ValueError(f"outputs[{name!r}]: {error}") from error
            value += output.weight * loss.value
            count = max(count, loss.count)
            if gradient:
                gradients[name] = loss.gradient if output.weight == 1 else loss.gradient * output.weight
        return Loss(value, gradients if gradient else None, batch.count if count else 0)

    def expect_data(self, name: str, data: Data) -> None:
        """Refuse data without the inputs and the targets of this graph, before any work.

        Raises:
            ValueError: it is not by name, or something is missing.
        """
        if isinstance(data, NamedSequences):
            _expect_names(f"{name}: x", data.x, self.inputs)
            _expect_names(f"{name}: y", data.y, self.outputs)
        elif isinstance(data, Sequences):
            raise ValueError(
                f"{name}: expected (x, y) of dicts, or NamedSequences, for a Graph, got Sequences"
            )

    # Predictions.

    def __call__(
        self, x: Mapping[str, Any], lengths: Mapping[str, Any] | None = None
    ) -> dict[str, np.ndarray]:
        """What each output gives, logits for classes: [B, ...], or [T, B, ...] if it has steps.

        Args:
            x: a dict of arrays [B, ...] by name.
            lengths: [B] for those inputs that are shorter than their arrays.

        Returns:
            A dict of arrays by name.
        """
        data = NamedSequences(x)
        batch = data.take(np.arange(len(data)))
        batch = replace(batch, lengths={**batch.lengths, **(lengths or {})})
        return {name: value.array for name, value in self.flow(batch)[0].items()}

    def stepper(self, batch_size: int) -> Any:
        """There is none: a graph reads whole sequences.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "stepper: expected a model of one sequence, got a Graph, which reads whole ones; its layers have steppers"
        )

    def predict(self, x: Mapping[str, Any], batch_size: int = 256) -> dict[str, Any]:
        """What is expected of each output: the likeliest class, or the number (as `SequenceRegressor.predict`).

        Args:
            x: a dict of inputs by name, as for `fit`.
            batch_size: samples at a time.

        Returns:
            A dict by name: [n, ...], or for an output with steps a list of [t_i, ...].
        """
        return self._each(x, batch_size, {name: output.centre for name, output in self.outputs.items()})

    def predict_proba(self, x: Mapping[str, Any], batch_size: int = 256) -> dict[str, Any]:
        """Probabilities [.., C] of the classes of each output with the loss "cross_entropy", for x and batch_size as
        `predict` takes them."""
        classes = {name: softmax for name, output in self.outputs.items() if output.classes}
        return self._each(x, batch_size, classes)

    def _each(self, x: Mapping[str, Any], batch_size: int, read: Mapping[str, Any]) -> dict[str, Any]:
        data = NamedSequences(x)
        found: dict[str, Any] = {}
        for batch in data.batches(_check.whole_number("batch_size", batch_size, 1)):
            values = self.flow(batch)[0]
            for name, how in read.items():
                array, lengths, steps = values[name]
                rows = how(array)
                if not steps:
                    whole = found.setdefault(name, np.empty((len(data), *rows.shape[1:]), rows.dtype))
                    whole[batch.index] = rows
                    continue
                ends = whole_lengths("lengths", lengths, *array.shape[:2])
                kept = found.setdefault(name, [None] * len(data))
                for b, i in enumerate(batch.index):
                    kept[i] = rows[: ends[b], b]
        return found


def _expect_names(what: str, held: Any, names: Iterable[str]) -> None:
    """Refuse what is no dict with all of these names; others may be there too."""
    if not isinstance(held, Mapping) or not all(name in held for name in names):
        got = ", ".join(held) if isinstance(held, Mapping) else _check.describe(held)
        raise ValueError(f"{what}: expected {', '.join(names)} by name, got {got}")


def _add(found: dict[int, Any], node: Node, gradient: np.ndarray) -> None:
    before = found.get(id(node))
    found[id(node)] = gradient if before is None else before + gradient
