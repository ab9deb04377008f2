"""Dropout of features between layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _check
from .._arrays import returner, to_numpy
from .parameters import Parameters


class Dropout(Parameters):
    """Zeroes a share of the features in training and scales the others by 1 / (1 - p) (Srivastava et al. 2014).

    For dropout inside a recurrent layer see its arguments `dropout` and `recurrent_dropout`.

    Args:
        p: the share, from 0 up to, not including, 1.
        variational: one mask for all steps of a sequence (Gal & Ghahramani 2016), x being [T, B, F];
            otherwise each step has its own.
        seed: of the masks: a whole number or a generator; None for new ones.

    Raises:
        ValueError: an argument has the wrong type or value.
    """

    _options = ("p", "variational")

    def __init__(self, p: float, variational: bool = False, seed: Any = None):
        self.p = _check.fraction("p", p)
        self.variational = _check.flag("variational", variational)
        self._rng = np.random.default_rng(seed)
        self._hold({})

    def __repr__(self) -> str:
        return f"Dropout({self.p}, variational={self.variational})"

    def __call__(self, x: Any) -> Any:
        """x itself: nothing is dropped outside training."""
        values = to_numpy("x", x)
        return x if values is x else returner(x)(values)

    def forward(self, x: Any) -> tuple[Any, Callable[[Any], Any]]:
        """x [..., F] with a share dropped, and `backward(dy)`, which returns dx of the same shape.

        Raises:
            ValueError: x is not of a float type, or not [T, B, F] for variational dropout.
        """
        wrap, values = returner(x), _check.floats("x", x)
        if not self.p:
            return self(x), lambda dy: dy
        if self.variational and values.ndim != 3:
            raise ValueError(f"x: expected [T, B, F] for variational dropout, got {_check.describe(values)}")
        assert self._rng is not None
        shape, dtype = values.shape, values.dtype
        drawn = (1, *shape[1:]) if self.variational else shape
        kept = self._rng.random(drawn, np.float32) >= self.p
        scale = dtype.type(1 / (1 - self.p))

        def chosen(values: np.ndarray) -> Any:
            return wrap(np.where(kept, values * scale, dtype.type(0)))

        return chosen(values), lambda dy: chosen(_check.array("dy", dy, shape, dtype))
