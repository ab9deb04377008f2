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
        ValueError: shapes differ, or a target is no class.
    """
    smoothing = _check.fraction("label_smoothing", label_smoothing)
    wrap, logits = returner(logits), _check.floats("logits", logits)
    target = np.array(to_numpy("target", target, np.int64))  # a copy: it says where to read
    shape, C = logits.shape[:-1], logits.shape[-1] if logits.ndim else 0
    shares = target.dtype.kind == "f" and target.shape == logits.shape
    if logits.ndim < 2 or (not shares and (target.shape != shape or target.dtype.kind not in "biu")):
        want = f"{_check.shape_text(shape)} whole numbers for logits {_check.describe(logits)}"
        raise ValueError(f"target: expected {want}, got {_check.describe(target)}")
    known = known_among("target", shape, lengths, mask)
    if known is not None:
        known = np.array(np.broadcast_to(known, shape))
    if ignore is not None and not shares:
        counts = target != int(ignore)
        known = counts if known is None else known & counts
    if known is not None and known.all():
        known = None
    if not shares:
        _check.tokens("target", target if known is None else target[known], C)
    if shares or weights is not None:
        found = _weighted(logits, target, known, weights, smoothing, gradient)
        return found if found.gradient is None else Loss(found.value, wrap(found.gradient), found.count)
    count = target.size if known is None else int(known.sum())
    d = _core.empty(logits.shape, logits.dtype) if gradient else None
    value = _core.cross_entropy(
        logits.reshape(-1, C), np.ascontiguousarray(target, np.int64).reshape(-1),
        None if known is None else known.reshape(-1), smoothing,
        1 / max(count, 1), None if d is None else d.reshape(-1, C),
    )  # fmt: skip
    return Loss(value / max(count, 1), None if d is None else wrap(d), count)


def _weighted(
    logits: np.ndarray,
    target: np.ndarray,
    known: np.ndarray | None,
    weights: Any,
    smoothing: float,
    gradient: bool,
) -> Loss:
    """What the engine does not compute, in float64: rows of different weight, targets that are shares of classes."""
    C = logits.shape[-1]
    shape = logits.shape[:-1]
    weights = spread_weights(np.ones(shape[:1]) if weights is None else weights, shape, known)
    rows = weights.reshape(-1) > 0
    w = weights.reshape(-1)[rows]
    if target.shape == logits.shape:
        q = target.reshape(-1, C)[rows].astype(np.float64)
        if not ((q >= 0).all() and np.allclose(q.sum(axis=1), 1, rtol=0, atol=1e-3)):
            raise ValueError(
                "target: expected shares of at least 0 that together are 1 for each row of logits"
            )
    else:
        q = np.zeros((len(w), C))
        q[np.arange(len(w)), target.reshape(-1)[rows].astype(np.int64)] = 1
    q = (1 - smoothing) * q + smoothing / C
    x = logits.reshape(-1, C)[rows].astype(np.float64)
    x -= x.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(x).sum(axis=1, keepdims=True))
    # A choice, not a product: a class that is masked out by -infinity costs nothing where its share is 0.
    losses = np.multiply(q, log_sum - x, where=q != 0, out=np.zeros_like(q)).sum(axis=1)
    count = float(w.sum())
    value = float((w * losses).sum() / (count or 1.0))
    if not gradient:
        return Loss(value, None, count)
    d = np.zeros((weights.size, C), logits.dtype)
    d[rows] = (np.exp(x - log_sum) - q) * (w / (count or 1.0))[:, None]
    return Loss(value, d.reshape(logits.shape), count)


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
