"""The affine map that turns hidden units into predictions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, overload

import numpy as np

from .. import _check, _core, init
from .._arrays import returner
from .parameters import Parameters
from .steppers import Stateless
from .store import Made
from .wanted import told, wanted_of


class Linear(Parameters):
    """y = x W^T + b over the last axis. A row of y has the same bits whatever rows stand beside it.

    Args:
        in_features: size I of the last axis of x.
        out_features: size O of the last axis of y.
        bias: whether there is a b.
        dtype: float32 or float64.
        seed: of the initial weights (Glorot uniform; b is 0): a whole number or a generator; None for new ones.

    Parameters: `weight` [O, I], `bias` [O].

    Raises:
        ValueError: an argument has the wrong type or value.
    """

    _fixed = _options = ("in_features", "out_features", "bias", "dtype")

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        dtype: Any = np.float32,
        seed: Any = None,
    ):
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

    def _shapes(self) -> str:
        return f"[..., {self.in_features}] -> [..., {self.out_features}]"

    def _made(self) -> Made:
        """The weights in the engine's layout."""
        own = self._store.values
        return self._store.made(
            "packed", lambda: _core.pack_linear(own["weight"], own.get("bias")), _core.isa()
        )

    def stepper(self, batch_size: int) -> Stateless:
        """This layer with its weights as they are now, for x [..., I] of any shape, whatever `batch_size` is."""
        return Stateless(functools.partial(self._apply, self._made().value))

    @overload
    def __call__(self, x: np.ndarray) -> np.ndarray: ...
    @overload
    def __call__(self, x: Any) -> Any: ...
    def __call__(self, x: Any) -> Any:
        """y [..., O] for x [..., I], an array of any library or a list; y is of x's kind.

        Raises:
            ValueError: the last axis of x is not I, or its dtype is not the layer's.
        """
        return self._apply(self._made().value, x)

    def _apply(self, packed: Any, x: Any) -> Any:
        return returner(x)(self._product(packed, _check.last_axis("x", x, self.in_features, self.dtype)))

    def _product(self, packed: Any, rows: np.ndarray) -> np.ndarray:
        y = _core.empty((*rows.shape[:-1], self.out_features), self.dtype)
        _core.linear(packed, rows, y)
        return y

    def forward(self, x: Any) -> tuple[Any, Callable[..., Any]]:
        """y [..., O] for x [..., I], and `backward(dy, need_dx=True)`, which adds to the gradients and returns dx
        [..., I], None if it is not needed; it refuses to run when the parameters have been changed.

        Raises:
            ValueError: the last axis of x is not I, or its dtype is not the layer's.
        """
        wrap, x = returner(x), _check.last_axis("x", x, self.in_features, self.dtype)
        packed = self._made()
        version, y = packed.version, self._product(packed.value, x)
        shape = y.shape  # not y itself: it need not live as long

        own, wanted = self._store, wanted_of(self._store)

        @told
        def backward(dy: Any, need_dx: bool = True) -> Any:
            dy = _check.array("dy", dy, shape, self.dtype)
            dx = _core.empty(x.shape, self.dtype) if need_dx else None
            with own.lock:
                own.expect(version)
                weight = own.values["weight"]
                grads: Any = {name: own.grads[name] for name in wanted}
                if "bias" in grads and "weight" not in grads:  # the engine sums both in one pass
                    grads["weight"] = np.zeros_like(weight)
                if need_dx or grads:
                    _core.linear_backward(weight, x, dy, dx, grads.get("weight"), grads.get("bias"))
            return None if dx is None else wrap(dx)

        return wrap(y), backward
