"""What `fit` reads: sequences with their targets, or one long series, as batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from .. import _check
from .._arrays import each_to_numpy, has_axes
from ..sequence import bucket_batches, pad, sliding_windows
from ..sequence.marks import whole_lengths
from ..sequence.padding import alike


@dataclass(frozen=True)
class Batch:
    """Some sequences: what a model reads is time-first, the targets are [B, ...].

    Attributes:
        x: [T, B, ...].
        lengths: [B], steps of each sequence, or None where all have T.
        y: the targets, [B, ...]; where they are sequences, [B, S, ...]. `y_steps` has them time-first.
        y_lengths: [B], steps of each sequence of y, or None where all have S (or y is no sequence).
        future: [S, B, C], what is known of the steps to forecast, or None.
        index: [B], which of the data's sequences these are.
        continues: whether these sequences go on from the batch before, whose state they take over.
        done: how much of the data has been read when this batch has, in the data's `unit`.
    """

    x: np.ndarray
    lengths: np.ndarray | None
    y: np.ndarray | None
    y_lengths: np.ndarray | None
    index: np.ndarray
    future: np.ndarray | None = None
    continues: bool = False
    done: int = 0

    @property
    def size(self) -> int:
        return len(self.index)

    def targets(self) -> np.ndarray:
        """y, which must be there."""
        if self.y is None:
            raise ValueError("y: expected targets, got None")
        return self.y

    def y_steps(self) -> tuple[np.ndarray, np.ndarray | None]:
        """y as [S, B, ...], beside predictions for each step, and its lengths; None where all have S."""
        y, lengths = self.targets(), self.y_lengths
        if y.ndim < 2:
            raise ValueError(f"y: expected a target for each step, got {_check.describe(y)}")
        whole = lengths is None or (lengths == y.shape[1]).all()
        return np.ascontiguousarray(y.swapaxes(0, 1)), None if whole else lengths


class Data(Protocol):
    """What `fit` takes: a number of sequences (or steps: `unit`), and batches of them.

    A checkpoint knows it again by its attributes, or by what a method `fingerprint()` returns, if it has one.
    """

    unit: str

    def __len__(self) -> int: ...
    def batches(self, batch_size: int, seed: Any = None) -> Iterator[Batch]:
        """Every sequence once, in an order that the seed decides; with None in a fixed order."""
        ...


def _series(name: str, values: Any, count: int | None = None, floats: Any = np.float32) -> Any:
    """[n, ...], or a list of n arrays that are alike but for their first axis. A list of numbers becomes an array."""
    objects = isinstance(values, np.ndarray) and values.dtype == object and values.ndim == 1
    if (objects or isinstance(values, (list, tuple))) and any(map(has_axes, values)):
        values = alike(name, values, floats)
    else:
        values = _array(name, list(values) if objects else values, floats)
        if values.ndim == 0 or values.dtype.kind not in "biuf":
            what = "an array [n, ...] or a list of arrays" if values.ndim == 0 else "numbers"
            raise ValueError(f"{name}: expected {what}, got {_check.describe(values)}")
    n = len(values)
    if n == 0:
        raise ValueError(f"{name}: expected at least one sequence, got none")
    if count is not None and n != count:
        raise ValueError(f"{name}: expected one for each of {count} sequences, got {n}")
    return values


def _array(name: str, values: Any, floats: Any = np.float32) -> np.ndarray:
    """`values` as an array. Python's floats have no type: they become `floats`. For x that is float32, the usual type
    of layers; for targets float64, which losses cast to the prediction's type."""
    return each_to_numpy([(name, values)], floats)[0]


