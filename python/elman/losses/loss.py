"""What every loss is: the mean over the targets that count, and its gradient.

Targets count within `lengths` [B] and `mask` (predictions are time-first then, [T, B, ...]), and, where they are real
numbers, if they are not NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._arrays import returner, to_numpy
from ..sequence.marks import chosen, known_among


@dataclass(frozen=True)
class Loss:
    """`value`, the mean over `count` targets; `gradient` of it, shaped like the prediction and of its kind, or None."""

    value: float
    gradient: Any
    count: int


# A function of a prediction and a target: what each target costs, and the slope of that in the prediction.
Costs = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def mean_of(
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
    steps = known_among("target", target.shape, lengths, mask)
    if steps is not None:
        known &= steps
    count = int(known.sum())
    some = None if count == known.size else known
    wide = some[..., None] if width and some is not None else some
    prediction, target = chosen(wide, prediction), chosen(some, target)
    cost, slope = costs(prediction, target.astype(prediction.dtype, copy=False))
    value = float(np.sum(cost, where=known, dtype=np.float64) / max(count, 1))
    if not gradient:
        return Loss(value, None, count)
    slope = chosen(wide, slope * prediction.dtype.type(1 / max(count, 1)))
    return Loss(value, wrap(np.asarray(slope, prediction.dtype, order="C")), count)
