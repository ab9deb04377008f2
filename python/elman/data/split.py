"""Parting data into one part to train on and one to validate with."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from .batch import Data, arrays_of, size_of
from .intake import is_array, steps_of
from .lazy import Windows, part
from .named import NamedSequences
from .sequences import Sequences
from .stream import Stream


def split(data: Data, share: float, seed: int) -> tuple[Data, Data]:
    """(train, validation): a share of the data, at least one sequence, is set apart to validate with.

    Sequences are drawn by the seed. A `Stream`, and windows of one series that overlap (as `forecast_windows` makes
    them), are cut in time: the last part validates. Windows between whose targets lie in both parts are left out.

    Raises:
        ValueError: the data's size is not known, or they are too few.
    """
    share = _check.fraction("validation_split", _check.positive("validation_split", share))
    if not isinstance(data, (Sequences, NamedSequences, Stream)) or size_of(data) is None:
        raise ValueError(
            f"validation_split: expected (x, y), Sequences or a Stream with it, got {type(data).__name__}; "
            "give validation"
        )
    n = len(data)
    apart = max(1, round(n * share))
    if isinstance(data, Stream):
        apart = max(apart, _LEAST)
        _expect_rest(data, n - apart, _LEAST)
        return _part(data, 0, n - apart), _part(data, n - apart, n)
    targets = arrays_of(data.y)
    stride = min(filter(None, map(_stride, [*arrays_of(data.x), *targets])), default=0)
    between = 0
    if stride:
        between = max((-(-_horizon(y) // (_stride(y) or stride)) - 1 for y in targets), default=0)
    _expect_rest(data, n - apart - between, 1)
    if stride:
        return _some(data, 0, n - apart - between), _some(data, n - apart, n)
    order = np.random.default_rng(seed).permutation(n)
    return data.subset(np.sort(order[apart:])), data.subset(np.sort(order[:apart]))


_LEAST = 2  # steps of a Stream


def _expect_rest(data: Data, rest: int, least: int) -> None:
    if rest < least:
        raise ValueError(
            f"validation_split: expected to leave something to train on, got {len(data)} {data.unit} in all"
        )


def _part(data: Stream, begin: int, end: int) -> Stream:
    return Stream(part(data.x, begin, end), part(data.y, begin, end), data.steps)


def _stride(values: Any) -> int:
    """Steps from one of overlapping windows to the next; 0 for other values."""
    if isinstance(values, Windows):
        return values.stride if values.stride < values.length else 0
    if not isinstance(values, np.ndarray) or values.ndim < 2 or len(values) < 2:
        return 0
    window, step = values.strides[:2]
    return window // step if 0 < window < values.shape[1] * step else 0


def _horizon(y: Any) -> int:
    """The most steps that a target takes."""
    if is_array(y):
        return y.shape[1] if y.ndim > 1 else 1
    return int(steps_of(y).max())


def _some(data: Sequences | NamedSequences, begin: int, end: int) -> Data:
    """Sequences that follow each other, without copying them."""

    def taken(values: Any) -> Any:
        if isinstance(values, dict):
            return {name: taken(one) for name, one in values.items()}
        return None if values is None else part(values, begin, end)

    x, y, weights, mask = taken(data.x), taken(data.y), taken(data.weights), taken(data.mask)
    if isinstance(data, NamedSequences):
        return NamedSequences(x, y, weights=weights, mask=mask)
    return Sequences(x, y, taken(data.future), data.truncate, mask=mask, weights=weights)
