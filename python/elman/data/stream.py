"""One long series, read in lanes side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import _check
from .ahead import prefetch
from .batch import Batch
from .intake import array_of, in_file
from .lazy import part
from .mapped import was_read


class Stream:
    """One long series, read by `batch_size` lanes side by side in pieces of `steps`, each lane's state carried from
    piece to piece (truncated back-propagation through time, Williams & Peng 1990).

    Args:
        x: [n] tokens or [n, F] features.
        y: [n, ...], a target for each step, numbers or labels; None: the next token of x.
        steps: of a piece.

    The lanes are of equal length; what is left over at the end of the series is not read.

    Raises:
        ValueError: x and y do not fit each other, or steps is not at least 1.
    """

    unit = "steps"

    def __init__(self, x: Any, y: Any = None, steps: int = 100):
        self.steps = _check.whole_number("steps", steps, 1)
        x = array_of("x", x)
        if x.ndim < 1 or len(x) < 2:
            raise ValueError(f"x: expected at least two steps, got {_check.describe(x)}")
        y = None if y is None else array_of("y", y, np.float64, labels=True)
        if y is None:
            if x.dtype.kind not in "iu" or x.ndim != 1:
                raise ValueError(f"y: expected targets for features x, got None with x {_check.describe(x)}")
            x, y = part(x, 0, len(x) - 1), part(x, 1, len(x))
        elif y.shape[:1] != x.shape[:1]:
            raise ValueError(f"y: expected {len(x)} steps as in x, got {_check.describe(y)}")
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def batches(self, batch_size: int, seed: Any = None, skip: int = 0) -> Iterator[Batch]:
        """The pieces of `batch_size` lanes in their order (there is no other: the seed changes nothing). The first
        `skip` are not read."""
        filed = in_file(self.x) or in_file(self.y)
        return prefetch(self._batches(batch_size, skip), 2 if filed else 0)

    def _batches(self, batch_size: int, skip: int) -> Iterator[Batch]:
        lanes = min(batch_size, len(self.x))
        length = len(self.x) // lanes
        index = np.arange(lanes)
        readers = [_reader(values, lanes, length) for values in (self.x, self.y)]
        for begin in range(skip * self.steps, length, self.steps):
            end = min(begin + self.steps, length)
            x, y = (read(begin, end) for read in readers)
            piece = np.ascontiguousarray(x.swapaxes(0, 1))
            yield Batch(piece, None, y, None, index, continues=begin > 0, done=lanes * end)


def _reader(values: Any, lanes: int, length: int) -> Callable[[int, int], np.ndarray]:
    """What gives the steps from `begin` to `end` of each lane, [lanes, end - begin, ...]: a view where the values lie
    in memory."""
    if not in_file(values):
        whole = values[: lanes * length].reshape(lanes, length, *values.shape[1:])
        return lambda begin, end: whole[:, begin:end]

    def read(begin: int, end: int) -> np.ndarray:
        if isinstance(values, np.ndarray):
            was_read(values, lanes * (end - begin) * values[:1].nbytes)
        return np.stack([values[lane * length + begin : lane * length + end] for lane in range(lanes)])

    return read
