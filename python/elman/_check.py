"""Refusals. Each names the argument, what was expected and what came, and comes before any work.

The wording: `x: expected [T, B, 128] float32, got [100, 32, 64] float32`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ._arrays import to_numpy

Dim = int | str
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def shape_text(shape: Sequence[Dim]) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"


def describe(value: Any) -> str:
    """What came, in the words of the expectation."""
    if isinstance(value, np.ndarray):
        if not value.ndim:
            return repr(value.item())
        return f"{shape_text(value.shape)} {value.dtype}"
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(getattr(value, "dtype", None), np.dtype) and hasattr(value, "shape"):  # in a file
        return f"{shape_text(value.shape)} {value.dtype}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, int) and value.bit_length() > 10_000:  # Python writes only so many digits
        return f"a whole number of {value.bit_length()} bits"
    return repr(value) if isinstance(value, (str, int, float, bool, type(None))) else type(value).__name__


class Described:
    """`describe(value)`, made when it is written: for messages that may not be needed."""

    def __init__(self, value: Any):
        self._value = value

    def __str__(self) -> str:
        return describe(self._value)


def _number(value: Any) -> bool | int | float | None:
    """A number of Python's, of NumPy's or in an array without axes, as Python's own; None for anything else."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = None if isinstance(value, np.ma.MaskedArray) else value.item()
    if isinstance(value, np.floating):  # longdouble has no fellow in Python
        value = float(value)
    return value if isinstance(value, (bool, int, float)) else None


def one_number(value: Any) -> bool:
    """Whether it is a number, and no bool."""
    number = _number(value)
    return number is not None and not isinstance(number, bool)


def whole_number(name: str, value: Any, least: int) -> int:
    number = _number(value)
    if isinstance(number, bool) or not isinstance(number, int) or number < least:
        raise ValueError(f"{name}: expected a whole number of at least {least}, got {describe(value)}")
    return int(number)


def _within(name: str, value: Any, fits: Callable[[float], bool], what: str) -> float:
    number = value if type(value) is float else _number(value)
    if number is None or isinstance(number, bool) or not fits(number):
        raise ValueError(f"{name}: expected {what}, got {describe(value)}")
    return float(number)


def fraction(name: str, value: Any) -> float:
    return _within(name, value, lambda v: 0 <= v < 1, "a number from 0 up to, not including, 1")


def maybe_whole(name: str, value: Any) -> int | None:
    """A whole number of at least 1, or None."""
    return None if value is None else whole_number(name, value, 1)


def positive(name: str, value: Any) -> float:
    return _within(name, value, lambda v: v > 0, "a number above 0")


def not_negative(name: str, value: Any) -> float:
    return _within(name, value, lambda v: 0 <= v < np.inf, "a finite number of at least 0")


def flag(name: str, value: Any) -> bool:
    truth = _number(value)
    if not isinstance(truth, bool):
        raise ValueError(f"{name}: expected True or False, got {describe(value)}")
    return truth


def choice(name: str, value: Any, options: Sequence[str]) -> str:
    if not isinstance(value, str) or value not in options:
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, options))}, got {describe(value)}")
    return value


def float_type(name: str, value: Any) -> np.dtype:
    try:
        dtype = None if value is None else np.dtype(value)  # NumPy takes None for float64
    except TypeError:
        dtype = None
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"{name}: expected float32 or float64, got {value!r}")
    return dtype


def _fits(value: np.ndarray, shape: Sequence[Dim]) -> bool:
    """Whether the shape is this one; letters fit any size."""
    if value.shape == shape:
        return True
    if value.ndim != len(shape):
        return False
    # A list takes less time than all() where there are so few.
    pairs = zip(shape, value.shape, strict=True)
    return not [got for want, got in pairs if want != got and not isinstance(want, str)]


def cast(name: str, given: Any, value: np.ndarray, dtype: Any) -> str:
    """How to write a cast of what was given, which is `value` as an array. Another type is refused because a cast
    changes numbers; who wants it may write it."""
    if value.dtype.kind not in "biufO":
        return ""
    kind = dtype.__name__ if isinstance(dtype, type) else f"np.{dtype}"
    if hasattr(given, "detach"):
        return f"; {name}.to({kind.replace('np.', 'torch.')}) casts it"
    return (
        f"; {name}.astype({kind}) casts it"
        if hasattr(given, "astype")
        else f"; np.array({name}, {kind}) casts it"
    )


def _refused(
    name: str, value: np.ndarray, shape: Sequence[Dim], dtype: np.dtype, fits: bool, given: Any
) -> ValueError:
    hint = cast(name, given, value, dtype) if fits else ""
    return ValueError(f"{name}: expected {shape_text(shape)} {dtype}, got {describe(value)}{hint}")


def _rows(value: np.ndarray, counted: str = "") -> np.ndarray:
    """The array as the engine reads one, C-contiguous and aligned: itself, or a copy. With its name in `counted` it
    must have no more steps and sequences than the engine can count."""
    few = not counted or 0 < value.size < 2**31  # then no product of some of its axes is more
    if not few and max((math.prod(value.shape[:-1]), *value.shape)) >= 2**31:
        raise ValueError(f"{counted}: expected fewer than 2^31 rows, got {describe(value)}")
    flags = value.flags
    return value if flags.c_contiguous and getattr(flags, "aligned", True) else value.copy(order="C")


