"""Distributions of forecasts, and their calibration on forecasts whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from .. import _check


@dataclass(frozen=True)
class Distribution:
    """What is said of each number that is forecast, in the user's units.

    Attributes:
        centre: [W, S, F], mean or median.
        heads: [W, S, F, K]: K quantiles, or K = 1 numbers (a mean).
        unit: [W, S, F], what errors are measured in: a standard deviation, or the scale of the series.
        levels: of the K quantiles; None where the head is a mean.
        normal: whether it is a normal distribution of that mean and deviation.
    """

    centre: np.ndarray
    heads: np.ndarray
    unit: np.ndarray
    levels: tuple[float, ...] | None = None
    normal: bool = False

    def quantiles(self, levels: Sequence[float], calibration: Calibration | None = None) -> np.ndarray:
        """[W, S, F, Q], which rise with their levels. With a calibration each is moved by as much as those before were
        wrong.

        Raises:
            ValueError: a level is not between 0 and 1, or cannot be told from the heads.
        """
        found = []
        for i, level in enumerate(levels):
            level = _check.positive(f"quantiles[{i}]", _check.fraction(f"quantiles[{i}]", level))
            if self.levels is not None and level not in self.levels:
                raise ValueError(
                    f"quantiles: expected some of {list(self.levels)}, which were trained, got {list(levels)}"
                )
            k = 0 if self.levels is None else self.levels.index(level)
            shift: np.ndarray | float
            if calibration is not None:
                shift = calibration.shift(level, k)
            elif self.normal:
                shift = NormalDist().inv_cdf(level)
            elif self.levels is not None:
                shift = 0.0
            else:
                raise ValueError(
                    "quantiles: expected a forecaster with loss='quantile', loss='gaussian' or calibration, "
                    f"got {list(levels)} of one that forecasts single numbers"
                )
            found.append(self.heads[..., k] + (self.unit * shift if np.any(shift) else 0))
        order = np.argsort(np.argsort(levels, kind="stable"), kind="stable")
        return np.sort(np.stack(found, axis=-1), axis=-1)[..., order]


def central_intervals(levels: Sequence[float]) -> list[tuple[int, int, float]]:
    """Which of the rising levels bound a central interval: their places, and the share that it is to cover."""
    found = []
    for i, low in enumerate(levels):
        for j, high in enumerate(levels):
            if i < j and abs(low + high - 1) < 1e-9:
                found.append((i, j, round(high - low, 10)))
    return found


class Calibration:
    """How far forecasts were from the truth at origins that were not trained on, for each step ahead and target.

    A new error lies, with a chance of at least q, below the one of rank ceil((n + 1) q) among n errors that are
    exchangeable with it. Each quantile is moved by that rank of its own errors, lower ones by the mirrored rank: split
    conformal prediction for a mean, and for quantiles conformalised quantile regression with a tail for each side
    (Romano, Patterson & Candes 2019, theorem 2). Errors over time are not quite exchangeable; a backtest measures the
    coverage.

    Args:
        errors: [n, S, F, K], (truth - head) / unit; NaN where the truth is not known.

    Raises:
        ValueError: for a step and target no truth is known.
    """

    def __init__(self, errors: np.ndarray):
        self.errors = np.sort(errors, axis=0)  # NaN last
        self.counts = (~np.isnan(errors)).sum(axis=0)
        if not len(errors) or not self.counts.min():
            raise ValueError("calibration: expected a known target for each step ahead, got none for some")

    @classmethod
    def of(cls, forecast: Distribution, truth: np.ndarray) -> Calibration:
        """From a forecast of W windows and its truth [W, S, F]."""
        return cls((truth[..., None] - forecast.heads) / forecast.unit[..., None])

    def shift(self, level: float, head: int) -> np.ndarray:
        """[S, F]: by how many units the quantile of this level is moved, from the head of this number."""
        n = self.counts[..., head]
        upper = np.ceil((n + 1) * level - 1e-9)
        lower = np.floor((n + 1) * level + 1e-9)
        rank = np.where(level >= 0.5, np.minimum(upper, n), np.maximum(lower, 1)).astype(int)
        return np.take_along_axis(self.errors[..., head], rank[None] - 1, axis=0)[0]
