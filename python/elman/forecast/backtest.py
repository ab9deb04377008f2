"""Forecasts as they would have been made in the past, from one origin after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import _check
from .._extras import need
from ..losses.scores import crps, pinball
from .baseline import KINDS
from .conformal import central_intervals, rolling_quantiles
from .core import SeriesForecaster
from .frames import FrameReader
from .plots import plot_backtest
from .series import Series, checked, clocks
from .tables import times_of


@dataclass
class Backtest:
    """The forecasts of a backtest beside the truth.

    Attributes:
        frame: an object of pandas, a DataFrame with a row for each origin (the last time that was known), step ahead,
            series and target, with columns origin, step, time, series, target, truth, prediction, q0.05, ... for
            each quantile, and one for each baseline.
        levels: of the quantiles.
        naive: the error that MASE is measured in, for each series and target.
        baselines: names of the plain forecasts beside.
    """

    frame: Any
    levels: tuple[float, ...] = ()
    naive: dict[tuple[Any, Any], float] = field(default_factory=dict)
    baselines: tuple[str, ...] = ()

    def summary(self, by: str | Sequence[str] | None = "step") -> Any:
        """A frame of scores: mae, rmse, mase; with quantiles pinball (their mean), crps (twice the integral of pinball
        over all levels, from these), and for each central interval its coverage and mean width; mae_linear and so on
        for each baseline.

        Args:
            by: columns of `frame` to tell apart, such as "step", "series" or "origin"; None for all in one.

        Returns:
            A DataFrame with a row for each value of `by` and a column for each score.

        Raises:
            ValueError: there is no such column.
        """
        pandas = need("pandas", "forecast", "a backtest")
        frame = self.frame[self.frame["truth"].notna()]
        if by is not None:
            for name in [by] if isinstance(by, str) else by:
                _check.choice("by", name, ("origin", "step", "time", "series", "target"))
            groups = frame.groupby(by if isinstance(by, str) else list(by), sort=True, dropna=False)
            return pandas.DataFrame({key: self._scores(rows) for key, rows in groups}).T.rename_axis(
                by if isinstance(by, str) else list(by)
            )
        return pandas.DataFrame({"all": self._scores(frame)}).T

    def _scores(self, rows: Any) -> dict[str, float]:
        truth, prediction = rows["truth"].to_numpy(), rows["prediction"].to_numpy()
        error = np.abs(truth - prediction)
        naive = np.array([self.naive[key] for key in zip(rows["series"], rows["target"], strict=True)])
        ratio = np.divide(error, naive, out=np.full(len(error), np.nan), where=naive > 0)
        known = ~np.isnan(ratio)
        found = {
            "mae": error.mean(), "rmse": np.sqrt(np.square(error).mean()),
            "mase": ratio[known].mean() if known.any() else np.nan,
        }  # fmt: skip
        if self.levels:
            quantiles = rows[[f"q{level:g}" for level in self.levels]].to_numpy()
            found["pinball"] = pinball(truth, quantiles, self.levels).mean()
            found["crps"] = crps(truth, quantiles, self.levels).mean()
            for low, high, share in central_intervals(self.levels):
                inside = (quantiles[:, low] <= truth) & (truth <= quantiles[:, high])
                found[f"coverage_{share:g}"] = inside.mean()
                found[f"width_{share:g}"] = (quantiles[:, high] - quantiles[:, low]).mean()
        for name in self.baselines:
            found[f"mae_{name}"] = np.abs(truth - rows[name].to_numpy()).mean()
        return {name: float(value) for name, value in found.items()}

    def plot(self, path: Any = None, series: Any = None, step: int | None = None) -> Any:
        """Draw truth and forecasts of one series (extra: plot).

        Args:
            path: a file to write; None leaves the figure open.
            series: its name, of any kind of object; None: the first.
            step: draw each time as it was expected so many steps before; None: the forecasts of each origin.

        Returns:
            The figure of matplotlib.

        Raises:
            ValueError: there is no such series.
        """
        return plot_backtest(self.frame, self.levels, path, series, step)


def backtest(
    fitted: Callable[[list[Series]], SeriesForecaster],
    series: Sequence[Series],
    horizon: int,
    context: int,
    *,
    start: Any = 0.8,
    stride: int | None = None,
    refit: int | None = None,
    window: int | None = None,
    season: int = 1,
    quantiles: Sequence[float] | None = None,
    reader: FrameReader | None = None,
    targets: Sequence[Any] | None = None,
    baselines: Sequence[str] = (),
) -> Backtest:
    """Forecast from origins that roll through the series, with nothing known after them but what is known ahead.

    Args:
        fitted: gives a forecaster that has learnt from these series.
        series: what there is.
        horizon, context: steps that a forecast needs after and before its origin.
        start: the first origin: a number between 0 and 1, which is a share of all times, or a time.
        stride: steps from one origin to the next; `horizon` if None.
        refit: origins after which a new forecaster is fitted; None: one is fitted before the first origin only.
        window: steps before an origin to learn from (a sliding window); None: all (an expanding one).
        season: of the naive forecast that MASE compares with: its mean error before the first origin.
        quantiles: levels to forecast; none if the forecaster has none.
        reader: what has read the series, for their times; None: steps are counted.
        targets: names of the targets; None: they are counted.
        baselines: plain forecasts to make beside: "last", "seasonal", "linear" (ridge regression).

    Returns:
        The forecasts beside the truth.

    Raises:
        ValueError: an argument does not fit, or there is no origin with a context before and a horizon after it.
    """
    series = checked(series)
    stride = horizon if stride is None else _check.whole_number("stride", stride, 1)
    refit = None if refit is None else _check.whole_number("refit", refit, 1)
    if window is not None and _check.whole_number("window", window, 1) < context + horizon:
        raise ValueError(f"window: expected at least {context + horizon} steps, got {window}")
    season = _check.whole_number("season", season, 1)
    levels = tuple(sorted(set(quantiles or ())))
    baselines = [baselines] if isinstance(baselines, str) else list(baselines)
    for name in baselines:
        _check.choice("baselines", name, KINDS)
    axes = [np.arange(len(one)) if one.times is None else one.times[: len(one)] for one in series]
    axis = np.unique(np.concatenate(axes))
    at = axis[_first(start, axis, None if reader is None else reader.grid.zone) :: stride]
    seen = [np.searchsorted(own, at, side="right") for own in axes]  # steps of each series at each origin
    usable = [
        (count >= context) & (count + horizon <= len(one)) & (at >= own[0])
        for count, one, own in zip(seen, series, axes, strict=True)
    ]
    any_usable = np.any(usable, axis=0)
    if not any_usable.any():
        raise ValueError(
            f"start: expected an origin with {context} steps before and {horizon} after it, got none from {start} on"
        )
    first = int(np.argmax(any_usable))
    parts = []
    for begin in range(first, len(at), refit or len(at)):
        group = np.arange(begin, min(begin + (refit or len(at)), len(at)))
        known = [
            one.between(0 if window is None else int(count[begin]) - window, int(count[begin]))
            for one, count in zip(series, seen, strict=True)
        ]
        origins = [count[group][use[group]] for count, use in zip(seen, usable, strict=True)]
        if not sum(map(len, origins)):
            continue
        known = [one for one in known if len(one) and not np.isnan(one.target).all()]
        forecaster = fitted(known)
        columns = {"truth": forecaster.truth(series, origins)}
        if levels and forecaster.calibration is not None:
            columns["prediction"], found = _calibrated(
                forecaster, series, seen, begin, origins, context, levels
            )
        else:
            said = forecaster.forecast(series, origins)
            columns["prediction"] = said.centre
            found = said.quantiles(levels) if levels else np.empty(0)
        columns |= {f"q{level:g}": found[..., k] for k, level in enumerate(levels)}
        columns |= {name: forecaster.baseline(name, known, series, origins) for name in baselines}
        parts.append(_rows(series, origins, columns, reader, targets))
    frame = need("pandas", "forecast", "a backtest").concat(parts, ignore_index=True)
    names = list(targets or range(series[0].target.shape[1]))
    naive = {
        (_key(one.name, i), name): naive_error(one.target[: int(count[first]), f], season)
        for i, (one, count) in enumerate(zip(series, seen, strict=True))
        for f, name in enumerate(names)
    }
    return Backtest(frame, levels, naive, tuple(baselines))


def _calibrated(
    forecaster: SeriesForecaster, series: Sequence[Series], seen: Sequence[np.ndarray], begin: int,
    origins: Sequence[np.ndarray], context: int, levels: Sequence[float],
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Forecasts of these origins and their quantiles, as `observe` before each would have made them: it forecasts from
    all origins since training, which was at the origin of number `begin`."""
    assert forecaster.calibration is not None
    every, S = [], forecaster.horizon
    for count, asked in zip(seen, origins, strict=True):
        first = max(int(count[begin]) - S + 1, context)
        every.append(np.arange(first, int(asked[-1]) + 1 if len(asked) else first))
    wanted = np.concatenate([np.isin(at, asked) for at, asked in zip(every, origins, strict=True)])
    said = forecaster.forecast(series, every)
    quantiles = rolling_quantiles(
        said, forecaster.truth(series, every), levels, forecaster.calibration, clocks(series, every, -1),
        clocks(series, every, S - 1), wanted,
    )  # fmt: skip
    return said.centre[wanted], quantiles


