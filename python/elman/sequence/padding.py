"""Lists of sequences to one padded array, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _check
from .._arrays import columns, each_to_numpy, returner, to_numpy


def alike(name: str, values: Sequence[Any], floats: Any = np.float64) -> list[np.ndarray]:
    """Each of `values` as an array [t, ...], all of one type and alike in every axis but the first. Python's floats
    have no type: they become `floats`."""
    columns(name, values)
    arrays = each_to_numpy(((f"{name}[{i}]", value) for i, value in enumerate(values)), floats)
    for i, array in enumerate(arrays):
        first = arrays[0]
        if array.ndim == 0 or array.shape[1:] != first.shape[1:] or array.dtype != first.dtype:
            want = _check.shape_text(("t", *first.shape[1:]))
            raise ValueError(f"{name}[{i}]: expected {want} {first.dtype}, got {_check.describe(array)}")
    return arrays


def pad(sequences: Sequence[Any], value: float = 0, batch_first: bool = False) -> tuple[Any, np.ndarray]:
    """Put sequences of different lengths into one array.

    Args:
        sequences: arrays [t_i, ...] of any library, or lists, alike in dtype and in every axis but the first.
        value: what fills the steps beyond each sequence's end.
        batch_first: whether the result is [B, T, ...] instead of [T, B, ...]; T is the largest t_i.

    Returns:
        (padded, lengths): padded is of the first sequence's kind; lengths is int64 [B]; pass it on as `lengths=`.

    Raises:
        ValueError: there is no sequence, or two are not alike.
    """
    sequences = list(sequences)
    if not sequences:
        raise ValueError("sequences: expected at least one array, got none")
    padded, lengths = padded_alike(alike("sequences", sequences), value, batch_first)
    return returner(sequences[0])(padded), lengths


def padded_alike(
    arrays: Sequence[np.ndarray], value: float = 0, batch_first: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """What `pad` does, for arrays that are known to be alike."""
    first = arrays[0]
    lengths = np.array([len(array) for array in arrays], np.int64)
    steps = (len(arrays), lengths.max()) if batch_first else (lengths.max(), len(arrays))
    padded = np.full((*steps, *first.shape[1:]), _filling(value, first.dtype), first.dtype)
    rows = padded if batch_first else padded.swapaxes(0, 1)
    for row, array in zip(rows, arrays, strict=True):
        row[: len(array)] = array
    return padded, lengths


def _filling(value: Any, dtype: np.dtype) -> Any:
    """`value`, which an array of this type must be able to hold; a float type may round it."""
    if dtype.kind not in "biu":
        return value
    with np.errstate(invalid="ignore"):
        held = np.asarray(value).astype(dtype)
    if held.ndim or held.item() != np.asarray(value).item():
        raise ValueError(f"value: expected one that {dtype} can hold, got {_check.describe(value)}")
    return held


def unpad(padded: Any, lengths: Any, batch_first: bool = False) -> list[Any]:
    """The sequences of a padded array.

    Args:
        padded: [T, B, ...] (batch_first: [B, T, ...]), an array of any library.
        lengths: [B], the steps of each sequence.
        batch_first: whether padded is [B, T, ...].

    Returns:
        A list of B views [t_i, ...], of padded's kind.

    Raises:
        ValueError: there is not one length from 0 to T for each sequence.
    """
    wrap, padded = returner(padded), to_numpy("padded", padded)
    if padded.ndim < 2:
        raise ValueError(f"padded: expected at least 2 axes, got {_check.describe(padded)}")
    rows = padded if batch_first else padded.swapaxes(0, 1)
    ends = _check.lengths("lengths", lengths, rows.shape[1], (len(rows),))
    return [wrap(row[:end]) for row, end in zip(rows, ends, strict=True)]
