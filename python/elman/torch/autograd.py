"""A call of a stack as a node of autograd: both passes go straight to the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .. import _core
from ..stack.spec import StackSpec
from . import gpu, reference, threads
from .cache import TENSORS, Cache
from .spec import Counts, Layout, of_cell, split, step_of


class Call(torch.autograd.Function):
    """Inputs: x, the initial states (none or all), the weights, dropout's factors, then the cell's scalars. Results: y,
    which a cell gives only as its h, and each final state.

    All that is large is in saved tensors, the tape included, where checkpoints and hooks for saved tensors find it.
    `made`: the tape and the results of a single step, which has gone to the engine as tensors, and of what (`step`).
    Any other call is a Pass, which does single steps too: both have the same tape.
    """

    @staticmethod
    def forward(
        ctx: Any,
        made: tuple[list[Tensor], tuple[Any, Any]] | None,
        spec: StackSpec,
        layout: Layout,
        cache: Cache | None,
        counts: Counts,
        *tensors: Tensor,
    ) -> Any:
        x, state, weights, *beside = split(counts, tensors)
        ctx.plans = ctx.step = None
        if made is not None:
            (memory, *results), (ctx.step, ctx.key) = made
        else:
            call: Any = gpu.pass_for(x)(spec, layout, x, state, weights, *beside, cache)
            # With checkpoints only what was given is kept, and backward begins with the forward pass: such a tape holds
            # on to the packed weights that it ran on, which no saved tensor could bring back.
            memory = x.new_empty(0) if layout.checkpoint_every else call.new_memory()
            results = call.forward(None if layout.checkpoint_every else call.new_tape(memory))
            del results[: of_cell(x, layout)]
            ctx.plans, ctx.key = call.plans, call.key
        if not layout.whole:  # the caller may write to the ones he gave
            layout = layout.map(Tensor.clone)
        ctx.spec, ctx.layout, ctx.cache, ctx.counts = spec, layout, cache, counts
        ctx.names, ctx.places = tuple(map(id, weights)), tuple(map(Tensor.data_ptr, weights))
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(memory, *tensors)
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *given: Tensor | None) -> Any:
        memory, *tensors = ctx.saved_tensors  # refused here if one was changed in place
        x, state, weights, *beside = split(ctx.counts, tensors)
        if of_cell(x, ctx.layout):
            given = None, *given
        anew, again = reference.needed_backward(given), ctx.layout.checkpoint_every > 0
        if (anew or again or _moved(ctx, weights)) and _others(ctx, x, state, weights, memory):
            raise RuntimeError(
                CHANGED.format("weights" if ctx.key is not None else "weights, input and state")
            )
        spec, layout, needs = ctx.spec, ctx.layout, ctx.needs_input_grad[5:]
        if anew:
            grads: Any = reference.gradients(spec, layout, given, x, state, weights, *beside)
        else:
            if _graph_is_kept():  # this pass uses the tape up, and another one may follow
                memory = memory.clone()
            grads = _step_back(ctx.step, memory, x, state, weights, given, needs) if ctx.step else None
            if grads is None:
                call = gpu.pass_for(x)(spec, layout, x, state, weights, *beside, ctx.cache, ctx.plans)
                tape = call.again() if again else call.new_tape(memory)
                grads = _back(call, spec, tape, ctx.counts, given, needs)
        grads = [g if needed else None for g, needed in zip(grads, needs, strict=True)]
        return None, None, None, None, None, *grads


def step(
    module: Any,
    cache: Cache,
    packed: Any,
    x: Tensor,
    weights: Sequence[Tensor],
    made: list[Tensor],
    state: Sequence[Tensor],
    plain: bool,
) -> tuple[Tensor, ...]:
    """Puts one step of all sequences in one direction into the graph: y (not of a cell) and each final state, which
    have no graph in `made`, the tape first. `plain`: the step has read the weights where they lie, not in `packed`."""
    spec, layout = step_of(module, len(weights), x.dtype)
    counts = len(state), len(weights), 0, 0
    step = module, None if plain else packed.key
    results: tuple[Tensor, ...] = _apply((made, step), spec, layout, cache, counts, x, *state, *weights)
    return results


# Call.apply, without its look for wrappers of torch.func, which the engine cannot read.
_apply: Any = super(torch.autograd.Function, Call).apply


def _step_back(
    module: Any,
    memory: Tensor,
    x: Tensor,
    state: Sequence[Tensor],
    weights: Sequence[Tensor],
    given: Sequence[Tensor | None],
    needs: Sequence[bool],
) -> list[Tensor | None] | None:
    """The gradients of one step, whose weights are read where they lie; None where they or others cannot be."""
    threads.follow()
    dy, *dfinal = (None if g is None else g.contiguous() for g in given)
    grads: list[Tensor | None] | None = _core.step_backward(
        TENSORS, module, memory, x, state, weights, dy, dfinal, needs
    )
    return grads


def _back(
    call: Any,
    spec: StackSpec,
    tape: Any,
    counts: Counts,
    given: Sequence[Tensor | None],
    needs: Sequence[bool],
) -> list[Tensor | None]:
    """The gradients of any call."""
    need_dx, need_dstate, need_dweights, dropout, need_dscalars = split(counts, needs)
    names = {name for name, needed in zip(spec.names, need_dweights, strict=True) if needed}
    wants = need_dx, any(need_dstate), names, any(need_dscalars)
    dx, dstate, dweights = call.backward(tape, given[0], given[1:], *wants)
    return [dx, *(dstate if need_dstate else ()), *dweights, *[None] * len(dropout), *call.dscalars]


CHANGED = (
    "elman.torch: expected in backward the {} of the forward pass, got others: they were written to where "
    "autograd does not see it (.data, a NumPy view, a fused optimiser), or a hook for saved tensors gave back others"
)


def _moved(ctx: Any, weights: Sequence[Tensor]) -> bool:
    """Whether a weight of the forward pass lies in other memory now. Other tensors do not count, which a hook for saved
    tensors gave in the weights' place."""
    if ctx.places == tuple(map(Tensor.data_ptr, weights)):
        return False
    places = zip(ctx.names, ctx.places, weights, strict=True)
    return any(name == id(w) and place != w.data_ptr() for name, place, w in places)


def _others(ctx: Any, x: Tensor, state: Sequence[Tensor], weights: Sequence[Tensor], memory: Tensor) -> bool:
    """Whether what is in the weights is not what it was. Backward refuses that where they have moved, and where it
    computes anew. Else new values in the same memory are used as they are, as in torch.nn."""
    if not any(name == id(w) for name, w in zip(ctx.names, weights, strict=True)):
        return False
    if ctx.key is not None:
        return bool((ctx.cache or Cache()).get(ctx.spec, weights).key[1:] != ctx.key[1:])  # on any set
    if ctx.step is None:
        return False
    # A step over weights as they lie, of which nothing was noted down. The same ones leave the same tape.
    again = None

    def leave(made: list[Tensor], *_: Any) -> list[Tensor]:
        nonlocal again
        again, *results = made
        return results

    x, *state = (t.detach().contiguous().requires_grad_() for t in (x, *state))
    given = None if not state else state[0] if len(state) == 1 else state
    TENSORS.run(ctx.step, None, False, [w.detach() for w in weights], x, given, leave)
    return again is not None and not torch.equal(again.view(torch.uint8), memory.view(torch.uint8))


# Whether the backward pass that runs has retain_graph=True. PyTorch that is too old to tell counts as yes.
_graph_is_kept = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", lambda: True)
