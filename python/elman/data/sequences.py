"""Sequences with a target each, batched by length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from .. import _check
from ..sequence import bucket_batches
from ..sequence.marks import whole_lengths
from ..sequence.padding import padded_alike
from .ahead import prefetch
from .batch import Batch, Data
from .intake import in_file, is_array, marks_of, padded, picked, series_of, steps_of, weights_of
from .named import NamedSequences
from .vocabulary import Vocabulary, is_text


def _time_first(values: Any, index: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    if not is_array(values):
        return padded_alike([values[i] for i in index.tolist()])
    return np.ascontiguousarray(padded(values, index)[0].swapaxes(0, 1)), None


class Sequences:
    """Sequences with a target each, batched by length.

    Everything may be an array of any library, a DataFrame or Series, or a list. A model takes numbers of any type: it
    converts features to its own, batch by batch.

    Args:
        x: [n, T, ...], or a list of n arrays [t_i, ...]: features, or tokens where they have no further axis. Lists'
            floats become float32. Memory maps, arrays in files (of h5py, zarr and the like) and `Ragged` are read batch
            by batch, in a thread while the engine works.
        y: the targets. One for each sequence: [n, ...]. One for each step: [n, T, ...], or a list of n arrays
            [t_i, ...]. Or a sequence for each sequence: a list of arrays [s_i, ...]. Numbers, or texts for a model
            that knows its classes by name; NaN, None and pandas' missing values are unknown. None for predicting.
        future: [n, S, C], for forecasters, what is known of the steps to come.
        truncate: cut long sequences into pieces of so many steps. Each piece takes over the state of the one before,
            and gradients end at the cuts (truncated back-propagation through time). y must be by steps.
        mask: [n, T] bool, or a list of n arrays [t_i]: False for steps to skip, as a gap in a series. The state
            carries over them, and nothing there is read: the sequence is as one without these steps.
        weights: [n], or for targets of steps also [n, S] or a list of n arrays [s_i]: how much each target counts.
            The loss is sum(w l) / sum(w).
        vocabulary: a Vocabulary that makes tokens of x, if that holds texts or lists of words.
        target_vocabulary: likewise of y.

    Raises:
        ValueError: the sequences are not alike, or targets do not match.
    """

    unit = "sequences"
    # Set where they are given: without them a checkpoint knows data as it did before there were any.
    mask: Any = None
    weights: Any = None

    def __init__(
        self,
        x: Any,
        y: Any = None,
        future: Any = None,
        truncate: int | None = None,
        *,
        mask: Any = None,
        weights: Any = None,
        vocabulary: Vocabulary | None = None,
        target_vocabulary: Vocabulary | None = None,
    ):
        if isinstance(x, Mapping):
            raise ValueError(
                "x: expected an array or a list, got a dict; NamedSequences takes several inputs by name"
            )
        if is_text(x):
            if not callable(vocabulary):
                raise ValueError("x: expected numbers, or texts with a vocabulary, got texts")
            x = vocabulary(x)
        if target_vocabulary is not None and is_text(y):
            y = target_vocabulary(y)
        self.x = series_of("x", x)
        if is_array(self.x) and self.x.ndim < 2:
            raise ValueError(f"x: expected [n, T, ...], got {_check.describe(self.x)}")
        n = len(self.x)
        self.y = None if y is None else series_of("y", y, n, np.float64, labels=True)
        self.future = None if future is None else series_of("future", future, n)
        if self.future is not None and self.future[0].ndim != 2:
            raise ValueError(
                f"future: expected [n, S, C], got {_check.describe(self.future[0])} for each sequence"
            )
        self.truncate = None if truncate is None else _check.whole_number("truncate", truncate, 1)
        if self.truncate and isinstance(self.y, np.ndarray):
            self.y = list(self.y)
        self.lengths = steps_of(self.x)
        if self.truncate and (self.y is None or steps_of(self.y).tolist() != self.lengths.tolist()):
            raise ValueError("truncate: expected y with a target for each step of x")
        if mask is not None:
            self.mask = marks_of("mask", mask, self.lengths)
        if weights is not None:
            if self.y is None:
                raise ValueError("weights: expected targets y with them, got None")
            self.weights = weights_of("weights", weights, self.y)

    def __len__(self) -> int:
        return len(self.x)

    def batches(self, batch_size: int, seed: Any = None, skip: int = 0) -> Iterator[Batch]:
        """Batches of up to `batch_size` sequences of similar length. The seed shuffles the order within a length, and
        of the batches; with None it is fixed. The first `skip` are not read."""
        filed = any(map(in_file, (self.x, self.y, self.future)))
        return prefetch(self._batches(batch_size, seed, skip), 2 if filed else 0)

    def _batches(self, batch_size: int, seed: Any, skip: int) -> Iterator[Batch]:
        done = 0
        for index in bucket_batches(self.lengths, batch_size, seed):
            done += len(index)
            pieces = 1 if self.truncate is None else -(-int(self.lengths[index].max()) // self.truncate)
            if skip >= pieces:
                skip -= pieces
                continue
            batch = self.take(index).but(done=done)
            yield from islice(_pieces(batch, self.truncate) if self.truncate else [batch], skip, None)
            skip = 0

    def take(self, index: np.ndarray) -> Batch:
        """The sequences of these numbers, index [B], as one batch."""
        x, lengths = _time_first(self.x, index)
        y, y_lengths = None, None
        if self.y is not None:
            y, y_lengths = padded(self.y, index)
        future = None if self.future is None else _time_first(self.future, index)[0]
        mask = None if self.mask is None else _time_first(self.mask, index)[0]
        weights = None if self.weights is None else padded(self.weights, index)[0]
        return Batch(x, lengths, y, y_lengths, index, future, mask=mask, weights=weights)

    def subset(self, index: Any) -> Sequences:
        """Some of the sequences, by their numbers: index [m], each from 0 to n - 1. What is in a file stays there.

        Raises:
            ValueError: index is not that.
        """
        index = _check.rows("index", index, len(self))
        x, y, future, mask, weights = (
            picked(values, index) for values in (self.x, self.y, self.future, self.mask, self.weights)
        )
        return Sequences(x, y, future, self.truncate, mask=mask, weights=weights)


def _pieces(batch: Batch, steps: int) -> Iterator[Batch]:
    T = len(batch.x)
    lengths = whole_lengths("lengths", batch.lengths, T, batch.size)
    for begin in range(0, T, steps):
        end = min(begin + steps, T)
        inside = np.clip(lengths - begin, 0, end - begin)
        y = None if batch.y is None else batch.y[:, begin:end]
        y_lengths = None if batch.y_lengths is None else np.clip(batch.y_lengths - begin, 0, end - begin)
        weights = batch.weights
        yield replace(
            batch, x=batch.x[begin:end], lengths=inside, y=y, y_lengths=y_lengths, continues=begin > 0,
            mask=None if batch.mask is None else batch.mask[begin:end],
            weights=weights[:, begin:end] if weights is not None and weights.ndim == 2 else weights,
        )  # fmt: skip


def as_data(name: str, data: Any, **vocabularies: Any) -> Data:
    """What `fit` was given, as data.

    Args:
        name: of the argument, for the message.
        data: (x, y), which becomes `Sequences`, or `NamedSequences` where both are dicts; or anything with `batches`,
            which stays what it is.
        vocabularies: arguments of `Sequences`, or that of `NamedSequences`.

    Returns:
        An object with `batches`.

    Raises:
        ValueError: it is none of these, or x and y do not fit each other.
    """
    if isinstance(data, tuple) and len(data) in (2, 3):
        try:
            several = isinstance(vocabularies.get("vocabulary"), Mapping)  # the model reads several inputs
            if several or isinstance(data[0], Mapping):
                if len(data) == 3:
                    raise ValueError(
                        "expected (x, y) of dicts, got three; NamedSequences(x, y, weights=, mask=) has more"
                    )
                return NamedSequences(*data, **(vocabularies if several else {}))
            return Sequences(*data, **vocabularies)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    if not hasattr(data, "batches"):
        raise ValueError(
            f"{name}: expected (x, y), Sequences, Samples or Stream, got {_check.describe(data)}"
        )
    return data
