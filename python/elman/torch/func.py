"""The operators under torch.func. Its transforms do not take the derivative that is registered for an operator. So each
operator gets a Function around it, of the kind that they take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from . import ops
from .spec import split


def run(
    x: Tensor,
    state: Sequence[Tensor],
    weights: Sequence[Tensor],
    dropout: Sequence[Tensor],
    plain: tuple[Any, ...],
) -> Any:
    """y, h, c and the tape; `plain`: the operator's arguments after the tensors, but for `keep`."""
    counts = len(state), len(weights), len(dropout)
    return _Forward.apply(plain, counts, x, *state, *weights, *dropout)


class _Forward(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(plain: Any, counts: Any, *tensors: Tensor) -> Any:
        return ops.rnn(*split(counts, tensors), *plain, True)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.plain, ctx.counts, *tensors = inputs
        *_, tape = output
        ctx.mark_non_differentiable(tape)
        ctx.save_for_backward(tape, *tensors)

    @staticmethod
    def backward(ctx: Any, dy: Tensor, dh: Tensor, dc: Tensor, _: Any) -> Any:
        grads = _Backward.apply(ctx.plain, ctx.counts, dy, dh, dc, *ctx.saved_tensors)
        return None, None, *grads, *[None] * ctx.counts[2]


class _Backward(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(plain: Any, counts: Any, dy: Tensor, dh: Tensor, dc: Tensor, *kept: Tensor) -> Any:
        tape, *tensors = kept
        return tuple(ops.rnn_backward(dy, dh, dc, tape, *split(counts, tensors), *plain))

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        raise RuntimeError(
            "elman.torch: expected first derivatives of torch.func's, got torch.autograd around them; take both by one "
            "of the two, or call inside `with elman.torch.restored(model):`"
        )
