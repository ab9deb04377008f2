"""What a stack asks of the library that holds its arrays (PyTorch, CuPy). Beyond that it uses what they have in common:
slices, `@`, `*`, `+`, `.T`, `.sum(0)`, `.reshape`, and assignment to rows."""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

import numpy as np


class Library(Protocol):
    """Of one device, for arrays of one floating-point type."""

    dtype: (
        str  # "float32", "tf32" (float32 whose recurrent products may be rounded so), "float16" or "bfloat16"
    )
    itemsize: int

    def __hash__(self) -> int: ...
    def zeros(self, *shape: int, dtype: str = "") -> Any:
        """`dtype`: another than its own, "float32" or "int32"."""

    def empty(self, *shape: int, dtype: str = "") -> Any:
        """Not initialised."""

    def view(self, array: Any, dtype: str) -> Any:
        """The bytes of a contiguous array as numbers of `dtype`."""

    def upload(self, array: np.ndarray) -> Any: ...
    def address(self, array: Any) -> int: ...
    def affine(self, x: Any, weight: Any, bias: Any) -> Any:
        """x weight^T + bias, or without a bias."""

    def copy(self, array: Any) -> Any: ...
    def concatenate(self, parts: list[Any]) -> Any: ...
    def take(self, array: Any, rows: Any) -> Any: ...
    def clear(self, array: Any, rows: Any) -> None:
        """Zeros in these rows, with nothing copied from main memory: a CUDA graph can hold it."""

    def current(self) -> contextlib.AbstractContextManager[Any]:
        """The device is the current one inside."""

    def stream(self) -> int:
        """The one on which the library works at present."""
