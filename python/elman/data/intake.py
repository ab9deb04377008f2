"""What users have, as arrays that batches are made of."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from .. import _check
from .._arrays import columns, each_to_numpy, has_axes
from ..sequence.padding import alike, padded_alike
from . import mapped
from .lazy import Lazy, Picked, Ragged, lazily


def series_of(
    name: str, values: Any, count: int | None = None, floats: Any = np.float32, labels: bool = False
) -> Any:
    """[n, ...], or a list of n arrays that are alike but for their first axis. A list of numbers becomes an array. What
    is in a file stays there.

    Args:
        count: how many there must be.
        floats: what Python's floats become.
        labels: whether texts and missing values may be among them.
    """
    if isinstance(values, (str, bytes)):
        raise ValueError(
            f"{name}: expected an array [n, ...] or a list, got {_check.describe(values)}; [{name}] is a list of one"
        )
    if isinstance(values, Ragged):
        pass
    elif (holds_objects(values) or isinstance(values, (list, tuple))) and any(map(_is_series, values)):
        values = _each(name, list(values), floats, labels)
    else:
        values = array_of(name, values, floats, labels)
        if values.ndim == 0:
            raise ValueError(
                f"{name}: expected an array [n, ...] or a list of arrays, got {_check.describe(values)}"
            )
    n = len(values)
    if n == 0:
        raise ValueError(f"{name}: expected at least one sequence, got none")
    if count is not None and n != count:
        raise ValueError(f"{name}: expected one for each of {count} sequences, got {n}")
    return values


def array_of(name: str, values: Any, floats: Any = np.float32, labels: bool = False) -> Any:
    """`values` as an array of numbers (with `labels` also of texts, and of None where there is no label), Lazy where it
    is in a file.

    Python's floats have no type: they become `floats`. For x that is float32, the usual type of layers; for targets
    float64, which losses cast to the prediction's type. Missing values of pandas, and None, become NaN.
    """
    lazy = lazily(values)
    if lazy is not None:
        if lazy.dtype.kind not in "biuf":
            raise ValueError(f"{name}: expected numbers, got {_check.describe(lazy)}")
        return lazy
    return each_to_numpy([(name, _without_objects(name, values, labels))], floats)[0]


def holds_objects(values: Any) -> bool:
    """Whether it is a column of Python's objects, such as lists: an array of NumPy, or a Series of pandas."""
    column = isinstance(values, np.ndarray) or hasattr(values, "iloc")
    return column and getattr(values, "ndim", 0) == 1 and values.dtype == object


def is_array(values: Any) -> bool:
    """Whether it is one array, in memory or in a file, rather than a list of arrays."""
    return isinstance(values, (np.ndarray, Lazy))


def in_file(values: Any) -> bool:
    """Whether its numbers are read from a file: an array, or a list of arrays that is told by its first."""
    if isinstance(values, Ragged):
        values = values.values
    elif isinstance(values, list):
        values = values[0]
    return isinstance(values, Lazy) or mapped.memory_map(values) is not None


def picked(values: Any, index: np.ndarray) -> Any:
    """Some of an array's rows, or of a list's arrays, by their numbers; None of None. What is in a file stays there."""
    if values is None:
        return None
    if is_array(values):
        return Picked(values, index) if in_file(values) else values[index]
    return values.subset(index) if isinstance(values, Ragged) else [values[i] for i in index]


