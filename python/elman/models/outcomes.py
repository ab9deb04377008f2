"""What models predicted beside what was true, for metrics: only where it counts."""

from __future__ import annotations

import numpy as np

from ..losses.outcome import Outcome
from .labels import UNKNOWN, Labels
from .probabilities import sigmoid, softmax
from .targets import Targets


def _counting(shape: tuple[int, ...], known: np.ndarray | None, weights: np.ndarray | None) -> np.ndarray:
    """Which targets of this shape [B, ...] count: those that are `known`, and of weight above 0 (both of the first axes
    of them)."""
    counts = np.ones(shape, bool)
    for some in (known, None if weights is None else weights > 0):
        if some is not None:
            counts &= some.reshape(some.shape + (1,) * (len(shape) - some.ndim))
    return counts


def _weights_of(counts: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
    """[n], those of the targets that count, of `weights` of the first axes of them."""
    if weights is None:
        return None
    return np.broadcast_to(
        weights.reshape(weights.shape + (1,) * (counts.ndim - weights.ndim)), counts.shape
    )[counts]


def of_classes(
    logits: np.ndarray,
    y: np.ndarray,
    known: np.ndarray | None,
    weights: np.ndarray | None,
    labels: Labels,
    scores: bool,
) -> Outcome:
    """For logits [B, ..., C] and numbers of classes y [B, ...], or shares of them [B, ..., C]."""
    if y.ndim == logits.ndim:
        y = y.argmax(axis=-1)
    counts = _counting(y.shape, known, weights) & (y != UNKNOWN)
    logits = logits[counts]
    chances = softmax(logits) if scores else None
    return Outcome(
        y[counts], logits.argmax(axis=-1), chances, names=labels.names, weights=_weights_of(counts, weights)
    )


def of_several(logits: np.ndarray, y: np.ndarray, weights: np.ndarray | None) -> Outcome:
    """For logits [B, C] and targets [B, C] of 0 and 1, of which several may be 1. A sequence counts where all of its
    are known."""
    counts = _counting(y.shape[:1], ~np.isnan(y).any(axis=1), weights)
    logits, y = logits[counts], y[counts]
    true, predicted = (y > 0.5).astype(int), (logits > 0).astype(int)
    return Outcome(true, predicted, sigmoid(logits), weights=_weights_of(counts, weights))


def of_numbers(
    prediction: np.ndarray,
    y: np.ndarray,
    known: np.ndarray | None,
    weights: np.ndarray | None,
    targets: Targets,
) -> Outcome:
    """For predictions [B, ..., F] or [B, ..., F, W] and targets [B, ..., F]."""
    counts = _counting(y.shape, known, weights) & ~np.isnan(y)
    prediction, y = prediction[counts], y[counts].astype(np.float64)
    centre = targets.centre(prediction).astype(np.float64)
    w = _weights_of(counts, weights)
    if targets.name == "binary":
        scores = np.stack([1 - centre, centre], axis=-1)
        return Outcome((y > 0.5).astype(int), (centre > 0.5).astype(int), scores, weights=w)
    if targets.name not in ("gaussian", "quantile"):
        return Outcome(y, centre, weights=w)
    levels = targets.levels if targets.name == "quantile" else None
    return Outcome(y, centre, spread=prediction.astype(np.float64), levels=levels, weights=w)
