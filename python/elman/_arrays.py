"""Arrays of any library in, arrays of the same library out, without a copy (DLPack)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np


def to_numpy(name: str, value: Any) -> np.ndarray:
    """`value` as a NumPy array over the same memory.

    Takes NumPy arrays and what has `__dlpack__`, `__array__` or the buffer protocol. A plain list is
    refused: its type and layout would have to be guessed.
    """
    if isinstance(value, np.ndarray):
        return value
    if getattr(value, "requires_grad", False):
        raise ValueError(
            f"{name}: expected an array without autograd, got a tensor that requires grad; pass {name}.detach()"
        )
    if hasattr(value, "__dlpack__"):
        try:
            return np.from_dlpack(value)
        except (BufferError, RuntimeError, TypeError, ValueError) as error:
            kind = type(value).__name__
            raise ValueError(
                f"{name}: expected an array of numbers in main memory, got {kind}: {error}"
            ) from error
    if hasattr(value, "__array__"):
        return np.asarray(value)
    try:
        return np.asarray(memoryview(value))
    except TypeError:
        raise ValueError(f"{name}: expected an array, got {type(value).__name__}") from None


def returner(value: Any) -> Callable[[np.ndarray], Any]:
    """What turns a result into the kind of array that `value` is: itself for NumPy, else its library's."""
    if not isinstance(value, np.ndarray) and hasattr(value, "__dlpack__"):
        library = sys.modules.get(type(value).__module__.partition(".")[0])
        from_dlpack = getattr(library, "from_dlpack", None)
        if from_dlpack is not None:
            return from_dlpack
    return lambda result: result