def padded(values: Any, index: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Some sequences as one array in memory, [B, T, ...], and their lengths, or None where all have T."""
    if isinstance(values, np.ndarray):
        return mapped.rows(values, index), None
    if isinstance(values, Lazy):
        return values[index], None
    rows, lengths = padded_alike([values[i] for i in index.tolist()], batch_first=True)
    if isinstance(values, Ragged):
        mapped.was_read(values.values, rows.nbytes)
    return rows, lengths


def _each(name: str, values: list[Any], floats: Any, labels: bool) -> list[np.ndarray]:
    """Arrays [t, ...] of one type."""
    columns(name, values)
    names = [f"{name}[{i}]" for i in range(len(values))]
    plain = [_without_objects(one, value, labels) for one, value in zip(names, values, strict=True)]
    arrays = each_to_numpy(zip(names, plain, strict=True), floats)
    kinds = {array.dtype for array in arrays if array.size} or {arrays[0].dtype}
    texts = any(kind.kind in "OU" for kind in kinds)
    dtype = np.dtype(object) if texts else np.result_type(*kinds)
    return alike(name, [array.astype(dtype, copy=False) for array in arrays], floats)


def _is_series(value: Any) -> bool:
    """Whether it is a sequence of values rather than one value."""
    return not isinstance(value, (str, bytes)) and has_axes(value) and hasattr(value, "__len__")


def _without_objects(name: str, values: Any, labels: bool) -> Any:
    """`values`; where they are Python's objects, texts or pandas' own types, an array of what these are."""
    if isinstance(values, (list, tuple)):
        if not _holds_objects(values):
            return values
        array = np.array(values, object)
    elif isinstance(values, np.ndarray) or not hasattr(values, "__array__") or hasattr(values, "__dlpack__"):
        array = values
    else:  # pandas
        array = np.asarray(values)
    kind = getattr(getattr(array, "dtype", None), "kind", "f")
    if kind == "U" and labels:
        return array
    if kind == "O":
        return _plain(name, array, labels)
    if kind not in "biuf" and isinstance(array, np.ndarray):
        raise ValueError(f"{name}: expected numbers, got {_check.describe(array)}")
    return array


def _holds_objects(values: Any) -> bool:
    """Whether a list holds texts or missing values."""
    for one in values:
        if isinstance(one, (list, tuple)):
            if _holds_objects(one):
                return True
        elif isinstance(one, (str, bytes)) or is_missing(one, nan=False):
            return True
    return False


def is_missing(value: Any, nan: bool = True) -> bool:
    """Whether it is None, or pandas' sign for no value (with `nan` NaN too)."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return nan and isinstance(value, float) and value != value


def _plain(name: str, array: np.ndarray, labels: bool) -> np.ndarray:
    """Objects as bool, int64 or float64; as objects if there are texts among them."""
    flat = [one.item() if getattr(one, "ndim", None) == 0 else one for one in array.reshape(-1)]
    missing = [is_missing(one) for one in flat]
    there = [one for one, gone in zip(flat, missing, strict=True) if not gone]
    wrong = [one for one in there if not isinstance(one, (numbers.Number, *([str] if labels else [])))]
    if wrong:
        hint = "; texts are one column of a table" if isinstance(wrong[0], str) and array.ndim > 1 else ""
        raise ValueError(
            f"{name}: expected numbers{' or texts' * labels}, got {_check.describe(array)} with {wrong[0]!r}{hint}"
        )
    if any(isinstance(one, str) for one in there):
        found = np.empty(len(flat), object)
        found[:] = [None if gone else one for one, gone in zip(flat, missing, strict=True)]
        return found.reshape(array.shape)
    if there and not any(missing):
        for dtype, kind in ((np.bool_, (bool, np.bool_)), (np.int64, numbers.Integral)):
            if all(isinstance(one, kind) for one in there):
                return np.array(there, dtype).reshape(array.shape)
    try:
        values = [np.nan if gone else float(one) for one, gone in zip(flat, missing, strict=True)]
    except (TypeError, ValueError) as error:  # complex numbers
        raise ValueError(f"{name}: expected numbers, got {_check.describe(array)}: {error}") from None
    return np.array(values, np.float64).reshape(array.shape)


def marks_of(name: str, values: Any, lengths: np.ndarray) -> Any:
    """Booleans for each step: [n, T], or a list of [t_i]."""
    found = series_of(name, values, len(lengths))
    for i, one in enumerate(found):
        if one.shape != (lengths[i],) or one.dtype != np.bool_:
            cast = f"; {name}.astype(bool) makes flags" if one.shape == (lengths[i],) else ""
            want = f"[{lengths[i]}] bool, a flag for each step of x"
            raise ValueError(f"{name}[{i}]: expected {want}, got {_check.describe(one)}{cast}")
        if isinstance(found, np.ndarray):
            break  # all are as the first
    return found


def weights_of(name: str, values: Any, y: Any) -> Any:
    """Numbers of at least 0: [n], or one for each step of y: [n, S] or a list of [s_i]; float64."""
    found = series_of(name, values, len(y), np.float64)
    rows = found if isinstance(found, list) else [found]
    by_steps = isinstance(found, list) or found.ndim > 1
    for i, one in enumerate(rows):
        wrong = ~(np.isfinite(one) & (one >= 0))
        if wrong.any():
            raise ValueError(f"{name}: expected finite numbers of at least 0, got {one[wrong][0]}")
        rows[i] = one.astype(np.float64)
    found = rows if isinstance(found, list) else rows[0]
    if by_steps:
        if is_array(y) and y.ndim < 2:
            shown = _check.describe(found[0])
            raise ValueError(
                f"{name}: expected [n], as y has one target for each sequence, got {shown} for each"
            )
        for i, (one, steps) in enumerate(zip(found, steps_of(y), strict=True)):
            if one.shape != (steps,):
                want = f"[{steps}], one for each step of y"
                raise ValueError(f"{name}[{i}]: expected {want}, got {_check.describe(one)}")
            if isinstance(found, np.ndarray) and is_array(y):
                break  # all are as the first
    return found


def steps_of(values: Any) -> np.ndarray:
    """[n], how many each sequence has."""
    if is_array(values) and values.ndim > 1:
        return np.full(len(values), values.shape[1])
    return values.lengths if isinstance(values, Ragged) else np.array([len(np.atleast_1d(v)) for v in values])
