"""One forward or backward pass over a stack of tensors on a GPU, without autograd: on the current stream, in torch's
memory, with torch's matrix products."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..stack import gpu
from ..stack.gpu import passes
from ..stack.gpu.plan import Plan, upload, uploaded
from ..stack.gpu.tape import Tape, tape_size
from ..stack.spec import StackSpec
from . import engine
from .spec import Layout, of_cell, steps_outermost

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

    def copy(self, array: Tensor) -> Tensor:
        return array.clone()

    def take(self, array: Tensor, rows: Tensor) -> Tensor:
        return array.index_select(0, rows)

    def clear(self, array: Tensor, rows: Tensor) -> None:
        array.index_fill_(0, rows, 0)

    def current(self) -> contextlib.AbstractContextManager[Any]:
        return torch.cuda.device(self._device) if self._device.type == "cuda" else contextlib.nullcontext()

    def stream(self) -> int:
        return torch.cuda.current_stream(self._device).cuda_stream if self._device.type == "cuda" else 0


class Pass:
    """The tensors of one call, made for its forward pass and again for its backward pass.

    `plans`: those of the forward pass, for its backward pass.
    """

    key = None  # nothing is packed
    dscalars: Sequence[Tensor] = ()

    def __init__(
        self,
        spec: StackSpec,
        layout: Layout,
        x: Tensor,
        state: Sequence[Tensor],
        weights: Sequence[Tensor],
        dropout: Sequence[Tensor] = (),
        scalars: Sequence[Tensor] = (),  # the scans have no cells with any
        cache: Any = None,  # weights need no other layout here
        plans: Sequence[Plan] | None = None,
    ):
        self._of_cell = of_cell(x, layout)
        self._turned = layout.batch_first and x.dim() == 3
        x = _plain(x[None] if self._of_cell else x)
        library = Tensors(x)
        if plans is None and layout.batch_sizes is None:
            plans = uploaded(layout.steps(x.shape), spec.backwards, library)
        elif plans is None:
            plans = upload(layout.plans(spec.backwards, x.shape), library)
        self.plans, self._x = plans, x
        self._state_shape = spec.state_shapes(plans[0].B)[0]
        self._weights = spec.nest([*map(_plain, weights)])
        initial, factors = map(self._state, state), map(_plain, dropout)
        self._pass = passes.Pass(library, spec, plans, x, [*initial], [*factors])

    @staticmethod
    def tape_size(spec: StackSpec, x: Tensor) -> int:
        return tape_size(spec, x.numel() // x.shape[-1], x.element_size())

    def new_memory(self, size: int | None = None) -> Tensor:
        """Memory for a tape, the same for the same call."""
        x = self._x
        if size is None:
            size = self.tape_size(self._pass.spec, x)
        return (x.new_zeros if self._pass.holes else x.new_empty)(size)

    def new_tape(self, memory: Tensor) -> Tape:
        return self._pass.new_tape(memory)

    def again(self) -> Tape:
        """As engine.Pass.again; there are no checkpoints here."""
        tape = self.new_tape(self.new_memory())
        self.forward(tape)
        return tape

    def forward(self, tape: Tape | None = None) -> list[Tensor]:
        """y, and each final state [L*D, B, H]; the tape gets what backward needs."""
        y, final = self._pass.forward(self._weights, tape)
        return [steps_outermost(y) if self._turned else self._out(y), *map(self._out, final)]

    def backward(
        self,
        tape: Tape,
        dy: Tensor | None,
        dstate: Sequence[Tensor | None],
        want_dx: bool = True,
        want_dinitial: bool = True,
        names: Collection[str] | None = None,
        want_dscalars: bool = False,
    ) -> tuple[Tensor | None, list[Tensor], list[Tensor | None]]:
        """As engine.Pass.backward."""
        dfinal = [None if d is None else self._state(d) for d in dstate]
        dy = None if dy is None else _plain(dy)
        wants = want_dx, want_dinitial, names
        dx, dinitial, grads = self._pass.backward(self._weights, tape, dy, dfinal, *wants)
        spec = self._pass.spec
        found = spec.named(grads)
        given = [found.get(name) for name in spec.names]
        return None if dx is None else self._out(dx), [*map(self._out, dinitial)], given

    def _state(self, state: Tensor) -> Tensor:
        return _plain(state).reshape(self._state_shape)

    def _out(self, result: Tensor) -> Tensor:
        return result[0] if self._of_cell else result


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().contiguous()
