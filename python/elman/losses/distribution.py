"""Losses of predicted distributions: a mean with a variance, or quantiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _check
from .loss import Loss, mean_of


def gaussian(
    prediction: Any,
    target: Any,
    lengths: Any = None,
    mask: Any = None,
    *,
    weights: Any = None,
    gradient: bool = True,
) -> Loss:
    """Negative log likelihood of a normal distribution, less its constant: (s + (t - m)^2 / exp(s)) / 2 for
    predictions of the mean m and the log of the variance s (Nix & Weigend 1994).

    Args:
        prediction: [..., 2], m and s, float32 or float64.
        target: [...] numbers t; NaN is not known and does not count.
        lengths, mask: which targets count, where they are [T, B, ...]: lengths [B], mask [T, B] bool; all if None.
        weights: of each target, shaped like the targets or their first axes; the mean is then sum(w l) / sum(w).
        gradient: whether it is wanted.

    Returns:
        A `Loss`: the mean over the targets that count, and its gradient.

    Raises:
        ValueError: a shape, type or value does not fit.
    """

    def costs(p: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean, log_variance = p[..., 0], p[..., 1]
        scaled = (mean - t) * np.exp(-log_variance)
        square = scaled * (mean - t)
        return (log_variance + square) / 2, np.stack([scaled, (1 - square) / 2], axis=-1)

    return mean_of(costs, prediction, target, lengths, mask, gradient, 2, weights)


def quantile(
    prediction: Any,
    target: Any,
    lengths: Any = None,
    mask: Any = None,
    *,
    quantiles: Sequence[float] = (0.1, 0.5, 0.9),
    weights: Any = None,
    gradient: bool = True,
) -> Loss:
    """The pinball loss max(q e, (q - 1) e) of e = target - prediction, summed over the quantiles q
    (Koenker & Bassett 1978).

    Args:
        prediction: [..., Q], a number for each quantile, float32 or float64.
        target: [...] numbers; NaN is not known and does not count.
        lengths, mask: which targets count, where they are [T, B, ...]: lengths [B], mask [T, B] bool; all if None.
        quantiles: Q levels, each from 0 up to, not including, 1.
        weights: of each target, shaped like the targets or their first axes; the mean is then sum(w l) / sum(w).
        gradient: whether it is wanted.

    Returns:
        A `Loss`: the mean over the targets that count, and its gradient.

    Raises:
        ValueError: a shape, type or value does not fit.
    """
    q = np.array([_check.fraction(f"quantiles[{i}]", value) for i, value in enumerate(quantiles)])

    def costs(p: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        levels = q.astype(p.dtype)
        error = t[..., None] - p
        return np.maximum(levels * error, (levels - 1) * error).sum(axis=-1), (error < 0) - levels

    return mean_of(costs, prediction, target, lengths, mask, gradient, len(q), weights)
