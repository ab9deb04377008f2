"""Losses: a value and its gradient."""

from __future__ import annotations

import numpy as np

from .. import _check


def mean_squared_error(prediction: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean of (prediction - target)^2 over the targets that are not NaN, and its gradient.

    Returns:
        (loss, d_prediction), the gradient shaped like the prediction and 0 where the target is NaN.

    Raises:
        ValueError: the shapes differ.
    """
    if prediction.shape != target.shape:
        raise ValueError(
            f"target: expected {_check.shape_text(prediction.shape)}, got {_check.describe(target)}"
        )
    known = ~np.isnan(target)
    count = max(int(known.sum()), 1)
    error = np.where(known, prediction - target, 0).astype(prediction.dtype)
    return float(np.square(error, dtype=np.float64).sum() / count), error * prediction.dtype.type(2 / count)
