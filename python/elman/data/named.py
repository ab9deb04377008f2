"""Several inputs and targets by name, for models that have several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from .. import _check
from ..sequence import bucket_batches
from .ahead import prefetch
from .batch import Batch
from .intake import in_file, is_array, padded, picked, series_of, weights_of


class NamedSequences:
    """Several inputs, and several targets, for each of n samples; `elman.models.Graph` learns from them.

    Args:
        x: a dict of inputs by name, each as for `Sequences`, or for each sample one value, [n], or one vector, an
            array [n, F]. (Lists of lists are sequences.) Inputs need not be equally long.
        y: a dict of targets by name, each as for `Sequences`; None for predicting.
        weights: [n], how much each sample counts in the losses.

    Raises:
        ValueError: x or y is not a dict, or something is not of as many samples.
    """

    unit = "sequences"

    def __init__(self, x: Mapping[str, Any], y: Mapping[str, Any] | None = None, *, weights: Any = None):
        self.x = _by_name("x", x, np.float32)
        n = len(next(iter(self.x.values())))
        self.y = None if y is None else _by_name("y", y, np.float64)
        for what, held in (("x", self.x), ("y", self.y or {})):
            for name, values in held.items():
                if len(values) != n:
                    raise ValueError(
                        f"{what}[{name!r}]: expected one for each of {n} samples, got {len(values)}"
                    )
        self.weights = None if weights is None else _weights(weights, n)
        self.lengths = np.zeros(n, np.int64)  # of the longest list
        for values in self.x.values():
            if not is_array(values):
                self.lengths = np.maximum(self.lengths, [len(one) for one in values])

    def __len__(self) -> int:
        return len(self.lengths)

    def batches(self, batch_size: int, seed: Any = None, skip: int = 0) -> Iterator[Batch]:
        """Batches of up to `batch_size` samples of similar length. The seed shuffles the order within a length, and of
        the batches; with None it is fixed. The first `skip` are not read."""
        filed = any(map(in_file, [*self.x.values(), *(self.y or {}).values()]))
        return prefetch(self._batches(batch_size, seed, skip), 2 if filed else 0)

    def _batches(self, batch_size: int, seed: Any, skip: int) -> Iterator[Batch]:
        done = 0
        for number, index in enumerate(bucket_batches(self.lengths, batch_size, seed)):
            done += len(index)
            if number >= skip:
                yield replace(self.take(index), done=done)

    def take(self, index: np.ndarray) -> Batch:
        """The samples of these numbers, index [B], as one batch."""
        x, lengths = _rows(self.x, index)
        y, y_lengths = (None, None) if self.y is None else _rows(self.y, index)
        weights = None if self.weights is None else self.weights[index]
        return Batch(x, lengths, y, y_lengths, index, weights=weights)

    def subset(self, index: Any) -> NamedSequences:
        """Some of the samples.

        Args:
            index: [k], their numbers from 0 to n - 1, each once.

        Returns:
            NamedSequences of these.

        Raises:
            ValueError: a number is too large, or comes twice.
        """
        index = _check.rows("index", index, len(self))
        x, y = (
            None if held is None else {k: picked(v, index) for k, v in held.items()}
            for held in (self.x, self.y)
        )
        assert x is not None
        return NamedSequences(x, y, weights=None if self.weights is None else self.weights[index])


def _by_name(what: str, values: Any, floats: Any) -> dict[str, Any]:
    if not isinstance(values, Mapping) or not values:
        got = "an empty one" if isinstance(values, Mapping) else _check.describe(values)
        raise ValueError(f"{what}: expected a dict of arrays or lists by name, got {got}")
    return {name: series_of(f"{what}[{name!r}]", one, None, floats) for name, one in values.items()}


def _weights(values: Any, n: int) -> np.ndarray:
    found = weights_of("weights", values, np.zeros(n))
    if found.shape != (n,):
        raise ValueError(f"weights: expected [{n}], one for each sample, got {_check.describe(found)}")
    return found


def _rows(held: dict[str, Any], index: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Some samples: arrays [B, ...] by name, and the lengths [B] of those that are lists."""
    rows: dict[str, Any] = {}
    lengths: dict[str, Any] = {}
    for name, values in held.items():
        rows[name], own = padded(values, index)
        if own is not None:
            lengths[name] = own
    return rows, lengths
