"""Forecasts further than a network reaches, and samples of what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from darts import TimeSeries
from darts.utils.utils import n_steps_between

from ..forecast import Distribution, Series, SeriesForecaster


def paths(
    forecaster: SeriesForecaster, series: list[Series], n: int, samples: int, random: np.random.Generator
) -> np.ndarray:
    """[series, n, components, samples]: the n steps after each series; with one sample its mean or median.

    Beyond the horizon each sample goes on from its own forecasts. The last steps are forecast from n - horizon, so that
    no covariates later than n are needed.
    """
    S = forecaster.horizon
    if n <= S:
        said = said_of(forecaster, series)
        each = [said.centre] if samples == 1 else [drawn(said, random) for _ in range(samples)]
        return np.stack(each, axis=-1)[:, :n]
    every = [one for one in series for _ in range(samples)]
    targets = [np.concatenate([one.target, np.full((n, one.target.shape[1]), np.nan)]) for one in every]
    for begin in [*range(0, n - S, S), n - S]:
        known = [
            replace(one, target=rows[: len(one) + begin], past=one.past[: len(one) + begin])
            for one, rows in zip(every, targets, strict=True)
        ]
        said = said_of(forecaster, known)
        for one, rows, values in zip(
            every, targets, said.centre if samples == 1 else drawn(said, random), strict=True
        ):
            rows[len(one) + begin : len(one) + begin + S] = values
    found = np.stack([rows[len(one) :] for one, rows in zip(every, targets, strict=True)])
    return np.moveaxis(found.reshape(len(series), samples, *found.shape[1:]), 1, -1)


def said_of(forecaster: SeriesForecaster, series: list[Series]) -> Distribution:
    """The distribution of the steps after each series; its quantiles are calibrated, if the forecaster is."""
    said = forecaster.forecast(series)
    if forecaster.calibration is None or said.levels is None:
        return said
    return replace(said, heads=said.quantiles(said.levels, forecaster.calibration))


def drawn(said: Distribution, random: np.random.Generator) -> np.ndarray:
    """One sample [W, S, F]: of the normal distribution, or of one that is linear between the quantiles and ends with
    them."""
    if said.normal:
        return said.centre + said.unit * random.standard_normal(said.centre.shape)
    assert said.levels is not None
    levels, chance = np.array(said.levels), random.random(said.centre.shape)
    if len(levels) == 1:
        return said.heads[..., 0]
    place = np.clip(np.searchsorted(levels, chance), 1, len(levels) - 1)
    low, high = (np.take_along_axis(said.heads, at[..., None], -1)[..., 0] for at in (place - 1, place))
    share = (chance - levels[place - 1]) / (levels[place] - levels[place - 1])
    return low + np.clip(share, 0, 1) * (high - low)


def parameters_of(said: Distribution) -> np.ndarray:
    """[W, S, F * parameters, 1]: mean and deviation, or the quantiles, of each component."""
    heads = np.stack([said.centre, said.unit], axis=-1) if said.normal else said.heads
    return heads.reshape(*heads.shape[:2], -1, 1)


def listed(values: Any) -> Any:
    """One series or several as a list, None as it is."""
    return values if values is None else [values] if isinstance(values, TimeSeries) else list(values)


def placed(target: Any, covariates: Any, count: int) -> np.ndarray:
    """[count, C]: covariates on the steps of `target` and after it; NaN where there are none."""
    if covariates is None:
        return np.zeros((count, 0))
    found = np.full((count, covariates.width), np.nan)
    values = covariates.values(copy=False)
    first, own = target.start_time(), covariates.start_time()
    if own >= first:
        shift = int(n_steps_between(end=own, start=first, freq=target.freq))
    else:
        shift = -int(n_steps_between(end=first, start=own, freq=target.freq))
    begin, end = max(0, shift), min(count, shift + len(values))
    if begin < end:
        found[begin:end] = values[begin - shift : end - shift]
    return found


def expect_covered(name: str, target: Any, covariates: Any, before: int, ahead: int) -> None:
    """Refuse covariates that do not reach from `before` steps before the end of a series to `ahead` steps after it."""
    if covariates is None:
        return
    first, last = target.end_time() - (before - 1) * target.freq, target.end_time() + ahead * target.freq
    if covariates.start_time() > first or covariates.end_time() < last:
        there = f"{covariates.start_time()} to {covariates.end_time()}"
        raise ValueError(f"{name}: expected steps from {first} to {last}, got {there}")
