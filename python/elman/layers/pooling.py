"""Sequences as one vector each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import numpy as np

from .. import _check
from .._arrays import returner
from ..sequence.marks import chosen, known_steps
from .parameters import Composite, Parameters
from .steppers import expect_out

KINDS = ("last", "mean", "max")


class Pooling(Parameters):
    """Pools [T, B, F] over time to [B, F], each sequence over its own steps. One without steps gives zeros.

    Args:
        kind: "last": each sequence's last step; "mean"; "max".
        bidirectional: x holds a forward half and a reverse half, whose last step is each sequence's first
            (matters to "last" alone).

    Raises:
        ValueError: an argument has the wrong type or value.
    """

    over_time = True
    _options = ("kind", "bidirectional")

    def __init__(self, kind: str = "last", bidirectional: bool = False):
        self.kind = _check.choice("kind", kind, KINDS)
        self.bidirectional = _check.flag("bidirectional", bidirectional)
        self._hold({})

    def __repr__(self) -> str:
        return f"Pooling({self.kind!r}, bidirectional={self.bidirectional})"

    def _shapes(self) -> str:
        return "[T, B, F] -> [B, F]"

    @overload
    def __call__(self, x: np.ndarray, lengths: Any = None, mask: Any = None) -> np.ndarray: ...
    @overload
    def __call__(self, x: Any, lengths: Any = None, mask: Any = None) -> Any: ...
    def __call__(self, x: Any, lengths: Any = None, mask: Any = None) -> Any:
        """[B, F] of x [T, B, F], keeping nothing; lengths [B] and mask [T, B] as for `forward`."""
        return self.forward(x, lengths, mask)[0]

    def forward(self, x: Any, lengths: Any = None, mask: Any = None) -> tuple[Any, Callable[[Any], Any]]:
        """The pooled sequences, and the way back.

        Args:
            x: [T, B, F], an array of any library or lists; results are of its kind.
            lengths: [B], the steps of each sequence; all if None.
            mask: [T, B] bool, the steps that count; all if None.

        Returns:
            (y, backward): y [B, F], and `backward(dy)`, which returns dx [T, B, F].

        Raises:
            ValueError: a shape or type does not fit.
        """
        wrap, values = returner(x), _check.floats("x", x, ("T", "B", "F"))
        T, B, F = values.shape
        known = known_steps(T, B, lengths, mask)
        if T == 0:
            y, back = np.zeros((B, F), values.dtype), lambda dy: np.zeros_like(values)
        else:
            y, back = getattr(self, "_" + self.kind)(values, known)
        return wrap(y), lambda dy: wrap(back(_check.array("dy", dy, (B, F), values.dtype)))

    def _last(self, x: np.ndarray, known: np.ndarray | None) -> Any:
        T, B, F = x.shape
        rows = np.arange(B)
        some, ends = None, (T - 1, 0)
        if known is not None:
            some = np.asarray(known.any(axis=0))[:, None]
            ends = T - 1 - known[::-1].argmax(axis=0), known.argmax(axis=0)
        parts = [(slice(None), ends[0])]
        if self.bidirectional:
            parts = [(slice(0, F // 2), ends[0]), (slice(F // 2, F), ends[1])]
        y = np.empty((B, F), x.dtype)
        for columns, at in parts:
            y[:, columns] = x[at, rows, columns]
        y = chosen(some, y)

        def backward(dy: np.ndarray) -> np.ndarray:
            dx, d = np.zeros(x.shape, x.dtype), chosen(some, dy)
            for columns, at in parts:
                dx[at, rows, columns] = d[:, columns]
            return dx

        return y, backward

    def _mean(self, x: np.ndarray, known: np.ndarray | None) -> Any:
        counts = (
            np.full((x.shape[1], 1), len(x)) if known is None else np.maximum(known.sum(axis=0), 1)[:, None]
        )
        counts = counts.astype(x.dtype)
        marks = None if known is None else known[..., None]
        y = chosen(marks, x).sum(axis=0) / counts

        def backward(dy: np.ndarray) -> np.ndarray:
            dx = np.empty_like(x)
            dx[:] = dy / counts
            return chosen(marks, dx)

        return y, backward

    def _max(self, x: np.ndarray, known: np.ndarray | None) -> Any:
        some = None if known is None else np.asarray(known.any(axis=0))[:, None]
        if known is not None:
            x = np.where(known[..., None], x, x.dtype.type(-np.inf))
        at = x.argmax(axis=0)[None]
        if known is not None:  # if every step that counts is minus infinity, take the first of them
            counts = np.take_along_axis(known[..., None], at, axis=0)
            at = np.where(counts, at, known.argmax(axis=0)[:, None])
        y = chosen(some, np.take_along_axis(x, at, axis=0)[0])

        def backward(dy: np.ndarray) -> np.ndarray:
            dx = np.zeros(x.shape, x.dtype)
            np.put_along_axis(dx, at, chosen(some, dy)[None], axis=0)
            return dx

        return y, backward

    def stepper(self, batch_size: int) -> PoolingStepper:
        """Pools the steps seen so far of `batch_size` streams, one step x [B, F] per call.

        Raises:
            ValueError: batch_size is not at least 1, or the pooling is of two directions and needs whole sequences.
        """
        if self.bidirectional:
            raise ValueError("stepper: expected a layer that runs forward in time, got bidirectional=True")
        return PoolingStepper(self.kind, _check.whole_number("batch_size", batch_size, 1))


def pools(layer: Parameters) -> bool:
    """Whether it makes one vector of the steps of a sequence."""
    if isinstance(layer, Composite):
        return any(map(pools, layer.parts.values()))
    return isinstance(layer, Pooling)


class PoolingStepper:
    """Running pooling over B streams; made by `Pooling.stepper(B)`."""

    def __init__(self, kind: str, batch_size: int):
        self.kind, self._B = kind, batch_size
        self._count = np.zeros((batch_size, 1), np.int64)
        self._pooled: np.ndarray | None = None

    def __call__(self, x: Any, out: np.ndarray | None = None, mask: Any = None) -> Any:
        """The pooled [B, F] after one more step x [B, F]: `out` if given, else a new array of x's kind. Streams where
        the mask [B] bool is False skip it: what has been pooled stays, and is given again.

        Raises:
            ValueError: x, out or mask has the wrong shape or type; the state is as before.
        """
        F = "F" if self._pooled is None else self._pooled.shape[1]
        rows = _check.floats("x", x, (self._B, F))
        if out is not None:
            expect_out(out, rows.shape, rows.dtype)
        takes = None if mask is None else _check.marks("mask", mask, (self._B,))[:, None]
        y = self._step(rows, takes)
        if out is not None:
            np.copyto(out, y)
            return out
        return returner(x)(y)

    def _step(self, rows: np.ndarray, takes: np.ndarray | None) -> np.ndarray:
        before = np.zeros_like(rows) if self._pooled is None else self._pooled
        rows = chosen(takes, _check.array("x", rows, before.shape, before.dtype))  # of the others no overflow
        count = self._count + 1
        if self.kind == "mean":
            after = before + rows
        elif self.kind == "max":
            after = np.where(count == 1, rows, np.maximum(before, rows))
        else:
            after = rows.copy()
        if takes is not None:
            count, after = np.where(takes, count, self._count), np.where(takes, after, before)
        self._count, self._pooled = count, after
        return after / np.maximum(count, 1).astype(rows.dtype) if self.kind == "mean" else after.copy()

    @property
    def state(self) -> Any:
        """A copy of what is kept: steps seen [B, 1], and the pooled [B, F] or None. Assign to set it."""
        return self._count.copy(), None if self._pooled is None else self._pooled.copy()

    @state.setter
    def state(self, value: Any) -> None:
        if not isinstance(value, (tuple, list)) or len(value) != 2:
            raise ValueError(f"state: expected a pair (steps, pooled), got {_check.describe(value)}")
        count = _check.lengths("state[0]", value[0], 2**62, (self._B, 1))
        pooled = None if value[1] is None else _check.floats("state[1]", value[1], (self._B, "F")).copy()
        self._count, self._pooled = count, pooled

    def reset(self, rows: Any = None) -> None:
        """Forget the streams in `rows` (indices from 0 to B - 1, each once, or flags [B] bool), or all."""
        rows = _check.rows("rows", rows, self._B)
        self._count[rows] = 0
        if self._pooled is not None:
            self._pooled[rows] = 0
