"""Distributions of forecasts, and their calibration on forecasts whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from .. import _check

RECENT = 10  # horizons, at most, of a half-life
ENOUGH = 70  # origins that it may have in any case: all weights are then a hundred errors', five in a tail
FEW = 40  # no error has more than this part of all weights, so that few errors of its own do not decide
FORGOTTEN = 10  # half-lives after which an error, which counts a thousandth, is dropped


@dataclass(frozen=True)
class Distribution:
    """What is said of each number that is forecast, in the user's units.

    Attributes:
        centre: [W, S, F], mean or median.
        heads: [W, S, F, K]: K quantiles, or K = 1 numbers (a mean).
        unit: [W, S, F], what errors are measured in: a standard deviation, or the scale of the series.
        levels: of the K quantiles; None where the head is a mean.
        normal: whether it is a normal distribution of that mean and deviation.
        names: [W], the series that each is of; None where they have no names.
    """

    centre: np.ndarray
    heads: np.ndarray
    unit: np.ndarray
    levels: tuple[float, ...] | None = None
    normal: bool = False
    names: tuple[Any, ...] | None = None

    def take(self, rows: np.ndarray) -> Distribution:
        """That of some windows.

        Args:
            rows: their numbers, whole numbers [N].

        Returns:
            A distribution of N windows.
        """
        names = None if self.names is None else tuple(self.names[row] for row in rows)
        return replace(
            self, centre=self.centre[rows], heads=self.heads[rows], unit=self.unit[rows], names=names
        )

    def quantiles(self, levels: Sequence[float], calibration: Calibration | None = None) -> np.ndarray:
        """[W, S, F, Q], which rise with their levels. With a calibration each is moved by as much as those before were
        wrong.

        Args:
            levels: Q numbers between 0 and 1.
            calibration: None, or what is known of the errors.

        Returns:
            float64.

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
                names = self.names or (None,) * len(self.centre)
                each = {name: calibration.shift(level, k, name) for name in set(names)}
                shift = np.stack([each[name] for name in names]) if names else 0.0
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

    Each quantile is moved by the quantile of its own errors. If new errors are exchangeable with n old ones, a new one
    lies with a chance of at least q below the old one of rank ceil((n + 1) q): split conformal prediction for a mean,
    and for quantiles conformalised quantile regression with a tail for each side (Romano, Patterson & Candes 2019,
    theorem 2). Errors over time are not exchangeable. So they have weights (Barber, Candes, Ramdas & Tibshirani 2023):
    an error counts half after `half_life` origins, and those of the series itself count together as much as those of
    all others, as far as they are not few. With all weights equal the ranks are as above; the new error counts as the
    heaviest of the old.

    Args:
        errors: [n, S, F, K], (truth - head) / unit; NaN where the truth is not known.
        ages: [n], how many origins later the newest was made, as whole numbers; None: all are alike in time.
        names: [n], the series that each is of; None: all are of one.
        half_life: in origins, above 0; None: half of the oldest age, and at most 10 S or 70.

    Raises:
        ValueError: for a step and target no truth is known, or ages and names are not n.
    """

    def __init__(
        self,
        errors: np.ndarray,
        ages: np.ndarray | None = None,
        names: Sequence[Any] | None = None,
        half_life: float | None = None,
    ):
        n = len(errors)
        if not n or np.isnan(errors).all(axis=0).any():
            raise ValueError("calibration: expected a known target for each step ahead, got none for some")
        self.errors = errors
        self.ages = np.zeros(n, np.int64) if ages is None else np.asarray(ages, np.int64)
        self.names = (None,) * n if names is None else tuple(names)
        for name, given in (("ages", self.ages), ("names", self.names)):
            if len(given) != n:
                raise ValueError(f"{name}: expected {n}, one for each error, got {len(given)}")
        if half_life is None:
            half_life = min(max((int(self.ages.max()) + 1) / 2, 1.0), max(RECENT * errors.shape[1], ENOUGH))
        self.half_life = _check.positive("half_life", half_life)
        self._alike = 0.5 ** (self.ages / self.half_life)  # weights without names
        rows: dict[Any, list[int]] = {}
        for row, one in enumerate(self.names):
            rows.setdefault(one, []).append(row)
        self._others = max(len(rows) - 1, 1)
        rows.pop(None, None)
        self._rows = {one: np.array(found) for one, found in rows.items()}
        self._tables: dict[tuple[int, bool], tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    @classmethod
    def of(
        cls,
        forecast: Distribution,
        truth: np.ndarray,
        origins: np.ndarray | None = None,
        half_life: float | None = None,
    ) -> Calibration:
        """From a forecast of W windows, its truth [W, S, F] and when its origins were, [W] of any kind that has an
        order (None: all at once). For `half_life` see above.

        Returns:
            The calibration.

        Raises:
            ValueError: for a step and target no truth is known.
        """
        errors = (truth[..., None] - forecast.heads) / forecast.unit[..., None]
        return cls(errors, None if origins is None else _ages(origins), forecast.names, half_life)

    def after(self, forecast: Distribution, truth: np.ndarray, origins: np.ndarray) -> Calibration:
        """This one and the errors of later origins, which are [W] of any kind that has an order. Errors that have
        hardly any weight left are dropped.

        Args:
            forecast: of W windows.
            truth: [W, S, F].
            origins: when each of them was, in any order.

        Returns:
            Another calibration.
        """
        if not len(truth):
            return self
        errors = (truth[..., None] - forecast.heads) / forecast.unit[..., None]
        new = _ages(origins)
        ages = np.concatenate([self.ages + int(new.max()) + 1, new])
        names = (*self.names, *(forecast.names or (None,) * len(truth)))
        keep = np.flatnonzero(ages <= FORGOTTEN * self.half_life)
        everything = np.concatenate([self.errors, errors])
        if np.isnan(everything[keep]).all(axis=0).any():  # a target that is not known any more
            keep = np.arange(len(ages))
        return Calibration(everything[keep], ages[keep], [names[row] for row in keep], self.half_life)

    def weights(self, name: Any) -> np.ndarray:
        """[n], of each error for the forecast of the series of that name."""
        found = self._alike.copy()
        if name in self._rows:
            rows = self._rows[name]
            own = found[rows].sum()
            most = (found.sum() - own) / (FEW - own) if own < FEW else np.inf
            found[rows] *= max(1.0, min(self._others, most))
        return found

    def shift(self, level: float, head: int, name: Any = None) -> np.ndarray:
        """By how many units the quantile of this level is moved, from the head of this number.

        Args:
            level: between 0 and 1.
            head: from 0 to K - 1.
            name: the series that is forecast; None, or one that has no errors yet: all errors count alike but for age.

        Returns:
            [S, F].
        """
        lower = level < 0.5  # counted from above
        errors, sums, places = self._table(head, lower)
        last = len(errors) - 1 if lower else (~np.isnan(errors)).sum(axis=0) - 1
        rows = self._rows.get(name, np.zeros(0, np.int64))
        weights = self.weights(name)
        more = np.where(np.isnan(self.errors[rows, ..., head]), 0, (weights - self._alike)[rows, None, None])
        # The new error counts as the heaviest.
        enough = max(level, 1 - level) * (sums[-1] + more.sum(axis=0) + weights.max()) * (1 - 1e-12)
        first, last = np.zeros(enough.shape, np.int64), np.broadcast_to(last, enough.shape)
        while (first < last).any():  # the first error up to which the weights are enough
            middle = (first + last) // 2
            found = np.take_along_axis(sums, middle[None], axis=0)[0]
            found = found + np.where(places[rows] <= middle, more, 0).sum(axis=0) >= enough
            first, last = np.where(found, first, np.minimum(middle + 1, last)), np.where(found, middle, last)
        return np.take_along_axis(errors, first[None], axis=0)[0]

    def _table(self, head: int, lower: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """[n, S, F] each: the errors of a head as they rise, or fall; sums of their weights; and the place of each."""
        if (head, lower) not in self._tables:
            order = np.argsort(self.errors[..., head], axis=0, kind="stable")  # NaN last
            order = order[::-1] if lower else order
            errors = np.take_along_axis(self.errors[..., head], order, axis=0)
            sums = np.cumsum(np.where(np.isnan(errors), 0, self._alike[order]), axis=0)
            places = np.empty_like(order)
            np.put_along_axis(places, order, np.arange(len(order))[:, None, None], axis=0)
            self._tables[head, lower] = errors, sums, places
        return self._tables[head, lower]


def _ages(origins: np.ndarray) -> np.ndarray:
    """How many other origins are later than each."""
    places = np.unique(origins, return_inverse=True)[1].reshape(-1)
    return places.max() - places


def rolling_quantiles(
    said: Distribution,
    truth: np.ndarray,
    levels: Sequence[float],
    calibration: Calibration,
    origins: np.ndarray,
    ends: np.ndarray,
    wanted: np.ndarray | None = None,
) -> np.ndarray:
    """Quantiles of forecasts one after another, each calibrated by all errors that had been seen when it was made.

    Args:
        said: the forecasts of W windows.
        truth: [W, S, F], what came.
        levels: Q numbers between 0 and 1.
        calibration: what was known before the first of them.
        origins, ends: [W], the times of the last step that each has seen, and of the last step that it forecasts, of
            any kind that has an order. An error counts from that time on, when all steps of the forecast are known.
        wanted: [W], whether its quantiles are asked for; None: all. The others are there for their errors.

    Returns:
        [wanted W, S, F, Q], in the order of the windows.

    Raises:
        ValueError: a level is not between 0 and 1, or cannot be told from the heads.
    """
    wanted = np.ones(len(truth), bool) if wanted is None else wanted
    found = np.full((*truth.shape, len(levels)), np.nan)
    waiting = np.ones(len(truth), bool)
    for now in np.unique(origins[wanted]):
        over = np.flatnonzero(waiting & (ends <= now))
        calibration = calibration.after(said.take(over), truth[over], origins[over])
        waiting[over] = False
        rows = np.flatnonzero(wanted & (origins == now))
        found[rows] = said.take(rows).quantiles(levels, calibration)
    return found[wanted]
