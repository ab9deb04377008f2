"""Reading from arrays that are files mapped into memory."""

from __future__ import annotations

import contextlib
import mmap
import weakref
from typing import Any

import numpy as np

# Mapped pages count as the process's memory until the system takes them back. When they have become so many bytes it is
# told that it may: they stay in its cache of files as long as there is room.
HELD = 2**27

# Bytes of mapped pages when those of a mapping were last given back.
_held: weakref.WeakKeyDictionary[mmap.mmap, int] = weakref.WeakKeyDictionary()
_read = 0  # bytes so far, where the system does not say how many pages are mapped


def memory_map(values: Any) -> np.memmap | None:
    """The np.memmap that an array is a view of, if it is one."""
    for _ in range(16):  # views of views
        if values is None:
            break
        if isinstance(values, np.memmap) and getattr(values, "_mmap", None) is not None:
            return values
        values = getattr(values, "base", None)
    return None


def rows(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """values[index], a copy. Where a file is mapped, the disk is asked for all of the rows at once."""
    shared = _shared(values)
    if shared is None:
        return values[index]
    was_read(values, 0)  # from here on pages are counted
    _will_need(values, index, shared)
    taken = values[index]
    was_read(values, taken.nbytes)
    return taken


def was_read(values: Any, size: int) -> None:
    """Say that `size` bytes of an array have been read and copied."""
    shared = _shared(values)
    if shared is not None and _pages(size) - _held.setdefault(shared, _pages(0)) > HELD:
        with contextlib.suppress(ValueError, OSError):
            shared.madvise(mmap.MADV_DONTNEED)
        _held[shared] = _pages(0)


def _pages(size: int) -> int:
    """Bytes of files that are mapped. A read may map more than it reads, so they are counted where that can be done."""
    global _read
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[2]) * mmap.PAGESIZE
    except OSError:
        _read += size
        return _read


def _shared(values: Any) -> mmap.mmap | None:
    """The mapping, if its pages can be read from the file again: not those of mode "c", which are the process's own."""
    found = memory_map(values)
    if found is None or found.mode == "c" or not hasattr(mmap, "MADV_DONTNEED"):
        return None
    return found._mmap  # type: ignore[attr-defined]


def _will_need(values: np.ndarray, index: np.ndarray, shared: mmap.mmap) -> None:
    if min(values.strides) < 0:
        return
    begin = _address(values) - _address(np.frombuffer(shared, np.uint8))
    extents = zip(values.shape[1:], values.strides[1:], strict=True)
    size = sum((count - 1) * stride for count, stride in extents) + values.itemsize
    for i in np.sort(index).tolist():
        first = begin + i * values.strides[0]
        inside = first % mmap.PAGESIZE
        with contextlib.suppress(ValueError, OSError):
            shared.madvise(mmap.MADV_WILLNEED, first - inside, size + inside)


def _address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]
