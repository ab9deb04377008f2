"""The operators under torch.func. Its transforms do not take the derivative that is registered for an operator. So each
operator gets a Function around it, of the kind that they take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..stack.spec import StackSpec
from . import cell_ops
from .spec import Layout, split


def run(spec: StackSpec, layout: Layout, groups: Sequence[Any]) -> Any:
    """y, each final state and the tape; `groups`: x, state, weights, dropout and the cell's scalars."""
    x, *lists = groups
    counts = tuple(map(len, lists))
    return _Forward.apply((spec, layout), counts, x, *(t for one in lists for t in one))


class _Forward(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(plain: Any, counts: Any, *tensors: Tensor) -> Any:
        spec, layout = plain
        return tuple(cell_ops.run(spec, layout, split(counts, tensors), True))

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.plain, ctx.counts, *tensors = inputs
        *_, tape = output
        ctx.mark_non_differentiable(tape)
        ctx.save_for_backward(tape, *tensors)

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> Any:
        results = given[:-1]  # but the tape
        grads = _Backward.apply(ctx.plain, ctx.counts, len(results), *results, *ctx.saved_tensors)
        s, w, d, _ = ctx.counts
        return None, None, *grads[: 1 + s + w], *[None] * d, *grads[1 + s + w :]


class _Backward(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(plain: Any, counts: Any, given: int, *tensors: Tensor) -> Any:
        tape, *kept = tensors[given:]
        spec, layout = plain
        return tuple(cell_ops.run_back(spec, layout, tensors[:given], tape, split(counts, kept)))

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        raise RuntimeError(
            "elman.torch: expected first derivatives of torch.func's, got torch.autograd around them; take both by one "
            "of the two, or call inside `with elman.torch.restored(model):`"
        )
