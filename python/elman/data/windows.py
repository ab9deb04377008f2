"""Windows of a series to forecast from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import _check
from ..sequence import sliding_windows
from .intake import array_of
from .lazy import Lazy, Windows, part
from .mapped import memory_map
from .sequences import Sequences


def forecast_windows(
    series: Any,
    context: int,
    horizon: int,
    targets: Sequence[int] | slice = slice(None),
    future: Sequence[int] | None = None,
    stride: int = 1,
) -> Sequences:
    """Every window of a series as something to forecast from: `context` steps to read, `horizon` steps to predict.

    Args:
        series: [n, F].
        context, horizon: steps of each.
        targets: columns to predict.
        future: columns that are known ahead (calendar, plans), given to the model for the steps it predicts.
        stride: steps from one window to the next.

    Returns:
        Sequences with x [windows, context, F], y [windows, horizon, targets], future [windows, horizon, C] or None;
        views of the series as far as NumPy can. A memory map and an array in a file (of h5py, zarr and the like) are
        read batch by batch.
    """
    series = array_of("series", series)
    if series.ndim != 2 or len(series) < context + horizon:
        want = f"[n, F] with at least {context + horizon} steps"
        raise ValueError(f"series: expected {want}, got {_check.describe(series)}")
    past, coming = part(series, 0, len(series) - horizon), part(series, context, len(series))
    ahead = None if future is None else _windows(coming, horizon, stride, future)
    return Sequences(
        _windows(past, context, stride, slice(None)), _windows(coming, horizon, stride, targets), ahead
    )


def _windows(series: Any, length: int, stride: int, columns: Any) -> Any:
    """[windows, length, columns]. What is in a file is not read: a view of some columns would be a copy."""
    if isinstance(series, Lazy) or (memory_map(series) is not None and not isinstance(columns, slice)):
        return Windows(series, length, stride, columns)
    return sliding_windows(series[:, columns], length, stride)
