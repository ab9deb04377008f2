"""What a call computes, as tensors and plain values, and how the engine sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .. import _core
from ..stack.arguments import check_lengths
from ..stack.spec import StackSpec, Weights

DTYPES: dict[torch.dtype, np.dtype] = {
    torch.float32: np.dtype(np.float32),
    torch.float64: np.dtype(np.float64),
}


class Spec(NamedTuple):
    """What a call computes, beside its tensors. Hashable, and made of what an operator's schema can hold."""

    cell: str  # "lstm", "gru", "rnn_tanh" or "rnn_relu"
    backwards: tuple[bool, ...]  # for each direction, whether it runs backwards in time
    bias: bool
    batch_first: bool

    def stack(self, weights: Sequence[Tensor]) -> StackSpec:
        """The stack whose weights, in torch's order, these are."""
        D = len(self.backwards)
        L = len(weights) // (D * self._per_direction)
        # 16-bit weights are on a GPU, where nothing is laid out by NumPy's types.
        dtype = DTYPES.get(weights[0].dtype, np.dtype(np.float32))
        I, H = weights[0].shape[1], weights[1].shape[1]  # noqa: E741
        return StackSpec(self.cell, I, H, L, self.backwards, self.bias, dtype)

    def nest(self, weights: Sequence[np.ndarray]) -> Weights:
        """[layer][direction]: weight_ih, weight_hh, bias_ih, bias_hh, from torch's flat order."""
        D, n = len(self.backwards), self._per_direction
        groups = [list(weights[i : i + n]) + [None] * (4 - n) for i in range(0, len(weights), n)]
        return [groups[i : i + D] for i in range(0, len(groups), D)]

    @property
    def _per_direction(self) -> int:
        return 4 if self.bias else 2


class Steps(NamedTuple):
    """Which steps count: all None for whole sequences. Either batch_sizes or the rest."""

    batch_sizes: Tensor | None = None  # of a PackedSequence: int64 [T]; x is then [rows, I]
    lengths: Tensor | None = None  # int64 [B]
    mask: Tensor | None = None  # bool, as the first two axes of x
    reset: Tensor | None = None

    def plans(self, spec: Spec, shape: Sequence[int]) -> list[_core.Plan]:
        """One for each direction."""
        if self.batch_sizes is not None:
            sizes = to_array(self.batch_sizes)
            return [_core.Plan.packed(sizes, back) for back in spec.backwards]
        T, B = (shape[1], shape[0]) if spec.batch_first else (shape[0], shape[1])
        if self is NO_STEPS:
            return [_core.Plan(T, B, spec.batch_first, back, None, None, None) for back in spec.backwards]
        lengths, mask, reset = (None if t is None else to_array(t) for t in self[1:])
        lengths = check_lengths(lengths, T, B, True)
        return [_core.Plan(T, B, spec.batch_first, back, lengths, mask, reset) for back in spec.backwards]


NO_STEPS = Steps()


def of_cell(x: Tensor, steps: Steps) -> bool:
    """Whether x is one step [B, I] of a cell, whose states and results have no axis for steps or layers either."""
    return x.dim() == 2 and steps.batch_sizes is None


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
