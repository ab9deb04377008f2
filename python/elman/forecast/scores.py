"""How good forecasts are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def naive_error(target: np.ndarray, season: int = 1) -> float:
    """The mean absolute error of the value `season` steps before, over one series [n]: what MASE is measured in
    (Hyndman & Koehler 2006). NaN where no two such values are known."""
    errors = np.abs(target[season:] - target[:-season])
    return float(np.nanmean(errors)) if (~np.isnan(errors)).any() else float("nan")


def pinball(truth: np.ndarray, quantiles: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """[..., Q]: max(q e, (q - 1) e) of e = truth - quantile, for quantiles [..., Q] (Koenker & Bassett 1978)."""
    q, error = np.asarray(levels), truth[..., None] - quantiles
    return np.maximum(q * error, (q - 1) * error)


def crps(truth: np.ndarray, quantiles: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """[...]: the continuous ranked probability score, twice the integral of the pinball loss over all levels (Laio &
    Tamea 2007). Each level stands for all that are nearest to it, so many levels are needed for the true integral."""
    q = np.asarray(levels)
    edges = np.concatenate([[0.0], (q[1:] + q[:-1]) / 2, [1.0]])
    return 2 * (pinball(truth, quantiles, levels) * np.diff(edges)).sum(axis=-1)


def pairs(levels: Sequence[float]) -> list[tuple[int, int, float]]:
    """Which of the rising levels bound a central interval: their places, and the share that it is to cover."""
    found = []
    for i, low in enumerate(levels):
        for j, high in enumerate(levels):
            if i < j and abs(low + high - 1) < 1e-9:
                found.append((i, j, round(high - low, 10)))
    return found
