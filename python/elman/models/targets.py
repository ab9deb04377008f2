"""Losses over real-valued targets by name, and how predictions for them are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from statistics import NormalDist
from typing import Any

import numpy as np

from .. import _check, losses
from ..losses import CustomLoss, Loss
from ..losses.custom import named
from .probabilities import sigmoid

LOSSES: dict[str, Callable[..., Loss]] = {
    "squared": losses.mean_squared_error,
    "absolute": losses.mean_absolute_error,
    "huber": losses.huber,
    "binary": losses.binary_cross_entropy,
    "gaussian": losses.gaussian,
    "quantile": losses.quantile,
}


def _levels(quantiles: Any) -> tuple[float, ...]:
    if np.ndim(quantiles) != 1:
        raise ValueError(f"quantiles: expected a list of numbers, got {_check.describe(quantiles)}")
    return tuple(_check.fraction(f"quantiles[{i}]", level) for i, level in enumerate(quantiles))


class Targets:
    """What a regressor or forecaster predicts for each number: the number, a distribution, or quantiles.

    Attributes:
        width: values predicted for each number.
    """

    def __init__(self, loss: Any, quantiles: Sequence[float] = (0.1, 0.5, 0.9)):
        if isinstance(loss, str) and ":" in loss:  # as files keep it
            loss = named(loss)
        own = isinstance(loss, CustomLoss)
        if callable(loss) and not own:
            raise ValueError(
                f"loss: expected a name, or one that elman.losses.custom makes, got {_check.describe(loss)}"
            )
        self.name = loss.name if own else _check.choice("loss", loss, tuple(LOSSES))
        self.levels = _levels(quantiles)
        if not self.levels or sorted(set(self.levels)) != list(self.levels):
            raise ValueError(f"quantiles: expected rising numbers, at least one, got {list(self.levels)}")
        axis = {"gaussian": 2, "quantile": len(self.levels)}.get(self.name, loss.width if own else 0)
        self.width, self._axis = axis or 1, bool(axis)
        self.loss: Callable[..., Loss] = loss if own else LOSSES[loss]
        if self.name == "quantile":
            self.loss = partial(self.loss, quantiles=self.levels)

    @property
    def predicts(self) -> str:
        """What metrics are of."""
        return "classes" if self.name == "binary" else "numbers"

    def widened(self, flat: Any, outputs: int) -> Any:
        """[..., outputs * width] as [..., outputs, width] where the loss has that last axis, else as it is."""
        if not self._axis:
            return flat
        return flat.reshape(*flat.shape[:-1], outputs, self.width)

    def centre(self, prediction: np.ndarray) -> np.ndarray:
        """The expected value: mean, median, or for "binary" the probability of 1. Of a loss of one's own with several
        values for each number the first."""
        if self.name == "gaussian":
            return prediction[..., 0]
        if self.name == "quantile":
            return prediction[..., int(np.argmin(np.abs(np.array(self.levels) - 0.5)))]
        if self.name == "binary":
            return sigmoid(prediction)
        return prediction[..., 0] if self._axis else prediction

    def quantiles_of(self, prediction: np.ndarray, quantiles: Sequence[float] | None = None) -> np.ndarray:
        """[..., Q] quantiles of each number; None: those that were given with the loss."""
        quantiles = self.levels if quantiles is None else _levels(quantiles)
        for i, level in enumerate(quantiles):
            _check.positive(f"quantiles[{i}]", level)
        if self.name == "gaussian":
            normal = NormalDist()
            deviations = np.array([normal.inv_cdf(q) for q in quantiles], prediction.dtype)
            mean, log_variance = prediction[..., 0, None], prediction[..., 1, None]
            return mean + np.exp(0.5 * log_variance) * deviations
        unknown = [q for q in quantiles if q not in self.levels]
        if self.name != "quantile" or unknown:
            has = (
                f"quantiles among {list(self.levels)}"
                if self.name == "quantile"
                else "a model of a distribution"
            )
            raise ValueError(f"quantiles: expected {has}, got {list(quantiles)} with loss {self.name!r}")
        return prediction[..., [self.levels.index(q) for q in quantiles]]
