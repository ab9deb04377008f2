"""One call of a stack, and the choice between the ways to make it.

Plain eager calls go straight to the engine: through the dispatcher a call would take 30 us longer. Whatever has to
see an operator (torch.compile, torch.export, torch.func, tracing, dispatch modes) gets one of cell_ops.py.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from ..stack.spec import StackSpec
from . import autograd, cell_ops, engine, func, gpu, reference, threads
from .cache import Cache, cache_of
from .fallback import tracing
from .spec import Layout, of_cell

_PLAIN = frozenset((Tensor, torch.nn.Parameter))
_wants_gradients = operator.attrgetter("requires_grad")


def at_once(module: Any, one_step: bool, weights: Sequence[Tensor], x: Any, hx: Any) -> Any:
    """What a module gives, its arguments looked at and computed in one call of the engine; None where that does not do:
    then nothing is done, and the long way does it or says what is wrong. `one_step`: whether the module is a cell."""
    if _watched() or torch.is_autocast_enabled("cpu"):
        return None
    threads.follow()
    cache = cache_of(module)
    facts, node = module._elman_facts(weights), None
    trusted = cache.frozen and facts.large
    packed = cache.last(weights, trusted)
    kept = None if packed is None else packed.kept
    if torch.is_grad_enabled():
        node = functools.partial(autograd.step, facts, cache, packed, x, weights)
    return engine.TENSORS.run(facts, kept, trusted, weights, x, hx, node)


def direct(tensors: Sequence[Tensor]) -> bool:
    """Whether nothing but autograd has to see this call."""
    return not _watched() and not tensors[0].is_meta and _PLAIN.issuperset(map(type, tensors))


def _watched() -> bool:
    """Whether something besides autograd has to see calls now, whatever their tensors are."""
    return (
        tracing()
        or torch._C._functorch.peek_interpreter_stack() is not None
        or forward_ad._current_level >= 0
    )


def carried(tensors: Sequence[Tensor]) -> type | None:
    """The class of the results, where some tensors are of subclasses that do nothing but pass on their class, such as
    `class Mine(torch.Tensor)` without a body. None where a subclass has to see the call."""
    kinds: set[Any] = set(map(type, tensors)) - _PLAIN
    if _watched() or tensors[0].is_meta or not kinds or not all(map(_passive, kinds)):
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
    spec: StackSpec,
    layout: Layout,
    x: Tensor,
    *groups: Sequence[Tensor],
    cache: Cache | None,
) -> Sequence[Tensor]:
    """`run` of plain tensors, and its results as `kind`."""
    with torch._C.DisableTorchFunctionSubclass():
        plain = [
            [t if type(t) in _PLAIN else t.as_subclass(Tensor) for t in group] for group in ([x], *groups)
        ]
        results = run(spec, layout, plain[0][0], *plain[1:], cache=cache)
        return [r.as_subclass(kind) for r in results]


def run(
    spec: StackSpec,
    layout: Layout,
    x: Tensor,
    state: Sequence[Tensor],
    weights: Sequence[Tensor],
    dropout: Sequence[Tensor],
    scalars: Sequence[Tensor] = (),
    *,
    cache: Cache | None = None,
) -> Sequence[Tensor]:
    """y and each final state. `scalars`: one tensor with all of the cell's as its last axis, or none. `cache` keeps
    packed weights between calls."""
    tensors = (x, *state, *weights, *dropout, *scalars)
    if not direct(tensors):
        if kind := carried(tensors):
            return as_plain(kind, run, spec, layout, x, state, weights, dropout, scalars, cache=cache)
        return _seen(spec, layout, x, state, weights, dropout, scalars)
    if torch.is_grad_enabled() and any(map(_wants_gradients, tensors)):
        counts = len(state), len(weights), len(dropout), len(scalars)
        given: tuple[Tensor, ...] = autograd.Call.apply(None, spec, layout, cache, counts, *tensors)
        return given[:1] + given if of_cell(x, layout) else given
    found = gpu.pass_for(x)(spec, layout, x, state, weights, dropout, scalars, cache)
    results: Sequence[Tensor] = found.forward()
    return results


def _seen(
    spec: StackSpec,
    layout: Layout,
    x: Tensor,
    state: Sequence[Tensor],
    weights: Sequence[Tensor],
    dropout: Sequence[Tensor],
    scalars: Sequence[Tensor],
) -> Sequence[Tensor]:
    """`run`, where something besides autograd has to see the call."""
    if of_cell(x, layout):
        state = [part.unsqueeze(0) for part in state]
        return [r.squeeze(0) for r in _seen(spec, layout, x.unsqueeze(0), state, weights, dropout, scalars)]
    groups = x, state, weights, dropout, scalars
    tensors = (x, *state, *weights, *scalars)
    if not torch.compiler.is_compiling() and reference.needed(tensors):
        return reference.run(spec, layout, *groups)
    # torch.jit.trace records this call for all later ones, and its checker traces again without gradients. A call
    # without a tape serves them all: it is right with gradients, and quick without.
    recorded = torch._C._get_tracing_state() is not None
    keep = not recorded and torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
    if not torch.compiler.is_compiling() and torch._C._are_functorch_transforms_active():
        *results, _ = func.run(spec, layout, groups)
    else:
        *results, _ = cell_ops.run(spec, layout, groups, keep)
    return results
