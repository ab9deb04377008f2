"""One forward or backward pass over a stack of tensors on a GPU, without autograd: on the current stream, in torch's
memory, with torch's matrix products."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..stack import gpu
from ..stack.cells import CELLS
from ..stack.gpu.plan import Plan, whole
from ..stack.gpu.stack import Stack
from ..stack.gpu.tape import Tape, tape_size
from . import engine
from .spec import NO_STEPS, Spec, Steps, of_cell, steps_outermost

KINDS = {"cuda"}  # of devices, by torch's names
TYPES = {torch.float32: "float32", torch.float16: "float16", torch.bfloat16: "bfloat16"}
_OTHER_TYPES = {"float32": torch.float32, "int32": torch.int32}


def pass_for(x: Tensor) -> Any:
    """The class of a pass over tensors where x is."""
    return Pass if x.device.type in KINDS else engine.Pass


def reason(weight: Tensor) -> str | None:
    """Why a module with this weight, on a GPU, runs torch's own code."""
    scans, why = gpu.find()
    if scans is None:
        return f"its weights are on {weight.device}, and {why}"
    if weight.dtype not in TYPES:
        return f"its weights are {str(weight.dtype).removeprefix('torch.')}"
    return None


class Tensors:
    """torch as the library of a stack's arrays."""

    def __init__(self, x: Tensor):
        self._device, self._type = x.device, x.dtype
        self.dtype, self.itemsize = TYPES[x.dtype], x.element_size()
        if self._type == torch.float32 and torch.get_float32_matmul_precision() != "highest":
            self.dtype = "tf32"

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Tensors) and (self._device, self.dtype) == (other._device, other.dtype)

    def __hash__(self) -> int:
        return hash((self._device, self.dtype))

    def zeros(self, *shape: int, dtype: str = "") -> Tensor:
        return torch.zeros(shape, dtype=_OTHER_TYPES.get(dtype, self._type), device=self._device)

    def empty(self, *shape: int, dtype: str = "") -> Tensor:
        return torch.empty(shape, dtype=_OTHER_TYPES.get(dtype, self._type), device=self._device)

    def view(self, array: Tensor, dtype: str) -> Tensor:
        return array.view(_OTHER_TYPES.get(dtype, self._type))

    def upload(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self._device)

    def address(self, array: Tensor) -> int:
        return array.data_ptr()

    def affine(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return x @ weight.T if bias is None else torch.addmm(bias, x, weight.T)

    def concatenate(self, parts: list[Tensor]) -> Tensor:
        return torch.cat(parts)

    def take(self, array: Tensor, rows: Tensor) -> Tensor:
        return array.index_select(0, rows)

    def current(self) -> contextlib.AbstractContextManager[Any]:
        return torch.cuda.device(self._device) if self._device.type == "cuda" else contextlib.nullcontext()

    def stream(self) -> int:
        return torch.cuda.current_stream(self._device).cuda_stream if self._device.type == "cuda" else 0


class Pass:
    """The tensors of one call, made for its forward pass and again for its backward pass.

    `plans`: those of the forward pass, for its backward pass.
    """

    key = None  # nothing is packed

    def __init__(
        self,
        spec: Spec,
        x: Tensor,
        state: Sequence[Tensor],
        weights: Sequence[Tensor],
        dropout: Sequence[Tensor] = (),
        steps: Steps = NO_STEPS,
        cache: Any = None,  # weights need no other layout here
        plans: list[Plan] | None = None,
    ):
        library = Tensors(x)
        D, per = len(spec.backwards), 4 if spec.bias else 2
        flat = [w.detach().contiguous() for w in weights]
        groups = [flat[i : i + per] for i in range(0, len(flat), per)]
        layers = [groups[i : i + D] for i in range(0, len(groups), D)]
        self._of_cell = of_cell(x, steps)
        self._lead = x.shape[:-1]
        self._turned = spec.batch_first and x.dim() == 3
        shape = (1, *x.shape) if self._of_cell else x.shape
        if plans:
            pass
        elif steps is NO_STEPS:
            T, B = (shape[1], shape[0]) if spec.batch_first else (shape[0], shape[1])
            plans = whole(T, B, spec.batch_first, spec.backwards, library)
        else:
            plans = [Plan(plan, library) for plan in steps.plans(spec, shape)]
        self.plans = plans
        self._state_shape = len(groups), plans[0].B, weights[1].shape[1]
        self._cell, self._x = spec.cell, _rows(x)
        self._stack = Stack(
            library, spec.cell, layers, plans, [self._state(s) for s in state], [_rows(f) for f in dropout]
        )

    @staticmethod
    def tape_size(spec: Spec, x: Tensor, weights: Sequence[Tensor]) -> int:
        stack = spec.stack(weights)
        cell = CELLS[spec.cell]
        return tape_size(cell, stack.L, stack.D, stack.H, x.numel() // x.shape[-1], x.element_size())

    def new_memory(self, size: int | None = None) -> Tensor:
        """For a tape, the same for the same call."""
        x, stack = self._x, self._stack
        if size is None:
            size = tape_size(CELLS[self._cell], stack.L, stack.D, stack.H, len(x), x.element_size())
        return (x.new_zeros if stack.holes else x.new_empty)(size)

    def new_tape(self, memory: Tensor) -> Tape:
        return self._stack.new_tape(len(self._x), memory)

    def forward(self, tape: Tape | None = None) -> list[Tensor]:
        """y, and each final state [L*D, B, H]; the tape gets what backward needs."""
        y, final = self._stack.forward(self._x, tape)
        if tape is not None:
            y = y.clone()
        y = y.reshape(*self._lead, -1)
        return [steps_outermost(y) if self._turned else y, *map(self._state_out, final)]

    def backward(
        self,
        tape: Tape,
        dy: Tensor | None,
        dstate: Sequence[Tensor | None],
        want_dx: bool = True,
    ) -> tuple[Tensor | None, list[Tensor], list[Tensor]]:
        """The gradients of x (None unless wanted), of each initial state and of each weight. Uses the tape up."""
        dx, dinitial, grads = self._stack.backward(
            tape, self._x, None if dy is None else _rows(dy),
            [None if d is None else self._state(d) for d in dstate], want_dx,
        )  # fmt: skip
        dx = None if dx is None else dx.reshape(*self._lead, -1)
        return dx, [*map(self._state_out, dinitial)], [grad for group in grads for grad in group]

    def _state(self, state: Tensor) -> Tensor:
        return state.detach().reshape(self._state_shape).contiguous()

    def _state_out(self, state: Tensor) -> Tensor:
        return state[0] if self._of_cell else state


def _rows(tensor: Tensor) -> Tensor:
    return tensor.detach().reshape(-1, tensor.shape[-1]).contiguous()
