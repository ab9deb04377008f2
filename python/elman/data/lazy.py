"""Arrays of which only the rows that are asked for are read."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from .. import _check
from .._arrays import to_numpy
from ..sequence import sliding_windows
from . import mapped


class Lazy:
    """[n, ...]: like an array, with `shape`, `dtype`, `len` and rows by number, slice or array of numbers.

    A class derived from it says how to read rows that follow each other.
    """

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        if isinstance(index, slice):
            begin, end, step = index.indices(len(self))
            if step == 1:
                return self.between(begin, max(begin, end))
            index = range(begin, end, step)
        index = np.asarray(index, np.int64)
        index = np.where(index < 0, index + len(self), index)
        if index.size and (index.min() < 0 or index.max() >= len(self)):
            raise IndexError(f"index: expected numbers below {len(self)}")  # it ends a loop over the rows
        return self.between(int(index), int(index) + 1)[0] if index.ndim == 0 else self.take(index)

    def between(self, begin: int, end: int) -> np.ndarray:
        """Rows begin to end - 1."""
        raise NotImplementedError

    def take(self, index: np.ndarray) -> np.ndarray:
        """These rows, in any order. Those that follow each other are read together."""
        order = np.argsort(index, kind="stable")
        taken = np.empty((len(index), *self.shape[1:]), self.dtype)
        for part in np.split(order, np.flatnonzero(np.diff(index[order]) > 1) + 1):
            if len(part):
                begin = int(index[part[0]])
                taken[part] = self.between(begin, int(index[part[-1]]) + 1)[index[part] - begin]
        return taken

    def _known_by(self) -> Any:
        """What a fingerprint takes beside a sample of the rows."""
        return None


class Stored(Lazy):
    """An array of a library for files (h5py, zarr, ...) that gives rows by slices."""

    def __init__(self, values: Any):
        self.values = values
        # The other order of bytes holds the same numbers, and no engine reads it.
        self.shape, self.dtype = tuple(map(int, values.shape)), np.dtype(values.dtype).newbyteorder("=")

    def between(self, begin: int, end: int) -> np.ndarray:
        rows = np.asarray(self.values[begin:end]).astype(self.dtype, copy=False)
        mapped.was_read(self.values, rows.nbytes)
        return rows

    def _known_by(self) -> Any:
        """The file, where the library tells it, and the array's name in it."""
        if isinstance(self.values, np.ndarray):
            return self.values
        file = getattr(getattr(self.values, "file", None), "filename", None)
        return [file_facts(file), getattr(self.values, "name", None)]


class Part(Lazy):
    """Rows begin to end - 1 of another Lazy array."""

    def __init__(self, values: Lazy, begin: int, end: int):
        self.values, self.begin = values, begin
        self.shape, self.dtype = (max(0, end - begin), *values.shape[1:]), values.dtype

    def between(self, begin: int, end: int) -> np.ndarray:
        return self.values.between(self.begin + begin, self.begin + end)

    def _known_by(self) -> Any:
        return [self.values._known_by(), self.begin]


def part(values: Any, begin: int, end: int) -> Any:
    """Rows begin to end - 1 of an array, which are not read."""
    if isinstance(values, Ragged):
        return values.subset(np.arange(begin, end))
    return Part(values, begin, end) if isinstance(values, Lazy) else values[begin:end]


class Picked(Lazy):
    """Some rows of an array in a file, by their numbers."""

    def __init__(self, values: Any, index: np.ndarray):
        self.values, self.index = values, index
        self.shape, self.dtype = (len(index), *values.shape[1:]), values.dtype

    def between(self, begin: int, end: int) -> np.ndarray:
        return self.take(np.arange(begin, end))

    def take(self, index: np.ndarray) -> np.ndarray:
        rows = self.index[index]
        return self.values.take(rows) if isinstance(self.values, Lazy) else mapped.rows(self.values, rows)

    def _known_by(self) -> Any:
        return [self.values, self.index]


