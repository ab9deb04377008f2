"""Dropout of features between layers, and what recurrent layers draw for theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import numpy as np

from .. import _check
from .._arrays import returner, to_numpy
from ..stack.spec import StackSpec
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

    @overload
    def __call__(self, x: np.ndarray) -> np.ndarray: ...
    @overload
    def __call__(self, x: Any) -> Any: ...
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


def factors_between(
    spec: StackSpec, share: float, rows: tuple[int, ...], rng: np.random.Generator
) -> list[np.ndarray]:
    """0, or 1 / (1 - p), for every result [*rows, D*H] of all layers of a stack but the last; none if p is 0."""
    return [_factors(share, (*rows, spec.width), spec.dtype, rng) for _ in range(spec.L - 1 if share else 0)]


def factors_within(spec: StackSpec, share: float, B: int, rng: np.random.Generator) -> np.ndarray | None:
    """[L*D, B, H]: 0, or 1 / (1 - p), for h on its way into each sequence's recurrent products; None if p is 0."""
    return _factors(share, spec.state_shapes(B)[0], spec.dtype, rng) if share else None


def _factors(share: float, shape: tuple[int, ...], dtype: np.dtype, rng: np.random.Generator) -> np.ndarray:
    return (rng.random(shape, np.float32) >= share).astype(dtype) / (1 - share)
