"""Arrays on a GPU: CuPy's, and any other library's through DLPack and CuPy."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from ..._extras import need

_CUDA = 2  # kDLCUDA, of dlpack.org


def on_gpu(x: Any) -> bool:
    """Whether x lies on a GPU."""
    device = None if isinstance(x, np.ndarray) else getattr(x, "__dlpack_device__", None)
    return device is not None and device()[0] == _CUDA


def library_of(x: Any) -> Arrays:
    """CuPy, on x's GPU."""
    return Arrays(need("cupy", "cupy", "an array on a GPU"), x.__dlpack_device__()[1])


class Arrays:
    """CuPy, or any namespace like NumPy's."""

    dtype, itemsize = "float32", 4

    def __init__(self, namespace: Any, device: int = 0):
        self._np, self._device = namespace, device
        self._cuda = getattr(namespace, "cuda", None)

    def own(self, value: Any) -> Any:
        """An array of any library on the GPU as one of this library's."""
        return value if isinstance(value, self._np.ndarray) else self._np.from_dlpack(value)

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

    def copy(self, array: Any) -> Any:
        return array.copy()

    def concatenate(self, parts: list[Any]) -> Any:
        return self._np.concatenate(parts)

    def take(self, array: Any, rows: Any) -> Any:
        return self._np.take(array, rows, axis=0)

    def clear(self, array: Any, rows: Any) -> None:
        array[rows] = 0

    def current(self) -> contextlib.AbstractContextManager[Any]:
        return self._cuda.Device(self._device) if self._cuda else contextlib.nullcontext()

    def stream(self) -> int:
        return self._cuda.get_current_stream().ptr if self._cuda else 0
