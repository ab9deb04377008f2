"""Batches as layers take them: features of the model's type, and targets of its shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from ..data import Batch, Sequences
from ..data.intake import in_file, is_array, steps_of
from ..sequence.marks import chosen, known_steps, whole_lengths
from .network import Network


def cast(name: str, values: np.ndarray, dtype: np.dtype, batch: Batch | None = None) -> np.ndarray:
    """Numbers of any type as `dtype`. What does not count in a batch, whose x they are then, may be anything.

    Raises:
        ValueError: a finite number is too large for it.
    """
    if values.dtype == dtype or values.dtype.kind not in "biuf":
        return values
    try:
        with np.errstate(over="raise"):
            return values.astype(dtype)
    except FloatingPointError:
        pass
    with np.errstate(over="ignore"):
        found = values.astype(dtype)
    lost = np.isinf(found) & np.isfinite(values)
    known = None if batch is None else _known(batch)
    if known is not None:
        lost &= known.reshape(known.shape + (1,) * (lost.ndim - 2))
    if lost.any():
        raise ValueError(f"{name}: expected numbers that {dtype} can hold, got {values[lost][0]:.6g}")
    return found


def _known(batch: Batch) -> np.ndarray | None:
    T, B = batch.x.shape[:2]
    return known_steps(T, B, batch.lengths, batch.mask)


def as_whole(values: np.ndarray) -> np.ndarray:
    """Floats that are whole numbers as int64; anything else as it is."""
    if values.dtype.kind == "f" and (np.abs(values) < 2**53).all() and (values == np.rint(values)).all():
        return values.astype(np.int64)
    return values


def read_x(batch: Batch, reader: Network | None, dtype: np.dtype) -> np.ndarray:
    """x [T, B, ...] of a batch for the network that reads it. None: it is not known what reads it; then only floats
    are cast, as whole numbers may be tokens."""
    x = batch.x
    if reader is not None and reader.tokens:
        return as_whole(chosen(_known(batch), x)) if x.dtype.kind == "f" and x.ndim == 2 else x
    if reader is not None and x.ndim == 2 and reader.size == 1:
        x = x[..., None]
    return cast("x", x, dtype, batch) if reader is not None or x.dtype.kind == "f" else x


def expect_x(data: Sequences, reader: Network) -> None:
    """Refuse x of another shape or kind than the network reads, in the words of who gave it.

    Raises:
        ValueError: it is of another one, or holds a token that the model does not know.
    """
    x, size = data.x, reader.size
    first = x[0]
    shown = _check.describe(x) if is_array(x) else f"a list of {_t_i(first)}"
    if reader.tokens:
        if first.ndim != 1 or not expect_tokens("x", x, data.mask, size):
            raise ValueError(f"x: expected [n, T] tokens, or a list of [t_i] tokens, got {shown}")
        return
    alone = first.ndim == 1 and size == 1
    if first.dtype.kind not in "biuf" or not (alone or first.shape[1:] == (size,)):
        want = f"[n, T, {size}] numbers, or a list of [t_i, {size}]"
        raise ValueError(f"x: expected {want}, got {shown}{_meant(first, size)}")


def expect_tokens(name: str, x: Any, mask: Any, size: int) -> bool:
    """Refuse a token of [n, ...], or of a list of [t_i], that is not 0 to size - 1 and that no mask leaves out. Of a
    file only the first row is looked at: each batch is, when it comes.

    Returns:
        Whether all are whole numbers.

    Raises:
        ValueError: there is one.
    """
    rows = [x[0]] if in_file(x) else [x] if is_array(x) else x
    if mask is not None and not in_file(x):
        rows = [row[keep] for row, keep in zip(x, mask, strict=True)]
    rows = [as_whole(np.asarray(row)) for row in rows]
    if any(row.dtype.kind not in "biu" and row.size for row in rows):
        return False
    for row in rows:
        if row.size and (row.min() < 0 or row.max() >= size):
            raise ValueError(f"{name}: expected tokens 0 to {size - 1}, got {row.min()} to {row.max()}")
    return True


def _t_i(first: np.ndarray) -> str:
    return f"{_check.shape_text(('t_i', *first.shape[1:]))} {first.dtype}"


def _meant(first: np.ndarray, size: int) -> str:
    """What may be meant where features do not fit."""
    if first.ndim == 1 and first.dtype.kind in "iu":
        return "; tokens need a model with vocabulary="
    if first.ndim == 2 and first.shape[0] == size != first.shape[1]:
        return f"; steps come before features: x.swapaxes(1, 2) is [n, T, {size}]"
    return ""


def known_targets(batch: Batch) -> np.ndarray | None:
    """[B, S] bool: the steps of y that count; None where all do, or y is not by steps."""
    y = batch.targets()
    if y.ndim < 2:
        return None
    known, mask = None, batch.step_mask()
    if batch.y_lengths is not None:
        ends = whole_lengths("y_lengths", batch.y_lengths, y.shape[1], batch.size)
        known = np.arange(y.shape[1]) < ends[:, None]
    if mask is not None:
        known = mask.T if known is None else known & mask.T
    return known


def all_targets(y: Any, mask: Any) -> tuple[np.ndarray, np.ndarray | None, str]:
    """The y of all data as `known_targets` has that of a batch, with what counts, and what was given in words. Where
    sequences differ in length their steps follow each other, [1, sum of s_i, ...].

    Args:
        y: [n, ...], or a list of n arrays [s_i, ...].
        mask: of the steps of x, in the same form; None: all count.
    """
    if in_file(y):  # each batch is looked at when it comes
        shown = _check.describe(y) if is_array(y) else f"a list of {_t_i(y[0])}"
        return np.asarray(y[:1] if is_array(y) else y[0][None]), None, shown
    if isinstance(y, np.ndarray):
        by_steps = mask is not None and y.ndim > 1 and all(len(one) == y.shape[1] for one in mask)
        return y, np.stack(list(mask)) if by_steps else None, _check.describe(y)
    shown = f"a list of {_t_i(y[0])}"
    by_steps = mask is not None and [len(one) for one in y] == [len(one) for one in mask]
    if len({len(one) for one in y}) == 1:
        return np.stack(y), np.stack(list(mask)) if by_steps else None, shown
    return np.concatenate(y)[None], np.concatenate(list(mask))[None] if by_steps else None, shown


def expect_steps(data: Sequences) -> None:
    """Refuse targets of steps that are not as many as the steps of x.

    Raises:
        ValueError: those of a sequence are more or fewer.
    """
    steps = steps_of(data.y)
    wrong = np.flatnonzero(steps != data.lengths)
    if wrong.size:
        i = wrong[0]
        raise ValueError(f"y[{i}]: expected {data.lengths[i]} steps, as many as x[{i}] has, got {steps[i]}")


def read_numbers(
    y: np.ndarray, want: tuple[int, ...], by_steps: bool, dtype: np.dtype, got: object
) -> np.ndarray:
    """y as [B, *want], or [B, S, *want] by steps. Axes of size 1 may be missing, or be too many.

    Raises:
        ValueError: it is of another shape, or holds what is no number.
    """
    base = 2 if by_steps else 1
    tail = y.shape[base:]
    alike = tail == want or [n for n in tail if n != 1] == [n for n in want if n != 1]
    if not alike or y.ndim < base or y.dtype.kind not in "biuf":
        axes = ("n", "T") if by_steps else ("n",)
        raise ValueError(f"y: expected {_check.shape_text((*axes, *want))} numbers, got {got}")
    return cast("y", y if tail == want else y.reshape(*y.shape[:base], *want), dtype)


def read_tokens(y: np.ndarray, known: np.ndarray | None, count: int, words: str) -> np.ndarray:
    """y [B, S] as whole numbers below `count`; the rest beside `known` may be anything.

    Raises:
        ValueError: it is of another shape or kind, or a number is too large.
    """
    y = as_whole(y)
    if y.ndim != 2 or y.dtype.kind not in "biu":
        raise ValueError(f"y: expected {words}")
    _check.tokens("y", y if known is None else y[known], count)
    return y
