"""What a call computes, as tensors and plain values: the stack, and how the sequences lie in x."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .. import _check, _core
from ..stack.cells import CELLS
from ..stack.spec import StackSpec
from ..stack.steps import Plans, Steps, packed_plans

DTYPES: dict[torch.dtype, np.dtype] = {
    torch.float32: np.dtype(np.float32),
    torch.float64: np.dtype(np.float64),
}
_FLOAT32 = DTYPES[torch.float32]


def spec_of(
    cell: str, backwards: tuple[bool, ...], bias: bool, weights: Sequence[Tensor], projected: bool = False
) -> StackSpec:
    """The stack that has these weights, in torch's flat order. All other arguments are of types that an operator's
    schema can hold.

    torch.compile looks into the callers. Its older versions know the fields of such a tuple, but no properties.
    """
    known = CELLS[cell]
    each = _arrays(cell, bias) + projected
    I, H = weights[0].shape[1], weights[0].shape[0] // len(known.gates)  # noqa: E741
    P = weights[1].shape[1] if projected else 0
    # The recurrent weights of several heads are [rows, H / heads].
    heads = H // max(1, weights[1].shape[1]) if len(known.bias_h) > 0 and not projected else 1
    # 16-bit weights are on a GPU, where nothing is laid out by NumPy's types.
    dtype = DTYPES.get(weights[0].dtype, _FLOAT32)
    return StackSpec(cell, I, H, len(weights) // (each * len(backwards)), backwards, bias, dtype, P, heads)


def _arrays(cell: str, bias: bool) -> int:
    """Of each layer and direction."""
    known = CELLS[cell]
    fed = len(known.bias_h) > 0  # whether h feeds a slot, so that there are weights for it
    return (1 + fed) * (1 + bias) + len(known.vectors)


@functools.lru_cache(256)
def facts(
    cell: str,
    I: int,  # noqa: E741
    H: int,
    bidirectional: bool,
    bias: bool,
    batch_first: bool,
    one_step: bool = False,
    heads: int = 1,
) -> Any:
    """A module in the engine's words. `one_step`: whether it is a cell."""
    heads = min(_check.whole_number("heads", heads, 1), H)  # an attribute, which may be set to anything
    return _core.Module(cell, I, H, bidirectional, bias, batch_first, one_step, heads)


@functools.lru_cache(256)
def step_of(module: Any, arrays: int, dtype: torch.dtype) -> tuple[StackSpec, Layout]:
    """The same module in Python's words, for single steps in one direction."""
    layers = arrays // _arrays(module.cell, module.bias)
    sizes = module.I, module.H, layers
    spec = StackSpec(module.cell, *sizes, (False,), module.bias, DTYPES[dtype], heads=module.heads)
    return spec, Layout(module.batch_first)


class Layout(NamedTuple):
    """How the sequences lie in x, which of their steps count (all where the rest is None), the seed of what a cell
    draws at them, and how many of them lie between two checkpoints."""

    batch_first: bool = False
    batch_sizes: Tensor | None = (
        None  # of a PackedSequence: int64 [T]; x is then [rows, I], and the rest is None
    )
    lengths: Tensor | None = None  # int64 [B]
    mask: Tensor | None = None  # bool, as the first two axes of x
    reset: Tensor | None = None
    seed: Tensor | None = None  # int64 [], of a cell that draws random numbers, in training
    checkpoint_every: int = 0  # 0: a tape keeps all. Else there is none until the backward pass

    @property
    def whole(self) -> bool:
        """Whether every step of every sequence counts, without a reset."""
        return self.batch_sizes is None and self.lengths is None and self.mask is None and self.reset is None

    def plans(self, backwards: tuple[bool, ...], shape: Sequence[int]) -> Plans:
        """One for each direction; `shape`: of x with all its axes."""
        if self.batch_sizes is not None:
            return packed_plans(to_array(self.batch_sizes), backwards)
        return self.steps(shape).plans(backwards)

    def steps(self, shape: Sequence[int]) -> Steps:
        """The same as arrays, which have been checked; not of a PackedSequence."""
        T, B = (shape[1], shape[0]) if self.batch_first else (shape[0], shape[1])
        if self.whole:
            return Steps(T, B, self.batch_first)
        lengths, mask, reset = (None if t is None else to_array(t) for t in self[2:5])
        if lengths is not None:
            lengths = _check.lengths("lengths", lengths, T, (B,))
        return Steps(T, B, self.batch_first, lengths, mask, reset)

    def map(self, change: Callable[[Tensor], Tensor]) -> Layout:
        """The same layout, with `change` of each tensor."""
        tensors = {name: part for name, part in self._asdict().items() if isinstance(part, Tensor)}
        return self._replace(**{name: change(part) for name, part in tensors.items()})


TIME_FIRST = Layout()


Counts = tuple[int, int, int, int]


def split(counts: Counts, tensors: Sequence[Any]) -> tuple[Any, ...]:
    """x, the initial states, the weights, dropout's factors and the cell's scalars (one tensor of all, or none), where
    they are in one row; `counts`: of the last four."""
    x, *rest = tensors
    parts, begin = [], 0
    for count in counts:
        parts.append(rest[begin : begin + count])
        begin += count
    return x, *parts


def of_cell(x: Tensor, layout: Layout) -> bool:
    """Whether x is one step [B, I] of a cell, whose states and results have no axis for steps or layers either."""
    return x.dim() == 2 and layout.batch_sizes is None


def steps_outermost(y: Tensor) -> Tensor:
    """y of a batch_first layer in the memory that torch.nn gives it, where steps are outermost all the same. Random
    numbers are drawn in the order of memory, so what drops units of y after the layer drops the same ones."""
    return y.transpose(0, 1).contiguous().transpose(0, 1)


def to_array(tensor: Tensor) -> np.ndarray:
    """The same memory, C-contiguous (else a copy); autograd does not see it."""
    tensor = (tensor.detach() if tensor.requires_grad else tensor).contiguous()
    try:
        return tensor.numpy()
    except RuntimeError:  # negated where it is read, or zeros without memory
        return tensor.numpy(force=True)


def to_arrays(tensors: Sequence[Tensor]) -> list[np.ndarray]:
    return [to_array(t) for t in tensors]


def weight_arrays(weights: Sequence[Tensor]) -> list[np.ndarray]:
    """The same for weights, whose storage stays one that can be resized: Tensor.numpy() would fix its size, and
    FSDP frees weights that way."""
    if any(not w.data_ptr() and w.numel() for w in weights):  # NumPy would put new memory there
        raise RuntimeError("weights: expected memory that holds them, got none: their storage was freed")
    return [np.from_dlpack(w.detach().contiguous().resolve_neg()) for w in weights]
