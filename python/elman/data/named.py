"""Several inputs and targets by name, for models that have several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from .. import _check
from ..sequence import bucket_batches, pad
from . import mapped
from .ahead import prefetch
from .batch import Batch
from .intake import in_file, is_array, series_of


class NamedSequences:
    """Several inputs, and several targets, for each of n samples; `elman.models.Graph` learns from them.

    Args:
        x: a dict of inputs by name, each as for `Sequences`, or for each sample one value, [n], or one vector, an
            array [n, F]. (Lists of lists are sequences.) Inputs need not be equally long.
        y: a dict of targets by name, each as for `Sequences`; None for predicting.

    Raises:
        ValueError: they are not dicts, or not of as many samples.
    """

    unit = "sequences"

    def __init__(self, x: Mapping[str, Any], y: Mapping[str, Any] | None = None):
        self.x = _by_name("x", x, np.float32)
        n = len(next(iter(self.x.values())))
        self.y = None if y is None else _by_name("y", y, np.float64)
        for what, held in (("x", self.x), ("y", self.y or {})):
            for name, values in held.items():
                if len(values) != n:
                    raise ValueError(
                        f"{what}[{name!r}]: expected one for each of {n} samples, got {len(values)}"
                    )
        self.lengths = np.zeros(n, np.int64)  # of the longest list
        for values in self.x.values():
            if not is_array(values):
                self.lengths = np.maximum(self.lengths, [len(one) for one in values])

    def __len__(self) -> int:
        return len(self.lengths)

    def batches(self, batch_size: int, seed: Any = None, skip: int = 0) -> Iterator[Batch]:
        """Batches of samples of similar length; the order within a length and of the batches is shuffled. The first
        `skip` are not read."""
        filed = any(map(in_file, [*self.x.values(), *(self.y or {}).values()]))
        return prefetch(self._batches(batch_size, seed, skip), 2 if filed else 0)

    def _batches(self, batch_size: int, seed: Any, skip: int) -> Iterator[Batch]:
        done = 0
        for number, index in enumerate(bucket_batches(self.lengths, batch_size, seed)):
            done += len(index)
            if number >= skip:
                yield replace(self.take(index), done=done)

    def take(self, index: np.ndarray) -> Batch:
        """These samples as one batch."""
        x, lengths = _rows(self.x, index)
        y, y_lengths = (None, None) if self.y is None else _rows(self.y, index)
        return Batch(x, lengths, y, y_lengths, index)


def _by_name(what: str, values: Any, floats: Any) -> dict[str, Any]:
    if not isinstance(values, Mapping) or not values:
        got = "an empty one" if isinstance(values, Mapping) else _check.describe(values)
        raise ValueError(f"{what}: expected a dict of arrays or lists by name, got {got}")
    return {name: series_of(f"{what}[{name!r}]", one, None, floats) for name, one in values.items()}


def _rows(held: dict[str, Any], index: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Some samples: arrays [B, ...] by name, and the lengths [B] of those that are lists."""
    rows, lengths = {}, {}
    for name, values in held.items():
        if is_array(values):
            rows[name] = mapped.rows(values, index) if isinstance(values, np.ndarray) else values[index]
        else:
            rows[name], lengths[name] = pad([values[i] for i in index], batch_first=True)
    return rows, lengths
