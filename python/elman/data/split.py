"""Parting data into one part to train on and one to validate with."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from .batch import Data, size_of
from .intake import is_array
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
    stride = _stride(data.x) if isinstance(data, Sequences) else 0
    between = -(-_horizon(data) // stride) - 1 if stride else 0
    _expect_rest(data, n - apart - between, 1)
    if isinstance(data, Sequences) and stride:
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


def _stride(x: Any) -> int:
    """Steps from one of overlapping windows to the next; 0 for other sequences."""
    if isinstance(x, Windows):
        return x.stride if x.stride < x.length else 0
    if not isinstance(x, np.ndarray) or x.ndim < 2 or len(x) < 2:
        return 0
    window, step = x.strides[:2]
    return window // step if 0 < window < x.shape[1] * step else 0


def _horizon(data: Sequences | NamedSequences) -> int:
    """Steps that a target of theirs takes."""
    y: Any = data.y
    return y.shape[1] if is_array(y) and y.ndim > 1 else 1


def _some(data: Sequences, begin: int, end: int) -> Sequences:
    """Sequences that follow each other, without copying them."""
    x, y, future, mask, weights = (
        None if values is None else part(values, begin, end)
        for values in (data.x, data.y, data.future, data.mask, data.weights)
    )
    return Sequences(x, y, future, data.truncate, mask=mask, weights=weights)
