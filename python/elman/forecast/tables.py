"""Forecasts as frames of pandas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._extras import need
from .frames import FrameReader
from .series import Series


def column(name: Any, level: float) -> str:
    """The column of a quantile."""
    return f"{name}_q{level:g}"


def forecast_frame(
    reader: FrameReader,
    series: Sequence[Series],
    centre: np.ndarray,
    quantiles: np.ndarray | None = None,
    levels: Sequence[float] = (),
) -> Any:
    """The forecast from the end of each series, in the form of the frame that was read: times as the column or the
    index that they were, the columns that tell series apart, a column for each target, and for each of its quantiles.

    Args:
        centre: [W, S, F], W series.
        quantiles: [W, S, F, Q].
        levels: Q.
    """
    pandas, roles = need("pandas", "forecast", "frames"), reader.roles
    parts = []
    for w, one in enumerate(series):
        assert one.times is not None
        times = reader.grid.times(one.times[len(one) : len(one) + reader.horizon])
        values: dict[Any, Any] = dict(zip(roles.series, _ids(one.name, roles.series), strict=True))
        if roles.time is not None:
            values[roles.time] = times
        for f, target in enumerate(roles.target):
            values[target] = centre[w, :, f]
            for k, level in enumerate(levels if quantiles is not None else ()):
                assert quantiles is not None
                values[column(target, level)] = quantiles[w, :, f, k]
        parts.append(pandas.DataFrame(values, index=times if roles.time is None else None))
    if roles.columns == "series":
        return _wide(pandas, reader, series, parts)
    return pandas.concat(parts, ignore_index=roles.time is not None)


def _ids(name: Any, columns: Sequence[str]) -> Sequence[Any]:
    return () if not columns else name if len(columns) > 1 else [name]


def _wide(pandas: Any, reader: FrameReader, series: Sequence[Series], parts: list[Any]) -> Any:
    """One column, with those of its quantiles, for each series."""
    drop = [*reader.roles.series] + ([reader.roles.time] if reader.roles.time is not None else [])
    target, wide = reader.roles.target[0], []
    for one, part in zip(series, parts, strict=True):
        if reader.roles.time is not None:
            part = part.set_index(reader.roles.time)
            drop = [*reader.roles.series]
        part = part.drop(columns=drop)
        wide.append(
            part.rename(columns=lambda c, name=one.name: f"{name}{c[len(target) :]}" if c != target else name)
        )
    found = pandas.concat(wide, axis=1)
    return found.reset_index() if reader.roles.time is not None else found


def times_of(reader: FrameReader | None, one: Series, steps: np.ndarray) -> Any:
    """The times of these steps of a series; their numbers where it has none."""
    if one.times is None or reader is None:
        return steps
    return reader.grid.times(one.times[steps])