class Windows(Lazy):
    """[windows, length, F]: the windows of a series [n, F], Lazy or mapped, as `elman.sequence.sliding_windows` has
    them; of some of its columns (a slice or a list of whole numbers)."""

    def __init__(self, series: Any, length: int, stride: int, columns: Any = slice(None)):
        self.series, self.length, self.stride, self.columns = series, length, stride, columns
        width = len(np.arange(series.shape[1])[columns])
        self.shape = ((len(series) - length) // stride + 1, length, width)
        self.dtype = series.dtype

    def between(self, begin: int, end: int) -> np.ndarray:
        if begin >= end:
            return np.empty((0, *self.shape[1:]), self.dtype)
        first, steps = begin * self.stride, (end - begin - 1) * self.stride + self.length
        series = np.asarray(self.series[first : first + steps])[:, self.columns]
        mapped.was_read(self.series, series.nbytes)
        return sliding_windows(series, self.length, self.stride)

    def _known_by(self) -> Any:
        return [self.series, repr(self.columns), self.stride]


class Ragged:
    """Sequences of different lengths that lie one after the other in one long array: sequence i is
    `values[offsets[i] : offsets[i + 1]]`.

    Args:
        values: [steps, ...]: a memory map, an HDF5 dataset, or any array; it is not copied.
        offsets: [n + 1] whole numbers: where each sequence begins, and where the last one ends.

    Raises:
        ValueError: offsets fall, or go beyond the values.
    """

    def __init__(self, values: Any, offsets: Any):
        lazy = lazily(values)
        self.values: Any = to_numpy("values", values) if lazy is None else lazy
        self.offsets = to_numpy("offsets", offsets, np.int64)
        if self.offsets.ndim != 1 or len(self.offsets) < 2 or self.offsets.dtype.kind not in "iu":
            raise ValueError(f"offsets: expected [n + 1] whole numbers, got {_check.describe(self.offsets)}")
        self.lengths = np.diff(self.offsets.astype(np.int64))
        if self.offsets[0] < 0 or self.offsets[-1] > len(self.values) or (self.lengths < 0).any():
            raise ValueError(f"offsets: expected numbers that rise from 0 to at most {len(self.values)}")
        self.dtype = self.values.dtype

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, i: Any) -> np.ndarray:
        i = range(len(self))[i]  # negative numbers count from the end, and too large ones end a loop
        return self.values[int(self.offsets[i]) : int(self.offsets[i + 1])]

    def between(self, rows: range) -> list[np.ndarray]:
        """The sequences of these rows, which follow each other, read at once."""
        begin, end = int(self.offsets[rows.start]), int(self.offsets[rows.stop])
        read = np.array(self.values[begin:end])
        mapped.was_read(self.values, read.nbytes)
        return np.split(read, np.asarray(self.offsets[rows.start + 1 : rows.stop], np.int64) - begin)

    def subset(self, index: np.ndarray) -> Ragged:
        """Some of them, by their numbers, index [m]; they are not read."""
        return _PickedRagged(self, index)

    def _known_by(self) -> Any:
        return [self.values, self.offsets]


class _PickedRagged(Ragged):
    """Some sequences of another, by their numbers."""

    def __init__(self, whole: Ragged, index: np.ndarray):
        self.values, self.dtype, self.lengths = whole.values, whole.dtype, whole.lengths[index]
        self._whole, self._index = whole, index

    def __getitem__(self, i: Any) -> np.ndarray:
        return self._whole[int(self._index[i])]

    def between(self, rows: range) -> list[np.ndarray]:
        return [self[i] for i in rows]

    def _known_by(self) -> Any:
        return [self._whole, self._index]


def lazily(values: Any) -> Lazy | None:
    """`values` as a Lazy array, if it is the array of a library for files; None if it lies in memory or is mapped as it
    is."""
    if isinstance(values, Lazy):
        return values
    if isinstance(values, np.ndarray) and not values.dtype.isnative and mapped.memory_map(values) is not None:
        return Stored(values)  # numbers to turn round, batch by batch
    here = ("__array_interface__", "__dlpack__", "iloc", "toarray")  # NumPy's, tensors, pandas', sparse ones
    if any(hasattr(values, name) for name in here) or not hasattr(values, "__getitem__"):
        return None
    shape, dtype = getattr(values, "shape", None), getattr(values, "dtype", None)
    if not isinstance(shape, tuple) or not shape or not isinstance(dtype, np.dtype):
        return None
    return Stored(values)


def file_facts(path: Any) -> Any:
    """What tells that a file is still the same without reading it: its name, its size, and when it was written."""
    try:
        facts = os.stat(path)
    except (OSError, TypeError, ValueError):
        return None
    return [os.path.basename(os.fspath(path)), facts.st_size, facts.st_mtime_ns]
