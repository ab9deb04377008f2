"""What a graph predicts: a node, its loss, and how the prediction is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _check, losses
from .._plain import plain
from ..losses import Loss
from ..losses.outcome import Outcome
from ..sequence.marks import whole_lengths
from .class_weights import BALANCED, weighed, weights_of_classes
from .labels import UNKNOWN, Labels
from .nodes import Node, Value
from .outcomes import of_classes, of_numbers
from .reading import read_numbers
from .targets import Targets


class Output:
    """A prediction of a graph, and its share of the loss.

    Args:
        node: what is predicted: logits [.., C] for "cross_entropy", else one number for each target, two for
            "gaussian" (mean and log variance), as many as there are quantiles for "quantile".
        loss: "cross_entropy" (targets are classes), or one that `SequenceRegressor` takes.
        weight: what its loss is multiplied by before the losses are added.
        quantiles: for the loss "quantile".
        classes: for "cross_entropy", as for `SequenceClassifier`: C, or a list of the labels, which are then what
            targets are and what `predict` gives; None: as many as the node has values.
        class_weight: how much a target of each class counts: "balanced", a dict by label, or [C].
        ignore: a label that does not count; None: all do.
        label_smoothing: share of each target spread over all classes.

    Raises:
        ValueError: an argument does not fit.
    """

    def __init__(
        self,
        node: Node,
        loss: Any = "squared",
        weight: float = 1.0,
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
        *,
        classes: Any = None,
        class_weight: Any = None,
        ignore: Any = None,
        label_smoothing: float = 0.0,
    ):
        if not isinstance(node, Node):
            raise ValueError(f"node: expected a node of a graph, got {_check.describe(node)}")
        self.node, self.weight = node, _check.not_negative("weight", weight)
        self.loss, self.of_classes = loss, isinstance(loss, str) and loss == "cross_entropy"
        self._targets = Targets("squared" if self.of_classes else loss, quantiles)
        self.quantiles = self._targets.levels
        self.predicts = "classes" if self.of_classes else self._targets.predicts
        self.ignore, self.label_smoothing = ignore, _check.fraction("label_smoothing", label_smoothing)
        further = {"classes": classes, "class_weight": class_weight, "ignore": ignore}
        for name, value in further.items() if not self.of_classes else ():
            if value is not None:
                want = f"None with loss={self._targets.name!r}, which is of no classes"
                raise ValueError(f"{name}: expected {want}, got {_check.describe(value)}")
        if self.label_smoothing and not self.of_classes:
            raise ValueError(
                f"label_smoothing: expected 0 with loss={self._targets.name!r}, got {self.label_smoothing}"
            )
        if classes is None and (isinstance(class_weight, dict) or np.ndim(class_weight)):
            classes = len(class_weight)
        labels = Labels("classes", 2 if classes is None else classes, ignore)
        self.labels = None if classes is None else labels
        self.class_weight = weights_of_classes(class_weight, labels)

    @property
    def balanced(self) -> bool:
        """Whether its classes are to be counted."""
        return isinstance(self.class_weight, str) and self.class_weight == BALANCED

    def facts(self, name: str) -> dict[str, Any]:
        """What it was made of beside the node, as JSON can hold it; `name` is for the message where it cannot."""
        loss = plain(f"outputs[{name!r}].loss", self.loss)
        found = {"loss": loss, "weight": self.weight, "quantiles": list(self.quantiles)}
        classes = None if self.labels is None else self.labels.names or self.labels.count
        further = {"classes": classes, "class_weight": self.class_weight, "ignore": self.ignore}
        found |= {key: plain(key, value) for key, value in further.items() if value is not None}
        return found | ({"label_smoothing": self.label_smoothing} if self.label_smoothing else {})

    def labels_of(self, prediction: np.ndarray) -> Labels:
        """What the classes of a prediction [.., C] are called.

        Raises:
            ValueError: it is of another number of classes.
        """
        count = prediction.shape[-1]
        if self.labels is None:
            return Labels("classes", count, self.ignore)
        if self.labels.count != count:
            want = f"logits of {self.labels.count} classes"
            raise ValueError(f"expected {want}, got {_check.describe(prediction)}")
        return self.labels

    def read(self, value: Value, y: np.ndarray, got: object, known: np.ndarray | None) -> np.ndarray:
        """y [B, ...], or [B, S, ...] of steps, as the loss takes it: numbers of classes, or numbers shaped as the
        prediction.

        Args:
            value: what is predicted for these or for other samples.
            y: the targets.
            got: what was given, in words.
            known: [B, S], what counts of y; None: all.

        Returns:
            An array of y's first axes.

        Raises:
            ValueError: y does not fit.
        """
        if self.of_classes:
            return self.labels_of(value.array)(y, known, value.steps, got)
        return read_numbers(y, (self._outputs(value.array),), value.steps, value.array.dtype, got)

    def targets(self, value: Value, y: np.ndarray, y_lengths: np.ndarray | None) -> tuple[Any, Any]:
        """y beside the prediction of the same samples.

        Args:
            value: the prediction.
            y: [B, ...], or [B, S, ...] of steps.
            y_lengths: [B], the steps of each sample's, if it was a list; else None.

        Returns:
            (y as the loss takes it, which of its steps count, [B, S] bool or None: all).

        Raises:
            ValueError: y does not fit.
        """
        known = None
        if value.steps:
            T, B = value.array.shape[:2]
            if y.ndim < 2:
                raise ValueError(f"expected a target for each step, got {_check.describe(y)}")
            ends = whole_lengths("lengths", value.lengths, T, B)
            if y.shape[1] != T or (y_lengths is not None and not np.array_equal(y_lengths, ends)):
                given = y.shape[1] if y_lengths is None else y_lengths
                raise ValueError(
                    f"expected targets for as many steps as its sequences have, {ends}, got {given}"
                )
            known = value.known()
            known = None if known is None else known.T
        return self.read(value, y, _check.Described(y), known), known

    def loss_of(
        self,
        value: Value,
        y: np.ndarray,
        y_lengths: np.ndarray | None,
        weights: np.ndarray | None,
        of_class: Any,
        gradient: bool,
    ) -> Loss:
        """The loss of a prediction against its targets; the output's own weight is not in it.

        Args:
            value: the prediction.
            y, y_lengths: [B, ...] and [B], as for `targets`.
            weights: [B], or [B, S] of steps: how much each counts.
            of_class: [C], how much a target of each class counts; None: all alike.
            gradient: whether it is wanted.

        Returns:
            A Loss.

        Raises:
            ValueError: y or weights do not fit.
        """
        prediction, lengths, steps, mask = value
        y, _ = self.targets(value, y, y_lengths)
        if weights is not None and weights.ndim > 1 and not steps:
            raise ValueError(f"expected weights [B], as it has no steps, got {_check.describe(weights)}")
        if steps:
            y = np.ascontiguousarray(y.swapaxes(0, 1))
            if weights is not None:
                weights = weights.T if weights.ndim > 1 else np.broadcast_to(weights, prediction.shape[:2])
                weights = np.ascontiguousarray(weights)
        options: dict[str, Any] = {"lengths": lengths, "mask": mask, "gradient": gradient}
        if self.of_classes:
            weights = weighed(y, of_class, weights)
            return losses.cross_entropy(
                prediction,
                y,
                ignore=UNKNOWN,
                weights=weights,
                label_smoothing=self.label_smoothing,
                **options,
            )
        found = self._targets.loss(self._widened(prediction), y, weights=weights, **options)
        back = None if found.gradient is None else found.gradient.reshape(prediction.shape)
        return Loss(found.value, back, found.count)

    def outcome_of(
        self,
        value: Value,
        y: np.ndarray,
        y_lengths: np.ndarray | None,
        weights: np.ndarray | None,
        scores: bool,
    ) -> Outcome:
        """What was true and what was predicted, where targets count.

        Args:
            value: the prediction.
            y, y_lengths, weights: [B, ...], [B] and [B] or [B, S], as for `loss_of`.
            scores: whether the probabilities of classes are wanted.

        Returns:
            An Outcome.
        """
        y, known = self.targets(value, y, y_lengths)
        prediction = value.array.swapaxes(0, 1) if value.steps else value.array
        if self.of_classes:
            return of_classes(prediction, y, known, weights, self.labels_of(prediction), scores)
        return of_numbers(self._widened(prediction), y, known, weights, self._targets)

    def _outputs(self, prediction: np.ndarray) -> int:
        """How many numbers a prediction [.., outputs * width] is of."""
        outputs, rest = divmod(prediction.shape[-1], self._targets.width)
        if rest:
            want = f"{self._targets.width} values for each number, as its loss has"
            raise ValueError(f"expected {want}, got {_check.describe(prediction)}")
        return outputs

    def _widened(self, prediction: np.ndarray) -> np.ndarray:
        return self._targets.widened(prediction, self._outputs(prediction))

    def centre(self, prediction: np.ndarray) -> np.ndarray:
        """The likeliest class of a prediction [.., C], or the number that is expected."""
        if self.of_classes:
            return self.labels_of(prediction).likeliest(prediction)
        return self._targets.centre(self._widened(prediction))

    def quantiles_of(self, prediction: np.ndarray, quantiles: Sequence[float] | None) -> np.ndarray:
        """Quantiles [.., F, Q] of a `prediction` [.., F * W] of the loss "gaussian" or "quantile": Q `quantiles`,
        or the output's own if None."""
        return self._targets.quantiles_of(self._widened(prediction), quantiles)
