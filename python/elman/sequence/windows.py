"""Windows over one long series."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from .._arrays import to_numpy


def sliding_windows(series: Any, length: int, stride: int = 1) -> np.ndarray:
    """Every window of a series.

    Args:
        series: [n, ...], an array of any library, or a list.
        length: steps of a window, from 1 to n.
        stride: steps from the start of one window to that of the next.

    Returns:
        [windows, length, ...], window i from step i * stride on: a read-only view that takes no memory.
        Index it with the batch wanted to get a contiguous array.

    Raises:
        ValueError: length or stride is not at least 1, or the series is shorter than one window.
    """
    length = _check.whole_number("length", length, 1)
    stride = _check.whole_number("stride", stride, 1)
    series = to_numpy("series", series)
    if series.ndim < 1 or len(series) < length:
        raise ValueError(f"series: expected at least {length} steps, got {_check.describe(series)}")
    windows = np.lib.stride_tricks.sliding_window_view(series, length, axis=0)[::stride]
    return np.moveaxis(windows, -1, 1)
