"""Windows of a series to forecast from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _check
from ..sequence import sliding_windows
from .intake import array_of
from .lazy import Lazy, Windows, part
from .mapped import memory_map
from .sequences import Sequences

Columns = int | str | Sequence[int] | Sequence[str] | slice


def forecast_windows(
    series: Any,
    context: int,
    horizon: int,
    targets: Columns = slice(None),
    future: Columns | None = None,
    stride: int = 1,
) -> Sequences:
    """Every window of a series as something to forecast from: `context` steps to read, `horizon` steps to predict.

    Args:
        series: [n, F], an array or a DataFrame.
        context, horizon: steps of each.
        targets: columns to predict: an index or several, or a slice; of a DataFrame a name or several, too.
        future: likewise columns that are known ahead (calendar, plans), given to the model for the steps it predicts.
        stride: steps from one window to the next.

    Returns:
        Sequences with x [windows, context, F], y [windows, horizon, targets], future [windows, horizon, C] or None;
        views of the series as far as NumPy can. A memory map and an array in a file (of h5py, zarr and the like) are
        read batch by batch.

    Raises:
        ValueError: the series is too short, or has no such column.
    """
    names = list(series.columns) if hasattr(series, "columns") else None
    series = array_of("series", series)
    if series.ndim != 2 or len(series) < context + horizon:
        want = f"[n, F] with at least {context + horizon} steps"
        raise ValueError(f"series: expected {want}, got {_check.describe(series)}")
    targets = _columns("targets", targets, names, series.shape[1])
    future = None if future is None else _columns("future", future, names, series.shape[1])
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


def _columns(name: str, given: Any, names: list[Any] | None, count: int) -> Any:
    """Columns by their places: a slice, or a list of whole numbers from 0."""
    if isinstance(given, slice):
        return given
    one = isinstance(given, (str, int, np.integer)) or not hasattr(given, "__len__")
    places = [_place(name, column, names, count) for column in ([given] if one else given)]
    if not places:
        raise ValueError(f"{name}: expected at least one column, got none")
    return places


def _place(name: str, column: Any, names: list[Any] | None, count: int) -> int:
    if names is not None and column in names:
        return names.index(column)
    number = isinstance(column, (int, np.integer)) and not isinstance(column, bool)
    if number and -count <= column < count and (names is None or not any(isinstance(n, int) for n in names)):
        return int(column) % count
    want = f"one of {names}" if names is not None else f"an index below {count}"
    raise ValueError(f"{name}: expected {want}, got {_check.describe(column)}")
