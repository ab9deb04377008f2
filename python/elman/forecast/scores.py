"""What scores of forecasts are measured against: a naive forecast, and the shares that intervals are to cover."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def naive_error(target: np.ndarray, season: int = 1) -> float:
    """The mean absolute error of the value `season` steps before, over one series [n]: what MASE is measured in
    (Hyndman & Koehler 2006). NaN where no two such values are known."""
    errors = np.abs(target[season:] - target[:-season])
    return float(np.nanmean(errors)) if (~np.isnan(errors)).any() else float("nan")


def pairs(levels: Sequence[float]) -> list[tuple[int, int, float]]:
    """Which of the rising levels bound a central interval: their places, and the share that it is to cover."""
    found = []
    for i, low in enumerate(levels):
        for j, high in enumerate(levels):
            if i < j and abs(low + high - 1) < 1e-9:
                found.append((i, j, round(high - low, 10)))
    return found
