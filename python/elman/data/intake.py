"""What users have, as arrays that batches are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from .._arrays import each_to_numpy, has_axes
from ..sequence.padding import alike
from .lazy import Lazy, Ragged, lazily
from .mapped import memory_map


def series_of(name: str, values: Any, count: int | None = None, floats: Any = np.float32) -> Any:
    """[n, ...], or a list of n arrays that are alike but for their first axis. A list of numbers becomes an array. What
    is in a file stays there."""
    objects = isinstance(values, np.ndarray) and values.dtype == object and values.ndim == 1
    if isinstance(values, Ragged):
        pass
    elif (objects or isinstance(values, (list, tuple))) and any(map(has_axes, values)):
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


def array_of(name: str, values: Any, floats: Any = np.float32) -> Any:
    """`values` as an array, Lazy where it is in a file. Python's floats have no type: they become `floats`. For x that
    is float32, the usual type of layers; for targets float64, which losses cast to the prediction's type."""
    lazy = lazily(values)
    return each_to_numpy([(name, values)], floats)[0] if lazy is None else lazy


def is_array(values: Any) -> bool:
    """Whether it is one array, in memory or in a file, rather than a list of arrays."""
    return isinstance(values, (np.ndarray, Lazy))


def in_file(values: Any) -> bool:
    """Whether its numbers are read from a file: an array, or a list of arrays that is told by its first."""
    if isinstance(values, Ragged):
        values = values.values
    elif isinstance(values, list):
        values = values[0]
    return isinstance(values, Lazy) or memory_map(values) is not None
