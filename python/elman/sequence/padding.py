"""Lists of sequences to one padded array, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import _check


def pad(
    sequences: Sequence[np.ndarray], value: float = 0, batch_first: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Put sequences of different lengths into one array.

    Args:
        sequences: arrays [t_i, ...], alike in dtype and in every axis but the first.
        value: what fills the steps beyond each sequence's end.
        batch_first: whether the result is [B, T, ...] instead of [T, B, ...]; T is the largest t_i.

    Returns:
        (padded, lengths): lengths is int64 [B]; pass it on as `lengths=`.

    Raises:
        ValueError: there is no sequence, or two are not alike.
    """
    arrays = [np.asarray(sequence) for sequence in sequences]
    if not arrays:
        raise ValueError("sequences: expected at least one array, got none")
    first = arrays[0]
    for i, array in enumerate(arrays):
        if array.ndim == 0 or array.shape[1:] != first.shape[1:] or array.dtype != first.dtype:
            want = _check.shape_text(("t", *first.shape[1:]))
            raise ValueError(f"sequences[{i}]: expected {want} {first.dtype}, got {_check.describe(array)}")
    lengths = np.array([len(array) for array in arrays], np.int64)
    padded = np.full((len(arrays), lengths.max(), *first.shape[1:]), value, first.dtype)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return (padded if batch_first else np.ascontiguousarray(padded.swapaxes(0, 1))), lengths


def unpad(padded: np.ndarray, lengths: Sequence[int], batch_first: bool = False) -> list[np.ndarray]:
    """The sequences of a padded array: views [t_i, ...] of [T, B, ...] (batch_first: [B, T, ...]).

    Raises:
        ValueError: there is not one length from 0 to T for each sequence.
    """
    if padded.ndim < 2:
        raise ValueError(f"padded: expected at least 2 axes, got {_check.describe(padded)}")
    rows = padded if batch_first else padded.swapaxes(0, 1)
    ends = np.asarray(lengths)
    if ends.shape != (len(rows),) or ends.dtype.kind not in "iu":
        raise ValueError(f"lengths: expected [{len(rows)}] whole numbers, got {_check.describe(ends)}")
    if ends.size and (ends.min() < 0 or ends.max() > rows.shape[1]):
        raise ValueError(f"lengths: expected 0 to {rows.shape[1]}, got {ends.min()} to {ends.max()}")
    return [row[:end] for row, end in zip(rows, ends, strict=True)]
