"""A call of a stack as a node of autograd: both passes go straight to the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..stack.spec import StackSpec
from . import gpu, reference
from .cache import Cache
from .spec import Layout, split


class Call(torch.autograd.Function):
    """Inputs: x, the initial states (none or all), the weights, then dropout's factors.

    All that is large is in saved tensors, the tape included, where checkpoints and hooks for saved tensors find it.
    """

    @staticmethod
    def forward(
        ctx: Any,
        spec: StackSpec,
        layout: Layout,
        cache: Cache | None,
        counts: tuple[int, int, int],
        *tensors: Tensor,
    ) -> Any:
        x, state, weights, dropout = split(counts, tensors)
        call: Any = gpu.pass_for(x)(spec, layout, x, state, weights, dropout, cache)
        memory = call.new_memory()
        results = call.forward(call.new_tape(memory))
        if not layout.whole:  # the caller may write to the ones he gave
            layout = layout.map(Tensor.clone)
        ctx.spec, ctx.layout, ctx.cache, ctx.counts = spec, layout, cache, counts
        ctx.plans, ctx.key, ctx.places = call.plans, call.key, [(id(w), w.data_ptr()) for w in weights]
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(memory, *tensors)
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *given: Tensor | None) -> Any:
        memory, *tensors = ctx.saved_tensors  # refused here if one was changed in place
        spec, layout = ctx.spec, ctx.layout
        x, state, weights, dropout = split(ctx.counts, tensors)
        needs = ctx.needs_input_grad[4:]
        call: Any = gpu.pass_for(x)(spec, layout, x, state, weights, dropout, ctx.cache, ctx.plans)
        anew = reference.needed_backward(given)
        if call.key != ctx.key and _misplaced(ctx.places, weights, anew):
            raise RuntimeError(CHANGED)
        if anew:
            grads = reference.gradients(spec, layout, x, state, weights, dropout, given)
        else:
            if _graph_is_kept():  # this pass uses the tape up, and another one may follow
                memory = memory.clone()
            need_dx, need_dstate, need_dweights, _ = split(ctx.counts, needs)
            names = {name for name, needed in zip(spec.names, need_dweights, strict=True) if needed}
            wants = need_dx, any(need_dstate), names
            dx, dstate, dweights = call.backward(call.new_tape(memory), given[0], given[1:], *wants)
            grads = [dx, *(dstate if state else ()), *dweights]
        grads = [g if needed else None for g, needed in zip(grads, needs, strict=False)]
        return None, None, None, None, *grads, *[None] * (len(tensors) - len(grads))


CHANGED = (
    "elman.torch: expected in backward the weights of the forward pass, got others: they were written to where "
    "autograd does not see it (.data, a NumPy view, a fused optimiser), or a hook for saved tensors gave back others"
)


def _misplaced(places: list[tuple[int, int]], weights: Sequence[Tensor], anew: bool) -> bool:
    """Whether backward refuses weights that have changed. A tensor that lies in other memory now is refused, and
    with `anew` any change. New values in the same memory are used as they are, as in torch.nn; so are other tensors,
    which a hook for saved tensors gave in the weights' place."""
    kept = [(place, w.data_ptr()) for (name, place), w in zip(places, weights, strict=True) if name == id(w)]
    return any(anew or before != now for before, now in kept)


# Whether the backward pass that runs has retain_graph=True. PyTorch that is too old to tell counts as yes.
_graph_is_kept = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", lambda: True)