def array(
    name: str,
    value: Any,
    shape: Sequence[Dim],
    dtype: np.dtype,
    take: Callable[..., Any] = to_numpy,
    given: Any = None,
) -> np.ndarray:
    """`value` as an array of this shape and type, C-contiguous: a copy if it is laid out in another way, or a list.
    Letters fit any size. `take` makes it an array (of another device); `given` is what it was made of before."""
    given, value = value if given is None else given, take(name, value, dtype)
    fits = _fits(value, shape)
    if not fits or value.dtype != dtype:
        raise _refused(name, value, shape, dtype, fits, given)
    return _rows(value, name)


def last_axis(name: str, value: Any, size: int, dtype: np.dtype) -> np.ndarray:
    """Likewise an array [..., size]."""
    given, value = value, to_numpy(name, value, dtype)
    fits = value.shape[-1:] == (size,)
    if not fits or value.dtype != dtype:
        raise _refused(name, value, ("...", size), dtype, fits, given)
    return _rows(value)


def floats(name: str, value: Any, shape: Sequence[Dim] | None = None) -> np.ndarray:
    """`value` as an array of float32 or float64, C-contiguous."""
    value = to_numpy(name, value, np.float64)
    known = value.dtype in _FLOATS
    if not known or not _fits(value, value.shape if shape is None else shape):
        want = "an array of" if shape is None else shape_text(shape)
        kind = value.dtype if known else "float32 or float64"
        raise ValueError(f"{name}: expected {want} {kind}, got {describe(value)}")
    return _rows(value, name if shape else "")


def in_place(name: str, value: np.ndarray, shape: Sequence[Dim], dtype: np.dtype) -> np.ndarray:
    """`value` itself, which is written to: a C-contiguous array of this shape and type. No cast is offered: what is
    written to a copy is not there for whoever looks into the array."""
    if not _fits(value, shape) or value.dtype != dtype:
        raise ValueError(f"{name}: expected {shape_text(shape)} {dtype}, got {describe(value)}")
    if not value.flags.c_contiguous:
        raise ValueError(
            f"{name}: expected a C-contiguous array, got strides {value.strides} for {describe(value)}"
        )
    return value


# What says where to read or write is copied before it is checked: another thread may write to the caller's array.


def tokens(name: str, value: Any, count: int) -> np.ndarray:
    """Whole numbers (or booleans) below `count`: int64, an array of their own."""
    values = to_numpy(name, value, np.int64)
    if values.dtype.kind not in "biu":
        hint = cast(name, value, values, int)
        raise ValueError(f"{name}: expected an array of whole numbers, got {describe(values)}{hint}")
    return _up_to(name, values, count - 1)


def lengths(name: str, value: Any, T: int, shape: tuple[int, ...]) -> np.ndarray:
    """As many whole numbers from 0 to T as `shape` says: int64, an array of their own."""
    values = to_numpy(name, value, np.int64)
    if values.shape != shape or values.dtype.kind not in "iu":
        hint = cast(name, value, values, int) if values.shape == shape else ""
        raise ValueError(f"{name}: expected {shape_text(shape)} whole numbers, got {describe(values)}{hint}")
    return _up_to(name, values, T)


def _up_to(name: str, values: np.ndarray, most: int) -> np.ndarray:
    own = values.astype(np.int64, order="C")
    if own.size and own.view(np.uint64).max() > most:  # those below 0 are large ones there
        raise ValueError(f"{name}: expected 0 to {most}, got {values.min()} to {values.max()}")
    return own


def marks(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A mask or reset: booleans for each step of each sequence, an array of their own."""
    values = to_numpy(name, value, np.bool_)
    if values.shape != shape or values.dtype != np.bool_:
        hint = cast(name, value, values, bool) if values.shape == shape else ""
        raise ValueError(f"{name}: expected {shape_text(shape)} bool, got {describe(values)}{hint}")
    return values.copy(order="C")


def rows(name: str, value: Any, count: int) -> np.ndarray:
    """Which of `count` rows are meant, int64: those of indices, each given once, or of flags [count]; all if None."""
    if value is None:
        return np.arange(count)
    values = to_numpy(name, value, np.int64)
    if values.dtype == np.bool_:
        return np.flatnonzero(marks(name, values, (count,)))
    # Most likely flags, and [1, 0] would be both rows.
    flags = values.dtype.itemsize == 1 and values.shape == (count,)
    if values.ndim > 1 or values.dtype.kind not in "iu" or flags:
        raise ValueError(
            f"{name}: expected indices, whole numbers, or flags [{count}] bool, got {describe(values)}"
            + f"; {name}.astype(bool) makes flags" * flags
        )
    values = _up_to(name, np.atleast_1d(values), count - 1)
    found, times = np.unique(values, return_counts=True)
    if (times > 1).any():
        twice = found[times > 1][0]
        raise ValueError(
            f"{name}: expected each index once, got {twice} {times.max()} times; flags are booleans [{count}]"
        )
    return values