def naive_error(target: np.ndarray, season: int = 1) -> float:
    """The mean absolute error of the value `season` steps before, over one series [n]: what MASE is measured in
    (Hyndman & Koehler 2006). NaN where no two such values are known."""
    errors = np.abs(target[season:] - target[:-season])
    return float(np.nanmean(errors)) if (~np.isnan(errors)).any() else float("nan")


def _key(name: Any, number: int) -> Any:
    return number if name is None else name


def _first(start: Any, axis: np.ndarray, zone: str | None) -> int:
    """The place of the first origin among all times, which are of UTC if there is a zone."""
    share = isinstance(start, (float, np.floating)) and 0 < start < 1
    if share:
        return max(0, round(start * len(axis)) - 1)
    if axis.dtype.kind in "iu":
        return int(np.searchsorted(axis, _check.whole_number("start", start, 0)))
    pandas = need("pandas", "forecast", "a backtest")
    try:
        if isinstance(start, (int, float, np.number)):
            raise ValueError
        time = pandas.Timestamp(start)
        if zone is not None:
            time = (time.tz_localize(zone) if time.tz is None else time).tz_convert(None)
    except (ValueError, TypeError):
        raise ValueError(f"start: expected a share between 0 and 1 or a time, got {start!r}") from None
    if time.tz is not None:
        raise ValueError(f"start: expected a time without a zone, as the series have none, got {start!r}")
    return int(np.searchsorted(axis, time.to_datetime64()))


def _rows(
    series: Sequence[Series], origins: Sequence[np.ndarray], columns: dict[str, np.ndarray],
    reader: FrameReader | None, targets: Sequence[Any] | None,
) -> Any:  # fmt: skip
    """The rows of a backtest's frame; columns are [W, S, F]."""
    pandas = need("pandas", "forecast", "a backtest")
    S, F = columns["truth"].shape[1:]
    parts, row = [], 0
    for i, (one, at) in enumerate(zip(series, origins, strict=True)):
        w = len(at)
        if not w:
            continue
        steps = np.arange(S)
        here = slice(row, row + w)
        row += w
        origin, time = (
            times_of(reader, one, np.asarray(places).reshape(-1))
            for places in (np.repeat(at - 1, S), at[:, None] + steps)
        )
        for f in range(F):
            values = {
                "origin": origin, "step": np.tile(steps + 1, w), "time": time,
                "series": pandas.Series([_key(one.name, i)] * (w * S)),
                "target": targets[f] if targets else f,
                **{name: values[here, :, f].reshape(-1) for name, values in columns.items()},
            }  # fmt: skip
            parts.append(pandas.DataFrame(values))
    return pandas.concat(parts, ignore_index=True)
