"""Tensors to the engine and back: one forward or backward pass over a stack, without autograd."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import _core
from ..stack import processor
from ..stack.spec import StackSpec
from ..stack.steps import Plans
from . import threads
from .cache import TENSORS, Cache, Packed
from .spec import Layout, of_cell, to_array, to_arrays


class Pass:
    """The arrays of one call, made for its forward pass and again for its backward pass.

    `plans`: those of the forward pass, for its backward pass.
    """

    def __init__(
        self,
        spec: StackSpec,
        layout: Layout,
        x: Tensor,
        state: Sequence[Tensor],
        weights: Sequence[Tensor],
        dropout: Sequence[Tensor] = (),
        scalars: Sequence[Tensor] = (),
        cache: Cache | None = None,
        plans: Plans | None = None,
    ):
        threads.follow()
        self._spec, self._batch_first, self._of_cell = spec, layout.batch_first, of_cell(x, layout)
        self._checkpoint_every = layout.checkpoint_every
        self._x = self._array(x)
        self._packed = cache.get(spec, weights) if cache else Packed(spec, weights)
        self.key = self._packed.key
        self.plans = plans or layout.plans(spec.backwards, self._x.shape)
        initial: list[Any] = [self._array(s) for s in state] or [None] * spec.states
        numbers = self._array(scalars[0]) if scalars else None
        seed = None if layout.seed is None else int(layout.seed)
        self._pass = processor.Pass(
            spec, self.plans, self._x, initial, to_arrays(dropout), scalars=numbers, seed=seed
        )

    @staticmethod
    def tape_size(spec: StackSpec, x: Tensor) -> int:
        # For as many steps as x has rows, so that the shape does not depend on lengths.
        rows = x.numel() // x.shape[-1]
        return processor.tape_size(spec, rows, rows)

    def new_memory(self, size: int | None = None) -> Tensor:
        """Memory for a tape. If `size` is given it is zeros, so that equal calls have equal tapes, even where nobody
        reads."""
        if size is not None:
            return torch.from_numpy(np.zeros(size, self._spec.dtype))
        steps = max(plan.total for plan in self.plans)
        return new((processor.tape_size(self._spec, steps, self.plans[0].rows),), self._spec.dtype)

    def new_tape(self, memory: Tensor) -> _core.Tape:
        return self._pass.new_tape(to_array(memory))

    def again(self) -> _core.Tape:
        """The tape of a forward pass that kept none, which is taken once more: with the layout's checkpoints."""
        tape = self._pass.new_tape(checkpoint_every=self._checkpoint_every)
        _, final = self._new_states()
        self._pass.forward_into(self._packed.forward, tape, None, final)
        return tape

    def forward(self, tape: _core.Tape | None = None) -> list[Tensor]:
        """y, and each final state [L*D, B, H]."""
        final, arrays = self._new_states()
        alone = tape is not None and self._of_cell  # a cell gives h only; y can be the same memory then
        y = final[0].detach() if alone else self._new_y()
        rows = None if tape else self._rows_of(y)
        self._pass.forward_into(self._packed.forward, tape, rows, arrays)
        if tape:
            rows = tape.y.reshape(y.shape)
        if not alone and (tape or not y.is_contiguous()):
            y.copy_(torch.from_numpy(rows))
        return [y, *final]

    def _rows_of(self, y: Tensor) -> np.ndarray:
        """An array for y in the order of x: y's own memory, if it has this order."""
        return self._in_full(y) if y.is_contiguous() else _core.empty(tuple(y.shape), self._spec.dtype)

    def _new_y(self) -> Tensor:
        lead, width = self._x.shape[:-1], self._spec.width
        if not self._batch_first or len(lead) < 2:
            return self._new((*lead, width))
        turned = self._new((lead[1], lead[0], width)).transpose(0, 1)  # in memory as steps_outermost says
        return turned.detach()  # a view made here could not be changed in place under autograd

    def backward(
        self,
        tape: _core.Tape,
        dy: Tensor | None,
        dstate: Sequence[Tensor | None],
        want_dx: bool = True,
        want_dinitial: bool = True,
        names: Collection[str] | None = None,
        want_dscalars: bool = True,
    ) -> tuple[Tensor | None, list[Tensor], list[Tensor | None]]:
        """The gradients of x (None unless wanted), of each initial state (undefined unless wanted) and of each weight;
        None for those of parts without one of these `names`. `dscalars` has those of the cell's scalars then. Uses the
        tape up."""
        spec = self._spec
        wanted = spec.wanted(names)
        grads = spec.gradients(wanted, self._zeros)
        arrays = [[[grad if grad is None else grad.numpy() for grad in one] for one in of] for of in grads]
        dinitial, dinitial_arrays = self._new_states()
        dx = self._new(self._x.shape) if want_dx else None
        self._pass.backward_into(
            self._packed.backward, tape, self._array(dy), [self._array(d) for d in dstate],
            None if dx is None else self._in_full(dx), dinitial_arrays, arrays,
            spec.first(wanted, want_dx or want_dinitial or (want_dscalars and bool(self.dscalars))),
        )  # fmt: skip
        found = spec.named(grads)
        return dx, dinitial, [found.get(name) for name in spec.names]

    @property
    def dscalars(self) -> list[Tensor]:
        """The gradient of the cell's scalars, where it has any."""
        made = self._pass.dscalars
        return [] if made is None else [torch.from_numpy(made)]

    def _zeros(self, shape: tuple[int, ...]) -> Tensor:
        made = new(shape, self._spec.dtype)
        made.numpy().fill(0)
        return made

    def _new_states(self) -> tuple[list[Tensor], list[np.ndarray]]:
        """New states, and their memory."""
        states = [self._new(shape) for shape in self._spec.state_shapes(self.plans[0].B)]
        return states, [self._in_full(state) for state in states]

    def _new(self, shape: Sequence[int]) -> Tensor:
        return new(shape[1:] if self._of_cell else shape, self._spec.dtype)

    def _in_full(self, made: Tensor) -> np.ndarray:
        """The memory of a tensor made here, with the axes of a sequence."""
        array = made.numpy()
        return array[None] if self._of_cell else array

    def _array(self, tensor: Tensor | None) -> Any:
        """The same memory with the axes of a sequence."""
        if tensor is None:
            return None
        array = to_array(tensor)
        return array[None] if self._of_cell else array


def new(shape: Sequence[int], dtype: np.dtype) -> Tensor:
    """A tensor in the engine's memory, not initialised, which any thread may free."""
    made: Tensor = TENSORS.new(shape, dtype.itemsize)
    return made
