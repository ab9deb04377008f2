"""Tensors to the engine and back: one forward or backward pass over a stack, without autograd."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

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

    def states(self, fill: Any) -> list[np.ndarray]:
        shape = (self.stack.L * self.stack.D, self.plans[0].B, self.stack.H)
        return [fill(shape, self.stack.dtype) for _ in range(self.stack.states)]

    def new_tape(self, memory: np.ndarray | None = None) -> passes.Tape:
        return passes.Tape(self.stack, self.plans, self.x.shape[:-1], memory)

    def forward(self, tape: passes.Tape | None = None) -> list[Tensor]:
        """y, and each final state [L*D, B, H]."""
        final = self.states(np.empty)
        y = passes.forward(
            self.stack, self.packed.forward, self.plans, self.x, self.state, final, self.dropout, tape
        )
        return [torch.from_numpy(a) for a in (y, *final)]

    def backward(
        self, tape: passes.Tape, y: Tensor, dy: Tensor | None, dstate: Sequence[Tensor | None]
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """The gradients of x, of each initial state and of each weight. Uses the tape up."""
        threads.follow()
        grads = [_core.empty(tuple(w.shape), self.stack.dtype) for w in self.weights]
        for grad in grads:  # np.zeros would take new pages from the system every time: 150 us per MB
            grad.fill(0)
        dinitial = self.states(np.zeros)
        given = [None if d is None else to_array(d) for d in (dy, *dstate)]
        dx = passes.backward(
            self.stack, self.packed.backward, self.plans, tape, self.spec.nest(grads), self.x, to_array(y),
            given[0], self.state, given[1:], dinitial, self.dropout,
        )  # fmt: skip
        tensors = torch.from_numpy
        return tensors(dx), [tensors(d) for d in dinitial], [tensors(g) for g in grads]


def step(
    spec: Spec, x: Tensor, state: Sequence[Tensor], weights: Sequence[Tensor], cache: Cache
) -> list[Tensor] | None:
    """What a Pass gives for one step forward in time, all layers in one call; None if it cannot be had just now."""
    threads.follow()
    rows = to_array(x)
    B = rows.shape[1 - spec.batch_first]
    done = cache.get(spec, weights).stepper(B)(rows.reshape(B, -1), to_arrays(state))
    if done is None:
        return None
    y, *final = done
    return [torch.from_numpy(y.reshape(*rows.shape[:2], -1)), *map(torch.from_numpy, final)]
