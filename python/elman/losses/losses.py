"""Losses: a value and its gradient, over the steps and targets that count.

Every loss is the mean over what counts: targets within `lengths` [B] and `mask` (time-first: predictions are
[T, B, ...] then), and, for real-valued targets, those that are not NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check, _core
from .._arrays import returner, to_numpy
from ..sequence import known_steps


@dataclass(frozen=True)
class Loss:
    """`value`, the mean over `count` targets; `gradient` of it, shaped like the prediction and of its kind, or None."""

    value: float
    gradient: Any
    count: int


def _known(shape: tuple[int, ...], lengths: Any, mask: Any) -> np.ndarray | None:
    if lengths is None and mask is None:
        return None
    if len(shape) < 2:
        raise ValueError(f"target: expected [T, B, ...] with lengths or mask, got {_check.shape_text(shape)}")
    return known_steps(shape[0], shape[1], lengths, mask)


def _spread(known: np.ndarray, axes: int) -> np.ndarray:
    """[T, B] with as many axes as the targets have."""
    return known.reshape(known.shape + (1,) * (axes - 2))


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
    known = _known(target.shape, lengths, mask)
    if known is not None:
        known = np.ascontiguousarray(np.broadcast_to(_spread(known, target.ndim), target.shape))
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


# Of a prediction and a target: what each target costs, and its slope in the prediction.
Costs = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def _mean(
    costs: Costs, prediction: Any, target: Any, lengths: Any, mask: Any, gradient: bool, width: int = 0
) -> Loss:
    """The mean of `costs`; with `width` the prediction has a last axis of so many values for each target."""
    wrap, prediction = returner(prediction), _check.floats("prediction", prediction)
    target = np.asarray(to_numpy("target", target, prediction.dtype), order="C")
    shape = prediction.shape[:-1] if width else prediction.shape
    if target.shape != shape or (width and prediction.shape[-1] != width):
        want = _check.shape_text((*target.shape, width) if width else target.shape)
        raise ValueError(
            f"prediction: expected {want} for target {_check.describe(target)}, got {_check.describe(prediction)}"
        )
    if target.dtype.kind not in "fbiu":
        raise ValueError(f"target: expected numbers, got {_check.describe(target)}")
    known = ~np.isnan(target) if target.dtype.kind == "f" else np.ones(target.shape, bool)
    steps = _known(target.shape, lengths, mask)
    if steps is not None:
        known &= _spread(steps, target.ndim)
    count = int(known.sum())

    def chosen(values: np.ndarray, marks: np.ndarray) -> np.ndarray:
        """Zeros where nothing counts. A choice, not a product: NaN may stand there."""
        return values if count == known.size else np.where(marks, values, values.dtype.type(0))

    wide = known[..., None] if width else known
    prediction, target = chosen(prediction, wide), chosen(target, known)
    cost, slope = costs(prediction, target.astype(prediction.dtype, copy=False))
    value = float(np.sum(cost, where=known, dtype=np.float64) / max(count, 1))
    if not gradient:
        return Loss(value, None, count)
    slope = chosen(slope * prediction.dtype.type(1 / max(count, 1)), wide)
    return Loss(value, wrap(np.asarray(slope, prediction.dtype, order="C")), count)


def mean_squared_error(
    prediction: Any,
    target: Any,
    lengths: Any = None,
    mask: Any = None,
    *,
    gradient: bool = True,
) -> Loss:
    """(prediction - target)^2; the two are shaped alike."""

    def costs(p: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.square(p - t), 2 * (p - t)

    return _mean(costs, prediction, target, lengths, mask, gradient)


def mean_absolute_error(
    prediction: Any,
    target: Any,
    lengths: Any = None,
    mask: Any = None,
    *,
    gradient: bool = True,
) -> Loss:
    """|prediction - target|."""
    return _mean(lambda p, t: (np.abs(p - t), np.sign(p - t)), prediction, target, lengths, mask, gradient)


def huber(
    prediction: Any,
    target: Any,
    lengths: Any = None,
    mask: Any = None,
    *,
    delta: float = 1.0,
    gradient: bool = True,
) -> Loss:
    """e^2 / 2 for errors e up to `delta`, delta (|e| - delta / 2) beyond (Huber 1964)."""
    delta = _check.positive("delta", delta)

    def costs(p: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        within = np.clip(p - t, -delta, delta)
        return within * (p - t) - np.square(within) / 2, within

    return _mean(costs, prediction, target, lengths, mask, gradient)


def binary_cross_entropy(
    logits: Any, target: Any, lengths: Any = None, mask: Any = None, *, gradient: bool = True
) -> Loss:
    """-t log sigmoid(x) - (1 - t) log sigmoid(-x) of logits x and targets t from 0 to 1, shaped alike."""

    def costs(x: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        small = np.exp(-np.abs(x))  # never overflows
        sigmoid = np.where(x >= 0, 1, small) / (1 + small)
        share = np.where(x > 0, 1 - t, -t)  # of x; none of an infinite one is none
        return np.multiply(share, x, where=share != 0, out=np.zeros_like(x)) + np.log1p(small), sigmoid - t

    return _mean(costs, logits, target, lengths, mask, gradient)


def gaussian(
    prediction: Any,
    target: Any,
    lengths: Any = None,
    mask: Any = None,
    *,
    gradient: bool = True,
) -> Loss:
    """Negative log likelihood of a normal distribution, less its constant: (s + (t - m)^2 / exp(s)) / 2 for
    predictions [..., 2] of the mean m and the log of the variance s (Nix & Weigend 1994)."""

    def costs(p: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean, log_variance = p[..., 0], p[..., 1]
        scaled = (mean - t) * np.exp(-log_variance)
        square = scaled * (mean - t)
        return (log_variance + square) / 2, np.stack([scaled, (1 - square) / 2], axis=-1)

    return _mean(costs, prediction, target, lengths, mask, gradient, width=2)


def quantile(
    prediction: Any,
    target: Any,
    lengths: Any = None,
    mask: Any = None,
    *,
    quantiles: Sequence[float] = (0.1, 0.5, 0.9),
    gradient: bool = True,
) -> Loss:
    """The pinball loss max(q e, (q - 1) e) of e = target - prediction, summed over the quantiles q of predictions
    [..., Q] (Koenker & Bassett 1978)."""
    q = np.array([_check.fraction(f"quantiles[{i}]", value) for i, value in enumerate(quantiles)])

    def costs(p: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        levels = q.astype(p.dtype)
        error = t[..., None] - p
        return np.maximum(levels * error, (levels - 1) * error).sum(axis=-1), (error < 0) - levels

    return _mean(costs, prediction, target, lengths, mask, gradient, width=len(q))
