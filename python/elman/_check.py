"""Refusals. Each names the argument, what was expected and what came, and comes before any work.

The wording: `x: expected [T, B, 128] float32, got [100, 32, 64] float32`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Dim = int | str


def shape_text(shape: Sequence[Dim]) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"


def describe(value: Any) -> str:
    """What came, in the words of the expectation."""
    if isinstance(value, np.ndarray):
        return f"{shape_text(value.shape)} {value.dtype}"
    return repr(value) if isinstance(value, (str, int, float, bool, type(None))) else type(value).__name__


def whole_number(name: str, value: Any, least: int) -> int:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name}: expected a whole number of at least {least}, got {describe(value)}")
    return int(value)


def fraction(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 <= value < 1:
        raise ValueError(f"{name}: expected a number from 0 up to, not including, 1, got {describe(value)}")
    return float(value)


def positive(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not value > 0:
        raise ValueError(f"{name}: expected a number above 0, got {describe(value)}")
    return float(value)


def flag(name: str, value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name}: expected True or False, got {describe(value)}")
    return bool(value)


def choice(name: str, value: Any, options: Sequence[str]) -> str:
    if value not in options:
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, options))}, got {describe(value)}")
    return value


def float_type(name: str, value: Any) -> np.dtype:
    try:
        dtype = np.dtype(value)
    except TypeError:
        dtype = None
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"{name}: expected float32 or float64, got {value!r}")
    return dtype


def array(name: str, value: np.ndarray, shape: Sequence[Dim], dtype: np.dtype) -> np.ndarray:
    """`value`, if it is a C-contiguous array of this type whose shape fits; letters fit any size."""
    fits = (
        value.dtype == dtype
        and value.ndim == len(shape)
        and all(isinstance(want, str) or want == got for want, got in zip(shape, value.shape, strict=True))
    )
    if not fits:
        raise ValueError(f"{name}: expected {shape_text(shape)} {dtype}, got {describe(value)}")
    if not value.flags.c_contiguous:
        raise ValueError(
            f"{name}: expected a C-contiguous array, got strides {value.strides} for {describe(value)}; "
            f"np.ascontiguousarray({name}) makes one"
        )
    return value


def tokens(name: str, value: Any, count: int) -> np.ndarray:
    """`value`, if it is an array of whole numbers below `count`."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu":
        raise ValueError(f"{name}: expected an array of whole numbers, got {describe(value)}")
    if value.size and (value.min() < 0 or value.max() >= count):
        raise ValueError(f"{name}: expected 0 to {count - 1}, got {value.min()} to {value.max()}")
    return value


def lengths(name: str, value: Any, T: int, shape: tuple[int, ...]) -> np.ndarray:
    """As many whole numbers from 0 to T as `shape` says, int64."""
    values = np.asarray(value)
    if values.shape != shape or values.dtype.kind not in "iu":
        raise ValueError(f"{name}: expected {shape_text(shape)} whole numbers, got {describe(values)}")
    if values.size and (values.min() < 0 or values.max() > T):
        raise ValueError(f"{name}: expected 0 to {T}, got {values.min()} to {values.max()}")
    return np.ascontiguousarray(values, np.int64)
