"""Losses of classes, from logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check, _core
from .._arrays import returner, to_numpy
from ..sequence.marks import known_among
from .loss import Loss, mean_of, spread_weights


def cross_entropy(
    logits: Any,
    target: Any,
    lengths: Any = None,
    mask: Any = None,
    *,
    label_smoothing: float = 0.0,
    ignore: int | None = None,
    weights: Any = None,
    gradient: bool = True,
) -> Loss:
    """-sum_c q_c log softmax(logits)_c with q the one-hot target, `label_smoothing` of it spread over all classes
    (Szegedy et al. 2016).

    Args:
        logits: [..., C] of any two or more axes, float32 or float64: an array of any library, or lists.
        target: [...] whole numbers 0 to C - 1, or booleans; what does not count may be anything. Or [..., C]
            float32 or float64, a share of each class, which together are 1.
        lengths, mask: which steps of [T, B, C] count: lengths [B], mask [T, B] bool; all if None.
        label_smoothing: from 0 up to, not including, 1.
        ignore: targets of this number do not count.
        weights: of each target, shaped like [...] or its first axes; the mean is then sum(w l) / sum(w).
        gradient: whether it is wanted.

    Returns:
        A `Loss`: the mean over the targets that count, and its gradient [..., C].

    Raises:
        ValueError: shapes differ, a target is no class, or ignore no whole number.
    """
    smoothing = _check.fraction("label_smoothing", label_smoothing)
    wrap, logits = returner(logits), _check.floats("logits", logits)
    target = to_numpy("target", target, np.int64)
    if logits.ndim < 2 or not logits.shape[-1]:
        raise ValueError(f"logits: expected [..., C] with at least one class, got {_check.describe(logits)}")
    shape, C = logits.shape[:-1], logits.shape[-1]
    shares = target.dtype.kind == "f" and target.shape == logits.shape
    if not shares and (target.shape != shape or target.dtype.kind not in "biu"):
        want = f"{_check.shape_text(shape)} whole numbers for logits {_check.describe(logits)}"
        raise ValueError(f"target: expected {want}, got {_check.describe(target)}")
    known, counts = known_among("target", shape, lengths, mask), None
    if weights is not None:
        counts = spread_weights(weights, shape, known).reshape(-1)
    elif known is not None:
        counts = np.array(np.broadcast_to(known, shape), np.float64).reshape(-1)
    if ignore is not None:
        ignore = min(_check.whole_number("ignore", ignore, -_LARGEST - 1), _LARGEST)
    if shares:
        target, ignore = _shares(target.reshape(-1, C), counts), None
    else:
        if target.dtype == np.uint64:
            target = np.minimum(target, _LARGEST)  # which is no class either
        target = np.array(target, np.int64, order="C").reshape(-1)
    d = _core.empty(logits.shape, logits.dtype) if gradient else None
    # The engine looks at each target that counts before it begins.
    total, count = _core.cross_entropy(
        logits.reshape(-1, C), target, counts, ignore, smoothing, None if d is None else d.reshape(-1, C)
    )
    value = total / count if count else 0.0
    return Loss(value, None if d is None else wrap(d), count if weights is not None else int(count))


_LARGEST = int(np.iinfo(np.int64).max)


def _shares(target: np.ndarray, counts: np.ndarray | None) -> np.ndarray:
    """Shares of classes [N, C] as the engine takes them; those of rows that do not count may be anything."""
    target = np.array(target, np.float64, order="C")
    q = target if counts is None else target[counts > 0]
    if not ((q >= 0).all() and np.allclose(q.sum(axis=1), 1, rtol=0, atol=1e-3)):
        raise ValueError("target: expected shares of at least 0 that together are 1 for each row of logits")
    return target


def binary_cross_entropy(
    logits: Any,
    target: Any,
    lengths: Any = None,
    mask: Any = None,
    *,
    weights: Any = None,
    gradient: bool = True,
) -> Loss:
    """-t log sigmoid(x) - (1 - t) log sigmoid(-x) of logits x and targets t.

    Args:
        logits: [...], float32 or float64: an array of any library, or lists.
        target: [...] from 0 to 1, shaped like it; NaN is not known and does not count.
        lengths, mask: which targets count, where they are [T, B, ...]: lengths [B], mask [T, B] bool; all if None.
        weights: of each target, shaped like the targets or their first axes; the mean is then sum(w l) / sum(w).
        gradient: whether it is wanted.

    Returns:
        A `Loss`: the mean over the targets that count, and its gradient.

    Raises:
        ValueError: a shape, type or value does not fit.
    """

    def costs(x: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        small = np.exp(-np.abs(x))  # never overflows
        sigmoid = np.where(x >= 0, 1, small) / (1 + small)
        share = np.where(x > 0, 1 - t, -t)  # of x. A share of 0 gives 0, for infinite x too
        return np.multiply(share, x, where=share != 0, out=np.zeros_like(x)) + np.log1p(small), sigmoid - t

    return mean_of(costs, logits, target, lengths, mask, gradient, weights=weights)
