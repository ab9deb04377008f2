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

    def concatenate(self, parts: list[Any]) -> Any: ...
    def take(self, array: Any, rows: Any) -> Any: ...
    def current(self) -> contextlib.AbstractContextManager[Any]:
        """The device is the current one inside."""

    def stream(self) -> int:
        """The one on which the library works at present."""


class Arrays:
    """CuPy, or any namespace like NumPy's."""

    dtype, itemsize = "float32", 4

    def __init__(self, namespace: Any, device: int = 0):
        self._np, self._device = namespace, device
        self._cuda = getattr(namespace, "cuda", None)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Arrays) and self._np is other._np and self._device == other._device

    def __hash__(self) -> int:
        return hash((self._np.__name__, self._device))

    def zeros(self, *shape: int, dtype: str = "") -> Any:
        return self._np.zeros(shape, dtype or self.dtype)

    def empty(self, *shape: int, dtype: str = "") -> Any:
        return self._np.empty(shape, dtype or self.dtype)

    def view(self, array: Any, dtype: str) -> Any:
        return array.view(dtype or self.dtype)

    def upload(self, array: np.ndarray) -> Any:
        return self._np.asarray(array)

    def address(self, array: Any) -> int:
        return array.data.ptr if self._cuda else array.ctypes.data

    def affine(self, x: Any, weight: Any, bias: Any) -> Any:
        product = x @ weight.T
        return product if bias is None else product + bias

    def concatenate(self, parts: list[Any]) -> Any:
        return self._np.concatenate(parts)

    def take(self, array: Any, rows: Any) -> Any:
        return self._np.take(array, rows, axis=0)

    def current(self) -> contextlib.AbstractContextManager[Any]:
        return self._cuda.Device(self._device) if self._cuda else contextlib.nullcontext()

    def stream(self) -> int:
        return self._cuda.get_current_stream().ptr if self._cuda else 0
