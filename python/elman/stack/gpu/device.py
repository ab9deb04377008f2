"""A GPU as the device of a call, and a pass there."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from ... import _check
from ..spec import StackSpec, Weights
from ..steps import Steps
from . import arrays, cells, find
from .plan import Plan, uploaded
from .stack import Stack
from .tape import Tape


def device_of(x: Any, spec: StackSpec, recurrent_dropout: float = 0.0) -> Gpu | None:
    """Where x lies; None for main memory.

    Raises:
        ValueError: no such call can run there.
    """
    if not arrays.on_gpu(x):
        return None
    scans, why = find()
    if scans is None:
        raise ValueError(f"x: expected an array in main memory ({why}), got one on a GPU")
    if spec.dtype != np.float32:
        raise ValueError(f"x: expected an array in main memory for a {spec.dtype} layer, got one on a GPU")
    if recurrent_dropout:
        raise ValueError(f"recurrent_dropout: expected 0 on a GPU, got {recurrent_dropout}")
    return Gpu(arrays.library_of(x))


class Gpu:
    """As passes.Device says, of arrays on a GPU."""

    def __init__(self, library: arrays.Arrays):
        self._library = library

    def new_pass(
        self,
        spec: StackSpec,
        steps: Steps,
        x: Any,
        initial: Sequence[Any],
        dropout: Sequence[Any] = (),
        factors: Any = None,
    ) -> Pass:
        assert factors is None
        return Pass(self._library, spec, uploaded(steps, spec.backwards, self._library), x, initial, dropout)

    def weights(self, spec: StackSpec, nest: Weights, back: bool) -> Any:
        """[layer][direction]: the weights there are, on the GPU."""
        return [[[self.put(w) for w in one if w is not None] for one in layer] for layer in nest]

    def weights_key(self, back: bool) -> tuple[str, Hashable]:
        return "uploaded", self._library

    def take(self, name: str, value: Any, dtype: Any = None) -> Any:
        if not arrays.on_gpu(value):
            raise ValueError(f"{name}: expected an array on the GPU, as x is, got {_check.describe(value)}")
        return self._library.own(value)

    def put(self, array: np.ndarray) -> Any:
        return self._library.upload(array)

    def host(self, value: Any) -> Any:
        if hasattr(value, "get") and arrays.on_gpu(value):
            return np.asarray(value.get(), order="C")
        return value


class Pass:
    """As passes.Pass says."""

    def __init__(
        self,
        library: arrays.Arrays,
        spec: StackSpec,
        plans: Sequence[Plan],
        x: Any,
        initial: Sequence[Any],
        dropout: Sequence[Any] = (),
    ):
        self._library, self.spec, self.plans, self.x = library, spec, plans, x
        self._initial = [state for state in initial if state is not None]
        self._dropout = [factors.reshape(-1, factors.shape[-1]) for factors in dropout]

    def _stack(self, weights: Any) -> Stack:
        return Stack(self._library, self.spec.cell, weights, self.plans, self._initial, self._dropout)

    def new_tape(self) -> Tape:
        holes, rows = any(plan.has_holes for plan in self.plans), self.plans[0].rows
        spec = self.spec
        return Tape(self._library, cells()[spec.cell], spec.L, spec.D, spec.H, rows, holes)

    def forward(self, weights: Any, tape: Tape | None = None) -> tuple[Any, list[Any]]:
        x = self.x.reshape(-1, self.spec.I)
        y, final = self._stack(weights).forward(x, tape)
        if tape is not None:
            y = y.copy()
        return y.reshape(*self.x.shape[:-1], -1), final

    def backward(
        self, weights: Any, tape: Tape, dy: Any, dfinal: Sequence[Any], want_dx: bool = True
    ) -> tuple[Any, list[Any], Weights]:
        if dy is not None:
            dy = dy.reshape(-1, self.spec.width)
        x = self.x.reshape(-1, self.spec.I)
        dx, dinitial, grads = self._stack(weights).backward(tape, x, dy, dfinal, want_dx)
        dx = None if dx is None else dx.reshape(self.x.shape)
        return dx, dinitial, [grads[i : i + self.spec.D] for i in range(0, len(grads), self.spec.D)]
