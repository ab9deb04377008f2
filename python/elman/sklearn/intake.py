"""X and y as estimators take them, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_array

from .. import _check
from .._arrays import has_axes, to_numpy
from ..data.intake import holds_objects

WIDE = (np.float64, np.float32)  # types that numbers are kept in until they are scaled
FLOAT32 = np.dtype(np.float32)  # which the networks compute with


def numbers(name: str, X: Any) -> Any:
    """An array of any library as one of NumPy; anything else, such as a DataFrame, is left to scikit-learn."""
    return to_numpy(name, X) if hasattr(X, "__dlpack__") else X


def ragged(X: Any) -> list[np.ndarray] | None:
    """The arrays [t_i, d] of a list of sequences, or of a list of [t_i] that differ in length; None for another X."""
    if not isinstance(X, (list, tuple)) and not holds_objects(X):
        return None
    if not len(X) or not all(map(has_axes, X)):
        return None
    rows = [to_numpy(f"X[{i}]", x) for i, x in enumerate(X)]
    if rows[0].ndim != 2 and len({row.shape for row in rows}) == 1:
        return None
    rows = [row[:, None] if row.ndim == 1 else row for row in rows]
    return [_checked(f"X[{i}]", row) for i, row in enumerate(rows)]


def _checked(name: str, row: np.ndarray) -> np.ndarray:
    try:
        return check_array(row, dtype=WIDE, input_name=name)
    except TypeError as error:  # dates and missing values of pandas
        raise ValueError(f"{name}: expected numbers, got {_check.describe(row)}: {error}") from None
