"""Losses of numbers: how far a prediction is from its target."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from .loss import Loss, mean_of


def mean_squared_error(
    prediction: Any,
    target: Any,
    lengths: Any = None,
    mask: Any = None,
    *,
    weights: Any = None,
    gradient: bool = True,
) -> Loss:
    """The mean of (prediction - target)^2.

    Args:
        prediction: [...], float32 or float64: an array of any library, or lists.
        target: [...] numbers, shaped like it; NaN is not known and does not count.
        lengths, mask: which targets count, where they are [T, B, ...]: lengths [B], mask [T, B] bool; all if None.
        weights: of each target, shaped like the targets or their first axes; the mean is then sum(w l) / sum(w).
        gradient: whether it is wanted.

    Returns:
        A `Loss`: the mean over the targets that count, and its gradient.

    Raises:
        ValueError: a shape, type or value does not fit.
    """

    def costs(p: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.square(p - t), 2 * (p - t)

    return mean_of(costs, prediction, target, lengths, mask, gradient, weights=weights)


def mean_absolute_error(
    prediction: Any,
    target: Any,
    lengths: Any = None,
    mask: Any = None,
    *,
    weights: Any = None,
    gradient: bool = True,
) -> Loss:
    """The mean of |prediction - target|.

    Args:
        prediction: [...], float32 or float64: an array of any library, or lists.
        target: [...] numbers, shaped like it; NaN is not known and does not count.
        lengths, mask: which targets count, where they are [T, B, ...]: lengths [B], mask [T, B] bool; all if None.
        weights: of each target, shaped like the targets or their first axes; the mean is then sum(w l) / sum(w).
        gradient: whether it is wanted.

    Returns:
        A `Loss`: the mean over the targets that count, and its gradient.

    Raises:
        ValueError: a shape, type or value does not fit.
    """
    return mean_of(
        lambda p, t: (np.abs(p - t), np.sign(p - t)),
        prediction,
        target,
        lengths,
        mask,
        gradient,
        weights=weights,
    )


def huber(
    prediction: Any,
    target: Any,
    lengths: Any = None,
    mask: Any = None,
    *,
    delta: float = 1.0,
    weights: Any = None,
    gradient: bool = True,
) -> Loss:
    """e^2 / 2 for errors e up to `delta`, delta (|e| - delta / 2) beyond (Huber 1964).

    Args:
        prediction: [...], float32 or float64: an array of any library, or lists.
        target: [...] numbers, shaped like it; NaN is not known and does not count.
        lengths, mask: which targets count, where they are [T, B, ...]: lengths [B], mask [T, B] bool; all if None.
        delta: where squares end, above 0.
        weights: of each target, shaped like the targets or their first axes; the mean is then sum(w l) / sum(w).
        gradient: whether it is wanted.

    Returns:
        A `Loss`: the mean over the targets that count, and its gradient.

    Raises:
        ValueError: a shape, type or value does not fit.
    """
    delta = _check.positive("delta", delta)

    def costs(p: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        within = np.clip(p - t, -delta, delta)
        return within * (p - t) - np.square(within) / 2, within

    return mean_of(costs, prediction, target, lengths, mask, gradient, weights=weights)
