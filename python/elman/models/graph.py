"""Models of several inputs and outputs: layers put together as a graph, said once for both directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _check
from ..data import Batch, Data, NamedSequences, Sequences
from ..data.named import expect_among
from ..layers.wanted import is_wanted
from ..losses import Loss
from ..losses.outcome import Outcome
from .base import Model
from .graph_data import balanced_of, expect_named, expect_names, predictions, told_of
from .graph_files import described, link, outputs_of, unlinked
from .graph_stepper import GraphStepper
from .nodes import Back, Input, Node, Value
from .order import in_order, names_of, tokens_of, vocabulary_of
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
        self.parts, self.part_of = names_of(self.order)
        names = [node.name for node in self.order if isinstance(node, Input)]
        self.tokens = {name: tokens_of(name, self.order) for name in names}
        self.inputs = tuple(self.tokens)
        texts = {name: vocabulary_of(name, self.order, count) for name, count in self.tokens.items()}
        self._texts = {name: one for name, one in texts.items() if one is not None}
        self.predicts = {name: output.predicts for name, output in self.outputs.items()}
        if self._is_plain():
            self.config = self._config()

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

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | unlinked(self.order, self.outputs)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        link(self.order, self.outputs)

    @property
    def vocabularies(self) -> dict[str, Any]:
        """What makes tokens of texts, as `NamedSequences` takes them: {"vocabulary": {input: Vocabulary}}."""
        return {"vocabulary": self._texts}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.inputs)} -> {', '.join(self.outputs)})"

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
        expect_names("x", batch.x, self.inputs)
        lengths, mask = ((given or {}).get(node.name) for given in (batch.lengths, batch.mask))
        tokens = self.tokens[node.name] is not None
        return node.read(batch.x[node.name], lengths, tokens, self._dtype(), mask)

    def read(self, batch: Batch) -> Batch:
        """The batch as it is: each input is read by its node."""
        return batch

    def criterion(self, prediction: Any, batch: Batch, gradient: bool) -> Loss:
        """The sum of the outputs' losses, each a mean over its targets in the batch, times its weight. It counts as
        many targets as there are samples (or their weights)."""
        value, count, gradients = 0.0, 0.0, {}
        expect_names("y", batch.targets(), self.outputs)
        for name, output in self.outputs.items():
            with told_of(name):
                of_class = self._of_class(name) if output.balanced else output.class_weight
                loss = output.loss_of(prediction[name], *self._given(name, batch), of_class, gradient)
            value += output.weight * loss.value
            count = max(count, loss.count)
            if gradient:
                gradients[name] = loss.gradient if output.weight == 1 else loss.gradient * output.weight
        return Loss(value, gradients if gradient else None, batch.count if count else 0)

    def _given(self, name: str, batch: Batch) -> tuple[np.ndarray, Any, Any]:
        """(y, lengths or None, weights or None) of an output."""
        targets, weights = batch.targets(), batch.weights
        weights = weights.get(name) if isinstance(weights, Mapping) else weights
        return targets[name], (batch.y_lengths or {}).get(name), weights

    def outcome(self, prediction: Any, batch: Batch, scores: bool) -> dict[str, Outcome]:
        found = {}
        for name, output in self.outputs.items():
            with told_of(name):
                found[name] = output.outcome_of(prediction[name], *self._given(name, batch), scores)
        return found

    def expect_data(self, name: str, data: Data) -> None:
        """Refuse data that this graph cannot learn from, before any work: its longest sample goes through the graph,
        and what is in memory is looked at.

        Raises:
            ValueError: it is not by name, or something is missing or does not fit.
        """
        if isinstance(data, NamedSequences):
            expect_named(self, name, data)
        elif isinstance(data, Sequences):
            raise ValueError(
                f"{name}: expected (x, y) of dicts, or NamedSequences, for a Graph, got Sequences"
            )

    def begin(self, train: Data) -> None:
        """Look at the training data `train`, as `fit` lets a model do: count the classes of each output with
        class_weight="balanced". The file keeps their weights in `notes`, a dict by the output's name."""
        names = [name for name, output in self.outputs.items() if output.balanced]
        if names:
            self.notes["class_weight"] = balanced_of(self, names, train)

    def _of_class(self, name: str) -> Any:
        if "class_weight" not in self.notes:
            raise ValueError(
                "class_weight: expected fit, which counts the classes for 'balanced', before a loss"
            )
        return self.notes["class_weight"][name]

    def __call__(
        self, x: Mapping[str, Any], lengths: Mapping[str, Any] | None = None, mask: Any = None
    ) -> dict[str, np.ndarray]:
        """What each output gives, logits for classes: [B, ...], or [T, B, ...] if it has steps.

        Args:
            x: a dict of arrays [B, ...] by name.
            lengths: [B] by name, for those inputs that are shorter than their arrays.
            mask: which steps count, [B, T] bool: a dict by name, or one for all inputs of as many steps.

        Returns:
            A dict of arrays by name.
        """
        data = NamedSequences(x, mask=mask, **self.vocabularies)
        batch = data.take(np.arange(len(data)))
        if lengths is not None:
            if not isinstance(lengths, Mapping):
                raise ValueError(f"lengths: expected a dict by input's name, got {_check.describe(lengths)}")
            expect_among("lengths", lengths, self.inputs)
            batch = batch.but(lengths={**batch.lengths, **lengths})
        return {name: value.array for name, value in self.flow(batch)[0].items()}

    def stepper(self, batch_size: int) -> GraphStepper:  # type: ignore[override]
        """One step of each input per call over `batch_size` streams: `step(x)` with x a dict of [B, I], or tokens [B],
        gives what the graph predicts from the steps so far, the same bits as for the whole sequences.

        Raises:
            ValueError: a node needs whole sequences: attention, a layer that reads backwards, or what repeats a vector
                that was pooled.
        """
        return GraphStepper(self, batch_size)

    def predict(self, x: Mapping[str, Any], batch_size: int = 256, mask: Any = None) -> dict[str, Any]:
        """What is expected of each output: the likeliest class, or the number (as `SequenceRegressor.predict`).

        Args:
            x: a dict of inputs by name, as for `fit`.
            batch_size: samples at a time.
            mask: which steps count, as for `NamedSequences`: a dict by name, or one for all inputs of as many steps.

        Returns:
            A dict by name: [n, ...], or for an output with steps a list of [t_i, ...]. At masked steps numbers are NaN,
            and classes None, or -1 where they have no labels.
        """
        return self._each(x, batch_size, mask, {name: one.centre for name, one in self.outputs.items()})

    def predict_proba(self, x: Mapping[str, Any], batch_size: int = 256, mask: Any = None) -> dict[str, Any]:
        """Probabilities [.., C] of the classes of each output with the loss "cross_entropy", for x, batch_size and mask
        as `predict` takes them."""
        classes = {name: softmax for name, output in self.outputs.items() if output.of_classes}
        return self._each(x, batch_size, mask, classes)

    def predict_quantiles(
        self, x: Mapping[str, Any], quantiles: Any = None, batch_size: int = 256, mask: Any = None
    ) -> dict[str, Any]:
        """Quantiles [.., F, Q] of each output with the loss "gaussian" or "quantile".

        Args:
            x, batch_size, mask: a dict, a whole number and a dict or [n, T] bool, as `predict` takes them.
            quantiles: Q levels; each output's own if None.

        Returns:
            A dict by name, as of `predict`.

        Raises:
            ValueError: something does not fit, or an output with the loss "quantile" has other ones.
        """
        spread = {
            name: partial(output.quantiles_of, quantiles=quantiles)
            for name, output in self.outputs.items()
            if output.loss in ("gaussian", "quantile")
        }
        return self._each(x, batch_size, mask, spread)

    def _each(
        self, x: Mapping[str, Any], batch_size: int, mask: Any, read: Mapping[str, Callable[..., np.ndarray]]
    ) -> dict[str, Any]:
        data = NamedSequences(x, mask=mask, **self.vocabularies)
        return predictions(self, data, _check.whole_number("batch_size", batch_size, 1), read)


def _add(found: dict[int, Any], node: Node, gradient: np.ndarray) -> None:
    before = found.get(id(node))
    found[id(node)] = gradient if before is None else before + gradient
