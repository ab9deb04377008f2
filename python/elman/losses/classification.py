"""Losses of classes, from logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check, _core
from .._arrays import returner, to_numpy
from ..sequence.marks import known_among
from .loss import Loss, mean_of


def cross_entropy(
    logits: Any,
    target: Any,
    lengths: Any = None,
    mask: Any = None,
    *,
    label_smoothing: float = 0.0,
    gradient: bool = True,
) -> Loss:
    """-sum_c q_c log softmax(logits)_c with q the one-hot target, `label_smoothing` of it spread over all classes
    (Szegedy et al. 2016).

    Args:
        logits: [..., C] of any two or more axes, float32 or float64: an array of any library, or lists.
        target: [...] whole numbers 0 to C - 1, or booleans; what does not count may be anything.
        lengths, mask: which steps of [T, B, C] count.
        label_smoothing: from 0 up to, not including, 1.
        gradient: whether it is wanted.

    Raises:
        ValueError: shapes differ, or a target is no class.
    """
    smoothing = _check.fraction("label_smoothing", label_smoothing)
    wrap, logits = returner(logits), _check.floats("logits", logits)
    target = np.array(to_numpy("target", target, np.int64))  # a copy: it says where to read
    if logits.ndim < 2 or target.shape != logits.shape[:-1] or target.dtype.kind not in "biu":
        want = f"{_check.shape_text(logits.shape[:-1])} whole numbers for logits {_check.describe(logits)}"
        raise ValueError(f"target: expected {want}, got {_check.describe(target)}")
    C = logits.shape[-1]
    known = known_among("target", target.shape, lengths, mask)
    if known is not None:
        known = np.ascontiguousarray(np.broadcast_to(known, target.shape))
    counting = target if known is None else target[known]
    _check.tokens("target", counting, C)
    count = counting.size
    d = _core.empty(logits.shape, logits.dtype) if gradient else None
    value = _core.cross_entropy(
        logits.reshape(-1, C), np.ascontiguousarray(target, np.int64).reshape(-1),
        None if known is None else known.reshape(-1), smoothing,
        1 / max(count, 1), None if d is None else d.reshape(-1, C),
    )  # fmt: skip
    return Loss(value / max(count, 1), None if d is None else wrap(d), count)


def binary_cross_entropy(
    logits: Any, target: Any, lengths: Any = None, mask: Any = None, *, gradient: bool = True
) -> Loss:
    """-t log sigmoid(x) - (1 - t) log sigmoid(-x) of logits x and targets t from 0 to 1, shaped alike."""

    def costs(x: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        small = np.exp(-np.abs(x))  # never overflows
        sigmoid = np.where(x >= 0, 1, small) / (1 + small)
        share = np.where(x > 0, 1 - t, -t)  # of x. A share of 0 gives 0, for infinite x too
        return np.multiply(share, x, where=share != 0, out=np.zeros_like(x)) + np.log1p(small), sigmoid - t

    return mean_of(costs, logits, target, lengths, mask, gradient)
