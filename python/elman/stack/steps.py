"""Which steps of which sequence a call computes, and the engine's plans of that."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from .. import _core

Plans = tuple[_core.Plan, ...]  # one for each direction

# Larger plans are made anew at each call. That takes no time beside the call itself, and keeping them takes memory. So
# one direction of a plan that is kept takes about 100 KB at most, and all that are kept some 30 MB.
_MOST_ROWS, _MOST_BYTES = 2**12, 2**12


class Steps(NamedTuple):
    """The T steps of B sequences, without those that lengths and marks leave out. The arrays have been checked."""

    T: int
    B: int
    batch_first: bool
    lengths: np.ndarray | None = None  # int64 [B]
    mask: np.ndarray | None = None  # bool [T, B], or [B, T] with batch_first
    reset: np.ndarray | None = None

    @property
    def whole(self) -> bool:
        """Whether every step of every sequence is computed, without a reset."""
        return self.lengths is None and self.mask is None and self.reset is None

    @property
    def small(self) -> bool:
        """Whether plans of these steps are kept for the next call with equal ones."""
        marked = sum(0 if part is None else part.nbytes for part in self[3:])
        return _rows(self.T, self.B) <= _MOST_ROWS and marked <= _MOST_BYTES

    def plans(self, backwards: tuple[bool, ...]) -> Plans:
        """One for each direction. They are found again by what the arrays hold, so it does not matter who writes to
        those later."""
        T, B, batch_first, lengths, mask, reset = self
        if lengths is mask is reset is None and T <= _MOST_ROWS and B <= _MOST_ROWS and T * B <= _MOST_ROWS:
            return _kept(backwards, T, B, batch_first, None, None, None)
        if self.small:
            contents = (None if part is None else part.tobytes() for part in (lengths, mask, reset))
            return _kept(backwards, T, B, batch_first, *contents)
        return _make(backwards, *self)


def _rows(T: int, B: int) -> int:
    """What a plan's size goes by: sequences without a step are in it too."""
    return max(T * B, T, B)


def packed_plans(batch_sizes: np.ndarray, backwards: tuple[bool, ...]) -> Plans:
    """Of sequences laid end to end by steps (torch's PackedSequence): batch_sizes [T] int64."""
    if batch_sizes.nbytes <= _MOST_BYTES and batch_sizes.sum() <= _MOST_ROWS:
        return _kept_packed(backwards, batch_sizes.tobytes())
    return tuple(_core.Plan.packed(batch_sizes, back) for back in backwards)


def _make(backwards: tuple[bool, ...], T: int, B: int, batch_first: bool, *parts: Any) -> Plans:
    return tuple(_core.Plan(T, B, batch_first, back, *parts) for back in backwards)


@functools.lru_cache(128)
def _kept(
    backwards: tuple[bool, ...], T: int, B: int, batch_first: bool, lengths: Any, mask: Any, reset: Any
) -> Plans:
    """The parts: bytes, or None."""
    ends = None if lengths is None else np.frombuffer(lengths, np.int64)
    marks = (None if part is None else np.frombuffer(part, bool) for part in (mask, reset))
    return _make(backwards, T, B, batch_first, ends, *marks)


@functools.lru_cache(128)
def _kept_packed(backwards: tuple[bool, ...], batch_sizes: bytes) -> Plans:
    sizes = np.frombuffer(batch_sizes, np.int64)
    return tuple(_core.Plan.packed(sizes, back) for back in backwards)
