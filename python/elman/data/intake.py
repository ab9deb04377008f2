"""What users have, as arrays that batches are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from .._arrays import each_to_numpy, has_axes
from ..sequence.padding import alike


def series_of(name: str, values: Any, count: int | None = None, floats: Any = np.float32) -> Any:
    """[n, ...], or a list of n arrays that are alike but for their first axis. A list of numbers becomes an array."""
    objects = isinstance(values, np.ndarray) and values.dtype == object and values.ndim == 1
    if (objects or isinstance(values, (list, tuple))) and any(map(has_axes, values)):
        values = alike(name, values, floats)
    else:
        values = array_of(name, list(values) if objects else values, floats)
        if values.ndim == 0 or values.dtype.kind not in "biuf":
            what = "an array [n, ...] or a list of arrays" if values.ndim == 0 else "numbers"
            raise ValueError(f"{name}: expected {what}, got {_check.describe(values)}")
    n = len(values)
    if n == 0:
        raise ValueError(f"{name}: expected at least one sequence, got none")
    if count is not None and n != count:
        raise ValueError(f"{name}: expected one for each of {count} sequences, got {n}")
    return values


def array_of(name: str, values: Any, floats: Any = np.float32) -> np.ndarray:
    """`values` as an array. Python's floats have no type: they become `floats`. For x that is float32, the usual type
    of layers; for targets float64, which losses cast to the prediction's type."""
    return each_to_numpy([(name, values)], floats)[0]
