"""What a graph predicts: a node, its loss, and how the prediction is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _check, losses
from .._plain import plain
from ..losses import Loss
from ..sequence.marks import whole_lengths
from .labels import UNKNOWN, Labels
from .nodes import Node, Value
from .targets import Targets


class Output:
    """A prediction of a graph, and its share of the loss.

    Args:
        node: what is predicted: logits [.., C] for "cross_entropy", else one number for each target, two for
            "gaussian" (mean and log variance), as many as there are quantiles for "quantile".
        loss: "cross_entropy" (targets are classes), or one that `SequenceRegressor` takes.
        weight: what its loss is multiplied by before the losses are added.
        quantiles: for the loss "quantile".

    Raises:
        ValueError: an argument does not fit.
    """

    def __init__(
        self,
        node: Node,
        loss: Any = "squared",
        weight: float = 1.0,
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
    ):
        if not isinstance(node, Node):
            raise ValueError(f"node: expected a node of a graph, got {_check.describe(node)}")
        self.node, self.weight = node, _check.not_negative("weight", weight)
        self.loss, self.quantiles = loss, tuple(quantiles)
        self.classes = isinstance(loss, str) and loss == "cross_entropy"
        self._targets = Targets("squared" if self.classes else loss, quantiles)

    def facts(self, name: str) -> dict[str, Any]:
        """What it was made of beside the node, as JSON can hold it; `name` is for the message where it cannot."""
        loss = plain(f"outputs[{name!r}].loss", self.loss)
        return {"loss": loss, "weight": self.weight, "quantiles": list(self.quantiles)}

    def loss_of(
        self,
        value: Value,
        y: np.ndarray,
        y_lengths: np.ndarray | None,
        weights: np.ndarray | None,
        gradient: bool,
    ) -> Loss:
        """The loss of a prediction, a `value`, against y [B, ...], or [B, T, ...] with `y_lengths` [B] if it has steps.
        `weights` [B] are those of the samples; the output's own is not in it. Without `gradient` its value alone.

        Raises:
            ValueError: y does not fit.
        """
        prediction, lengths, steps = value
        if self.classes:
            known = None if y_lengths is None or not steps else np.arange(y.shape[1]) < y_lengths[:, None]
            y = Labels("classes", prediction.shape[-1])(y, known, steps, _check.describe(y))
        if steps:
            ends = whole_lengths("lengths", lengths, *prediction.shape[:2])
            if y_lengths is not None and not np.array_equal(y_lengths, ends):
                raise ValueError(
                    f"expected targets for as many steps as its sequences have, {ends}, got {y_lengths}"
                )
            y = np.ascontiguousarray(y.swapaxes(0, 1)) if y.ndim > 1 else y
            if weights is not None:
                weights = np.ascontiguousarray(np.broadcast_to(weights, prediction.shape[:2]))
        if self.classes:
            return losses.cross_entropy(
                prediction, y, lengths, ignore=UNKNOWN, weights=weights, gradient=gradient
            )
        if y.ndim == prediction.ndim - 1 and prediction.shape[-1] == self._targets.width:
            y = y[..., None]  # one number for each
        found = self._targets.loss(self._widened(prediction), y, lengths, weights=weights, gradient=gradient)
        back = None if found.gradient is None else found.gradient.reshape(prediction.shape)
        return Loss(found.value, back, found.count)

    def _widened(self, prediction: np.ndarray) -> np.ndarray:
        outputs, rest = divmod(prediction.shape[-1], self._targets.width)
        if rest:
            want = f"{self._targets.width} values for each number, as its loss has"
            raise ValueError(f"expected {want}, got {_check.describe(prediction)}")
        return self._targets.widened(prediction, outputs)

    def centre(self, prediction: np.ndarray) -> np.ndarray:
        """The likeliest class of a prediction [.., C], or the number that is expected."""
        return prediction.argmax(axis=-1) if self.classes else self._targets.centre(self._widened(prediction))
