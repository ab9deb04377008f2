"""What every loss is: the mean over the targets that count, and its gradient.

Targets count within `lengths` [B] and `mask` (predictions are time-first then, [T, B, ...]), and, where they are real
numbers, if they are not NaN. With `weights` the mean is sum(w l) / sum(w) over the targets that count.
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
    """The mean loss of a batch, and its gradient.

    Attributes:
        value: the mean over the targets that count.
        gradient: of value, shaped like the prediction [...] and of its kind, or None where it was not wanted.
        count: how many targets count; with weights their sum.
    """

    value: float
    gradient: Any
    count: float


# A function of a prediction and a target: what each target costs, and the slope of that in the prediction.
Costs = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def spread_weights(weights: Any, shape: tuple[int, ...], known: np.ndarray | None) -> np.ndarray:
    """float64 of this shape, 0 where targets do not count, for weights of the first axes of it.

    Raises:
        ValueError: the weights are not finite numbers of at least 0, or of another shape.
    """
    values = to_numpy("weights", weights, np.float64)
    if values.ndim < 1 or values.shape != shape[: values.ndim] or values.dtype.kind not in "fiub":
        raise ValueError(
            f"weights: expected {_check.shape_text(shape)} numbers, or of its first axes, got {_check.describe(values)}"
        )
    values = values.astype(np.float64).reshape(values.shape + (1,) * (len(shape) - values.ndim))
    values = np.broadcast_to(values, shape)
    values = np.array(values) if known is None else np.where(known, values, 0.0)
    if not (np.isfinite(values).all() and (values >= 0).all()):
        wrong = values[~(np.isfinite(values) & (values >= 0))][0]
        raise ValueError(f"weights: expected finite numbers of at least 0, got {wrong}")
    return values


def mean_of(
    costs: Costs,
    prediction: Any,
    target: Any,
    lengths: Any,
    mask: Any,
    gradient: bool,
    width: int = 0,
    weights: Any = None,
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
    some = known_among("target", target.shape, lengths, mask)  # None: all count
    unknown = np.isnan(target) if target.dtype.kind == "f" else None
    if unknown is not None and unknown.any():
        some = ~unknown if some is None else some & ~unknown
    spread = None
    if weights is not None:
        spread = spread_weights(weights, target.shape, some)
        some = spread > 0
    elif some is not None:
        some = np.broadcast_to(some, target.shape)
    wide = some[..., None] if width and some is not None else some
    prediction, target = chosen(wide, prediction), chosen(some, target)
    cost, slope = costs(prediction, target.astype(prediction.dtype, copy=False))
    share: Any
    count: float
    if spread is None:
        count = target.size if some is None else int(some.sum())
        total, share = chosen(some, cost).sum(dtype=np.float64), prediction.dtype.type(1 / max(count, 1))
    else:
        count = float(spread.sum())
        total, share = np.sum(chosen(some, cost) * spread), spread / (count or 1.0)
        share = (share[..., None] if width else share).astype(prediction.dtype)
    value = float(total / (count or 1))
    if not gradient:
        return Loss(value, None, count)
    slope = chosen(wide, slope * share)
    return Loss(value, wrap(np.asarray(slope, prediction.dtype, order="C")), count)
