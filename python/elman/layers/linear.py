"""The affine map that turns hidden units into predictions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import _check, init
from .parameters import Parameters


class Linear(Parameters):
    """y = x W^T + b over the last axis.

    Args:
        in_features: size I of the last axis of x.
        out_features: size O of the last axis of y.
        bias: whether there is a b.
        dtype: float32 or float64.
        seed: of the initial weights (Glorot uniform; b is 0).

    Parameters: `weight` [O, I], `bias` [O].
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, dtype=np.float32, seed=None):
        self.in_features = _check.whole_number("in_features", in_features, 1)
        self.out_features = _check.whole_number("out_features", out_features, 1)
        self.bias = _check.flag("bias", bias)
        self.dtype = _check.float_type("dtype", dtype)
        rng = np.random.default_rng(seed)
        parameters = {"weight": init.glorot(rng, (self.out_features, self.in_features), self.dtype)}
        if bias:
            parameters["bias"] = np.zeros(self.out_features, self.dtype)
        self._hold(parameters)

    def __repr__(self) -> str:
        return f"Linear({self.in_features}, {self.out_features}, bias={self.bias}, dtype={self.dtype})"

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """y [..., O] for x [..., I]."""
        return self.forward(x)[0]

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        """y [..., O], and `backward(dy)`, which adds to the gradients and returns dx [..., I].

        Raises:
            ValueError: the last axis of x is not I, or its dtype is not the layer's.
        """
        if x.ndim < 1 or x.shape[-1] != self.in_features or x.dtype != self.dtype:
            raise ValueError(f"x: expected [..., {self.in_features}] {self.dtype}, got {_check.describe(x)}")
        weight = self.parameters["weight"]
        y = x @ weight.T
        if self.bias:
            y += self.parameters["bias"]

        def backward(dy: np.ndarray) -> np.ndarray:
            if dy.shape != y.shape or dy.dtype != self.dtype:
                raise ValueError(
                    f"dy: expected {_check.shape_text(y.shape)} {self.dtype}, got {_check.describe(dy)}"
                )
            rows = dy.reshape(-1, self.out_features)
            self.grads["weight"] += rows.T @ x.reshape(-1, self.in_features)
            if self.bias:
                self.grads["bias"] += rows.sum(axis=0)
            return dy @ weight

        return y, backward
