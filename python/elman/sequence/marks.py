"""Which steps of which sequence count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _check
from .._arrays import returner, to_numpy


def known_steps(T: int, B: int, lengths: Any = None, mask: Any = None) -> np.ndarray | None:
    """Which steps count: those within the lengths where the mask is True.

    Args:
        T: steps.
        B: sequences.
        lengths: [B], the steps of each sequence; all if None.
        mask: [T, B] bool; all if None.

    Returns:
        [T, B] bool, or None if both are None, which means all.

    Raises:
        ValueError: lengths or mask has the wrong shape, type or value.
    """
    known = None
    if lengths is not None:
        known = np.arange(T)[:, None] < _check.lengths("lengths", lengths, T, (B,))
    if mask is not None:
        marks = _check.marks("mask", mask, (T, B))
        known = marks if known is None else known & marks
    return known


def known_among(name: str, shape: tuple[int, ...], lengths: Any, mask: Any) -> np.ndarray | None:
    """`known_steps` for an array [T, B, ...] of this shape, with as many axes as it has; None if all are known.

    Raises:
        ValueError: the array has no steps and sequences, or lengths or mask has the wrong shape, type or value.
    """
    if lengths is None and mask is None:
        return None
    if len(shape) < 2:
        raise ValueError(f"{name}: expected [T, B, ...] with lengths or mask, got {_check.shape_text(shape)}")
    known = known_steps(shape[0], shape[1], lengths, mask)
    assert known is not None
    return known.reshape(known.shape + (1,) * (len(shape) - 2))


def whole_lengths(name: str, lengths: Any, T: int, B: int) -> np.ndarray:
    """`lengths` [B], checked, or T for each sequence where None is given: int64, an array of their own."""
    return np.full(B, T, np.int64) if lengths is None else _check.lengths(name, lengths, T, (B,))


def chosen(known: np.ndarray | None, values: np.ndarray) -> np.ndarray:
    """`values` where `known` is True, or all where it is None, and zeros elsewhere.

    A choice, not a product: what does not count may be NaN, and NaN times 0 is NaN.
    """
    return values if known is None else np.where(known, values, values.dtype.type(0))


def closed_up(
    values: np.ndarray, lengths: Any, mask: Any
) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """The steps of [T, B, ...] that count, one after the other, for what knows lengths alone.

    Returns:
        (dense, counts, back): dense [most steps, B, ...]; counts [B], steps of each sequence; `back(d)` puts what
        belongs to dense, with zeros beyond counts, where it was in [T, B, ...].
    """
    T, B = values.shape[:2]
    known = known_steps(T, B, lengths, mask)
    if known is None:
        known = np.ones((T, B), bool)
    counts = known.sum(axis=0)
    order = np.argsort(~known, axis=0, kind="stable")[: counts.max(initial=0)]
    order = order.reshape(order.shape + (1,) * (values.ndim - 2))

    def back(d: np.ndarray) -> np.ndarray:
        found = np.zeros((T, *d.shape[1:]), d.dtype)
        np.put_along_axis(found, order, d, axis=0)
        return found

    return np.take_along_axis(values, order, axis=0), counts, back


def step_axes(lengths: Any, mask: Any) -> int:
    """How many first axes of an array tell its steps apart: 2, or 1 where lengths or mask are of one sequence."""
    return 1 + (np.ndim(mask) - 1 if lengths is None and mask is not None else np.ndim(lengths))


def only_known(name: str, values: Any, lengths: Any, mask: Any, batch_first: bool = False) -> Any:
    """`values` [T, B, ...] ([B, T, ...], or [T, ...] of one sequence), with zeros for the steps that do not count:
    there may be NaN, or what is no token."""
    if lengths is None and mask is None:
        return values
    array, axes = to_numpy(name, values), step_axes(lengths, mask)
    if array.ndim < axes:
        want = "[B, T, ...]" if batch_first else "[T, B, ...]"
        raise ValueError(f"{name}: expected {want} with lengths or mask, got {_check.describe(array)}")
    first = array.shape[:axes]
    turned = batch_first and axes == 2
    T, B = (*first, 1)[:2] if not turned else first[::-1]
    if lengths is not None:
        lengths = to_numpy("lengths", lengths, np.int64).reshape(-1)
    if mask is not None:
        mask = _check.marks("mask", mask, first).reshape(*first, *(1,) * (2 - axes))
        mask = mask.T if turned else mask
    known = known_steps(T, B, lengths, mask)
    assert known is not None
    known = (known.T if turned else known).reshape(first + (1,) * (array.ndim - axes))
    found = chosen(known, array)
    return found.tolist() if isinstance(values, (list, tuple)) else returner(values)(found)
