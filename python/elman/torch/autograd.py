"""One call of a stack under autograd, and the choice between the two ways to make it.

Plain eager calls go straight to the engine: through the dispatcher a call would take 30 us longer. Whatever has to
see an operator (torch.compile, torch.export, torch.func, tracing, dispatch modes) gets the one of ops.py.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from . import engine, gpu, ops, reference
from .cache import Cache
from .fallback import tracing
from .spec import NO_STEPS, Spec, Steps

_PLAIN = frozenset((Tensor, torch.nn.Parameter))


class _Call(torch.autograd.Function):
    """Inputs: x, the initial states (none or all), the weights, then dropout's factors.

    All that is large is in saved tensors, the tape included, where checkpoints and hooks for saved tensors find it.
    """

    @staticmethod
    def forward(
        ctx: Any,
        spec: Spec,
        steps: Steps,
        cache: Cache | None,
        counts: tuple[int, int, int],
        *tensors: Tensor,
    ) -> Any:
        x, state, weights, dropout = _split(counts, tensors)
        call: Any = gpu.pass_for(x)(spec, x, state, weights, dropout, steps, cache)
        memory = call.new_memory()
        results = call.forward(call.new_tape(memory))
        if steps is not NO_STEPS:  # the caller may write to his
            steps = Steps(*(None if part is None else part.clone() for part in steps))
        ctx.spec, ctx.steps, ctx.cache, ctx.counts = spec, steps, cache, counts
        ctx.plans, ctx.key, ctx.places = call.plans, call.key, [(id(w), w.data_ptr()) for w in weights]
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(memory, *tensors)
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *given: Tensor | None) -> Any:
        memory, *tensors = ctx.saved_tensors  # refused here if one was changed in place
        x, state, weights, dropout = _split(ctx.counts, tensors)
        call: Any = gpu.pass_for(x)(ctx.spec, x, state, weights, dropout, ctx.steps, ctx.cache, ctx.plans)
        anew = reference.needed_backward(given)
        if call.key != ctx.key and _misplaced(ctx.places, weights, anew):
            raise RuntimeError(CHANGED)
        if anew:
            grads = reference.gradients(ctx.spec, x, state, weights, dropout, ctx.steps, given)
        else:
            if _graph_is_kept():  # for another backward pass, and this one uses the tape up
                memory = memory.clone()
            want_dx = ctx.needs_input_grad[4]
            dx, dstate, dweights = call.backward(call.new_tape(memory), given[0], given[1:], want_dx)
            grads = [dx, *(dstate if state else ()), *dweights]
        grads = [g if needed else None for g, needed in zip(grads, ctx.needs_input_grad[4:], strict=False)]
        return None, None, None, None, *grads, *[None] * (len(tensors) - len(grads))


CHANGED = (
    "elman.torch: expected in backward the weights of the forward pass, got others: they were written to where "
    "autograd does not see it (.data, a NumPy view, a fused optimiser), or a hook for saved tensors gave back others"
)


def _misplaced(places: list[tuple[int, int]], weights: Sequence[Tensor], anew: bool) -> bool:
    """Of weights that are not what they were, whether that is refused: written to where they lie they count as they
    are, as in torch.nn, and so does what a hook for saved tensors gives in their place."""
    kept = [(place, w.data_ptr()) for (name, place), w in zip(places, weights, strict=True) if name == id(w)]
    return any(anew or before != now for before, now in kept)


# Whether the backward pass that runs is one with retain_graph=True; where PyTorch is too old to tell, as if it were.
_graph_is_kept = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", lambda: True)


def _split(counts: tuple[int, int, int], tensors: Sequence[Tensor]) -> Any:
    s, w, _ = counts
    return tensors[0], tensors[1 : 1 + s], tensors[1 + s : 1 + s + w], tensors[1 + s + w :]


def direct(tensors: Sequence[Tensor]) -> bool:
    """Whether nothing but autograd has to see this call."""
    return not _watched(tensors[0]) and _PLAIN.issuperset(map(type, tensors))


def _watched(x: Tensor) -> bool:
    return (
        tracing()
        or torch._C._functorch.peek_interpreter_stack() is not None
        or forward_ad._current_level >= 0
        or x.is_meta
    )


def carried(tensors: Sequence[Tensor]) -> type | None:
    """The class that results are to have, where some tensors are of subclasses that do nothing but pass themselves on,
    as `class Mine(torch.Tensor)` without more does; None where one has to see the call."""
    kinds: set[Any] = set(map(type, tensors)) - _PLAIN
    if _watched(tensors[0]) or not kinds or not all(map(_passive, kinds)):
        return None
    passed_on = [kind for kind in kinds if kind.__torch_function__ is not _NO_FUNCTION]
    return None if len(passed_on) > 1 else passed_on[0] if passed_on else Tensor


_NO_FUNCTION, _NO_DISPATCH = torch._C._disabled_torch_function_impl, torch._C._disabled_torch_dispatch_impl


@functools.lru_cache(64)
def _passive(kind: Any) -> bool:
    function = kind.__torch_function__
    default = getattr(function, "__func__", None) is Tensor.__torch_function__.__func__
    return (function is _NO_FUNCTION or default) and kind.__torch_dispatch__ is _NO_DISPATCH


def as_plain(
    kind: type,
    run: Callable[..., Sequence[Tensor]],
    spec: Spec,
    x: Tensor,
    *groups: Sequence[Tensor],
    **rest: Any,
) -> Sequence[Tensor]:
    """`run` of plain tensors, and its results as `kind`."""
    with torch._C.DisableTorchFunctionSubclass():
        plain = [
            [t if type(t) in _PLAIN else t.as_subclass(Tensor) for t in group] for group in ([x], *groups)
        ]
        results = run(spec, plain[0][0], *plain[1:], **rest)
        return [r.as_subclass(kind) for r in results]


def run(
    spec: Spec,
    x: Tensor,
    state: Sequence[Tensor],
    weights: Sequence[Tensor],
    dropout: Sequence[Tensor],
    steps: Steps,
    cache: Cache | None = None,
) -> Sequence[Tensor]:
    """y and each final state. `cache` keeps packed weights between calls."""
    tensors = (x, *state, *weights, *dropout)
    if not direct(tensors):
        if kind := carried(tensors):
            return as_plain(kind, run, spec, x, state, weights, dropout, steps=steps, cache=cache)
        return ops.run(spec, x, state, weights, dropout, steps)
    if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        return _Call.apply(spec, steps, cache, (len(state), len(weights), len(dropout)), *tensors)
    one_step = steps is NO_STEPS and (x.dim() == 2 or x.shape[spec.batch_first] == 1)
    of_call = gpu.pass_for(x)
    one_step = one_step and x.numel() > 0 and spec.backwards == (False,) and not dropout
    if of_call is engine.Pass and cache is not None and one_step:
        done = engine.step(spec, x, state, weights, cache)
        if done is not None:
            return done
    return of_call(spec, x, state, weights, dropout, steps, cache).forward()
