"""Tensors to the engine and back: one forward or backward pass over a stack, without autograd."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from .. import _core
from ..layers import passes
from . import threads
from .cache import Cache, Packed
from .spec import NO_STEPS, Spec, Steps, to_array, to_arrays


class Pass:
    """The arrays of one call: made by its forward pass, used by its backward pass."""

    def __init__(
        self,
        spec: Spec,
        x: Tensor,
        state: Sequence[Tensor],
        weights: Sequence[Tensor],
        dropout: Sequence[Tensor] = (),
        steps: Steps = NO_STEPS,
        cache: Cache | None = None,
    ):
        threads.follow()
        self.spec, self.stack = spec, spec.stack(weights)
        self.x = to_array(x)
        self.state: list[Any] = to_arrays(state) if state else [None] * self.stack.states
        self.weights = weights
        self.packed = cache.get(spec, weights) if cache else Packed(spec, weights)
        self.dropout = to_arrays(dropout)
        self.plans = steps.plans(spec, self.x.shape)

    def new_tape(self, memory: np.ndarray | None = None) -> passes.Tape:
        return passes.Tape(self.stack, self.plans, self.x.shape[:-1], memory)

    def forward(self, tape: passes.Tape | None = None) -> list[Tensor]:
        """y, and each final state [L*D, B, H]."""
        y = self._new(*self.x.shape[:-1], self.stack.D * self.stack.H)
        final = self._new_states()
        passes.forward(
            self.stack, self.packed.forward, self.plans, self.x, y.numpy(), self.state, to_arrays(final),
            self.dropout, tape,
        )  # fmt: skip
        return [y, *final]

    def backward(
        self,
        tape: passes.Tape,
        y: Tensor,
        dy: Tensor | None,
        dstate: Sequence[Tensor | None],
        want_dx: bool = True,
    ) -> tuple[Tensor | None, list[Tensor], list[Tensor]]:
        """The gradients of x (None unless wanted), of each initial state and of each weight. Uses the tape up."""
        threads.follow()
        grads = [self._new(*w.shape) for w in self.weights]
        arrays = to_arrays(grads)
        dinitial = self._new_states()
        dinitial_arrays = to_arrays(dinitial)
        for zeros in (*arrays, *dinitial_arrays):
            zeros.fill(0)
        dx = self._new(*self.x.shape) if want_dx else None
        passes.backward(
            self.stack, self.packed.backward, self.plans, tape, self.spec.nest(arrays), self.x, to_array(y),
            None if dy is None else to_array(dy), None if dx is None else dx.numpy(), self.state,
            [None if d is None else to_array(d) for d in dstate], dinitial_arrays, self.dropout,
        )  # fmt: skip
        return dx, dinitial, grads

    def _new_states(self) -> list[Tensor]:
        shape = (self.stack.L * self.stack.D, self.plans[0].B, self.stack.H)
        return [self._new(*shape) for _ in range(self.stack.states)]

    def _new(self, *shape: int) -> Tensor:
        return new(shape, self.stack.dtype)


def new(shape: Sequence[int], dtype: np.dtype) -> Tensor:
    """A tensor in the engine's memory, not initialised, which any thread may free."""
    return from_dlpack(_core.empty_dlpack(shape, dtype.itemsize))


def step(
    spec: Spec, x: Tensor, state: Sequence[Tensor], weights: Sequence[Tensor], cache: Cache
) -> list[Tensor] | None:
    """What a Pass gives for one step forward in time, all layers in one call; None if it cannot be had just now."""
    threads.follow()
    rows = to_array(x)
    B = rows.shape[1 - spec.batch_first]
    stepper = cache.get(spec, weights).stepper(B)
    L, _, H = stepper.shape
    y = new((*rows.shape[:2], H), rows.dtype)
    final = [new((L, B, H), rows.dtype) for _ in range(stepper.states)]
    done = stepper(rows.reshape(B, -1), to_arrays(state), y.numpy().reshape(B, H), to_arrays(final))
    return [y, *final] if done else None