def _time_first(values: Any, index: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    if isinstance(values, np.ndarray):
        return np.ascontiguousarray(values[index].swapaxes(0, 1)), None
    return pad([values[i] for i in index])


class Sequences:
    """Sequences with a target each, batched by length.

    Args:
        x: [n, T, ...], or a list of n arrays [t_i, ...]: features, or tokens where they have no further axis. An array
            is that of any library, or a list (whose floats become float32).
        y: the targets. One for each sequence: [n, ...]. One for each step: [n, T, ...], or a list of n arrays
            [t_i, ...]. Or a sequence for each sequence: a list of arrays [s_i, ...]. None for predicting.
        future: [n, S, C], for forecasters, what is known of the steps to come.
        truncate: cut long sequences into pieces of so many steps. Each piece takes over the state of the one before,
            and gradients end at the cuts (truncated back-propagation through time). y must be by steps.

    Raises:
        ValueError: the sequences are not alike, or targets do not match.
    """

    unit = "sequences"

    def __init__(self, x: Any, y: Any = None, future: Any = None, truncate: int | None = None):
        self.x = _series("x", x)
        if isinstance(self.x, np.ndarray) and self.x.ndim < 2:
            raise ValueError(f"x: expected [n, T, ...], got {_check.describe(self.x)}")
        n = len(self.x)
        self.y = None if y is None else _series("y", y, n, np.float64)
        self.future = None if future is None else _series("future", future, n)
        if self.future is not None and self.future[0].ndim != 2:
            raise ValueError(
                f"future: expected [n, S, C], got {_check.describe(self.future[0])} for each sequence"
            )
        self.truncate = None if truncate is None else _check.whole_number("truncate", truncate, 1)
        if self.truncate and isinstance(self.y, np.ndarray):
            self.y = list(self.y)
        by_array = isinstance(self.x, np.ndarray)
        self.lengths = np.array([self.x.shape[1]] * n if by_array else [len(value) for value in self.x])
        if self.truncate and (self.y is None or [len(y) for y in self.y] != self.lengths.tolist()):
            raise ValueError("truncate: expected y with a target for each step of x")

    def __len__(self) -> int:
        return len(self.x)

    def batches(self, batch_size: int, seed: Any = None) -> Iterator[Batch]:
        """Batches of sequences of similar length; the order within a length and of the batches is shuffled."""
        done = 0
        for index in bucket_batches(self.lengths.tolist(), batch_size, seed):
            done += len(index)
            batch = replace(self.take(index), done=done)
            if self.truncate is None:
                yield batch
            else:
                yield from _pieces(batch, self.truncate)

    def take(self, index: np.ndarray) -> Batch:
        """These sequences as one batch."""
        x, lengths = _time_first(self.x, index)
        y, y_lengths = None, None
        if isinstance(self.y, np.ndarray):
            y = self.y[index]
        elif self.y is not None:
            y, y_lengths = pad([self.y[i] for i in index], batch_first=True)
        future = None if self.future is None else _time_first(self.future, index)[0]
        return Batch(x, lengths, y, y_lengths, index, future)


def _pieces(batch: Batch, steps: int) -> Iterator[Batch]:
    T = len(batch.x)
    lengths = whole_lengths("lengths", batch.lengths, T, batch.size)
    for begin in range(0, T, steps):
        end = min(begin + steps, T)
        inside = np.clip(lengths - begin, 0, end - begin)
        y = None if batch.y is None else batch.y[:, begin:end]
        y_lengths = None if batch.y_lengths is None else np.clip(batch.y_lengths - begin, 0, end - begin)
        yield replace(
            batch, x=batch.x[begin:end], lengths=inside, y=y, y_lengths=y_lengths, continues=begin > 0
        )


class Stream:
    """One long series, read by `batch_size` lanes side by side in pieces of `steps`, each lane's state carried from
    piece to piece (truncated back-propagation through time, Williams & Peng 1990).

    Args:
        x: [n] tokens or [n, F] features.
        y: [n, ...], a target for each step; None: the next token of x.
        steps: of a piece.

    The lanes are of equal length; what is left over at the end of the series is not read.
    """

    unit = "steps"

    def __init__(self, x: Any, y: Any = None, steps: int = 100):
        self.steps = _check.whole_number("steps", steps, 1)
        x = _array("x", x)
        if x.ndim < 1 or len(x) < 2:
            raise ValueError(f"x: expected at least two steps, got {_check.describe(x)}")
        y = None if y is None else _array("y", y, np.float64)
        if y is None:
            if x.dtype.kind not in "iu" or x.ndim != 1:
                raise ValueError(f"y: expected targets for features x, got None with x {_check.describe(x)}")
            x, y = x[:-1], x[1:]
        elif y.shape[:1] != x.shape[:1]:
            raise ValueError(f"y: expected {len(x)} steps as in x, got {_check.describe(y)}")
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def batches(self, batch_size: int, seed: Any = None) -> Iterator[Batch]:
        """The pieces in their order (there is no other: the seed changes nothing)."""
        lanes = min(batch_size, len(self.x))
        length = len(self.x) // lanes
        x, y = (
            values[: lanes * length].reshape(lanes, length, *values.shape[1:]) for values in (self.x, self.y)
        )
        index = np.arange(lanes)
        for begin in range(0, length, self.steps):
            end = min(begin + self.steps, length)
            piece = np.ascontiguousarray(x[:, begin:end].swapaxes(0, 1))
            yield Batch(piece, None, y[:, begin:end], None, index, continues=begin > 0, done=lanes * end)


def forecast_windows(
    series: Any,
    context: int,
    horizon: int,
    targets: Sequence[int] | slice = slice(None),
    future: Sequence[int] | None = None,
    stride: int = 1,
) -> Sequences:
    """Every window of a series as something to forecast from: `context` steps to read, `horizon` steps to predict.

    Args:
        series: [n, F].
        context, horizon: steps of each.
        targets: columns to predict.
        future: columns that are known ahead (calendar, plans), given to the model for the steps it predicts.
        stride: steps from one window to the next.

    Returns:
        Sequences with x [windows, context, F], y [windows, horizon, targets], future [windows, horizon, C] or None;
        views of the series as far as NumPy can.
    """
    series = _array("series", series)
    if series.ndim != 2 or len(series) < context + horizon:
        want = f"[n, F] with at least {context + horizon} steps"
        raise ValueError(f"series: expected {want}, got {_check.describe(series)}")
    ahead = None if future is None else sliding_windows(series[context:, future], horizon, stride)
    x = sliding_windows(series[: len(series) - horizon], context, stride)
    return Sequences(x, sliding_windows(series[context:, targets], horizon, stride), ahead)


def as_data(name: str, data: Any) -> Data:
    """`data` itself, or the Sequences of a tuple (x, y)."""
    if isinstance(data, tuple) and len(data) in (2, 3):
        try:
            return Sequences(*data)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    if not hasattr(data, "batches"):
        raise ValueError(f"{name}: expected (x, y), Sequences or Stream, got {_check.describe(data)}")
    return data
