"""Dropout of features between layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _check
from .parameters import Parameters


class Dropout(Parameters):
    """Zeroes a share of the features in training and scales the others by 1 / (1 - p) (Srivastava et al. 2014).

    For dropout inside a recurrent layer see its arguments `dropout` and `recurrent_dropout`.

    Args:
        p: the share.
        variational: one mask for all steps of a sequence (Gal & Ghahramani 2016), x being [T, B, F];
            otherwise each step has its own.
        seed: of the masks.
    """

    def __init__(self, p: float, variational: bool = False, seed: Any = None):
        self.p = _check.fraction("p", p)
        self.variational = _check.flag("variational", variational)
        self._rng = np.random.default_rng(seed)
        self._hold({})

    def __repr__(self) -> str:
        return f"Dropout({self.p}, variational={self.variational})"

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """x itself: nothing is dropped outside training."""
        return x

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        """x with a share dropped, and `backward(dy)`, which returns dx."""
        if not self.p:
            return x, lambda dy: dy
        if self.variational and x.ndim != 3:
            raise ValueError(f"x: expected [T, B, F] for variational dropout, got {_check.describe(x)}")
        assert self._rng is not None
        shape = (1, *x.shape[1:]) if self.variational else x.shape
        kept = self._rng.random(shape, np.float32) >= self.p
        factors = np.multiply(kept, 1 / (1 - self.p), dtype=x.dtype)
        return x * factors, lambda dy: dy * factors
