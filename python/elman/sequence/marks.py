"""Which steps of which sequence count."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check


def known_steps(T: int, B: int, lengths: Any = None, mask: Any = None) -> np.ndarray | None:
    """[T, B] bool: True for the steps within `lengths` [B] where `mask` [T, B] is True; None if all are.

    Raises:
        ValueError: lengths or mask has the wrong shape, type or value.
    """
    known = None
    if lengths is not None:
        known = np.arange(T)[:, None] < _check.lengths("lengths", lengths, T, (B,))
    if mask is not None:
        marks = np.asarray(mask)
        if marks.shape != (T, B) or marks.dtype != np.bool_:
            raise ValueError(f"mask: expected [{T}, {B}] bool, got {_check.describe(marks)}")
        known = marks if known is None else known & marks
    return known
