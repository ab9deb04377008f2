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
    """(prediction - target)^2; the two are shaped alike."""

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
    """|prediction - target|."""
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
    """e^2 / 2 for errors e up to `delta`, delta (|e| - delta / 2) beyond (Huber 1964)."""
    delta = _check.positive("delta", delta)

    def costs(p: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        within = np.clip(p - t, -delta, delta)
        return within * (p - t) - np.square(within) / 2, within

    return mean_of(costs, prediction, target, lengths, mask, gradient, weights=weights)
