"""The operators elman::rnn and elman::rnn_backward, for torch.compile, torch.export, torch.func and tracing.

An operator may not change what it was given, so the backward one works on a copy of the tape.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor

from . import func, gpu, reference
from .spec import Spec, Steps, of_cell

# What both take after x, and in this order. (Schemas are written out because PyTorch 2.4 cannot read annotations
# that are strings. A list of ints for booleans, because torch.jit.trace cannot record those.)
_REST = """Tensor[] state, Tensor[] weights, Tensor[] dropout, Tensor? batch_sizes, Tensor? lengths, Tensor? mask,
    Tensor? reset, str cell, int[] backwards, bool bias, bool batch_first"""


def _spec(cell: str, backwards: Sequence[int], bias: bool, batch_first: bool) -> Spec:
    return Spec(cell, tuple(map(bool, backwards)), bias, batch_first)


@functools.partial(
    torch.library.custom_op, "elman::rnn", mutates_args=(), device_types=("cpu", "cuda"),
    schema=f"(Tensor x, {_REST}, bool keep) -> (Tensor, Tensor, Tensor, Tensor)",
)  # fmt: skip
def rnn(
    x: Tensor,
    state: Sequence[Tensor],
    weights: Sequence[Tensor],
    dropout: Sequence[Tensor],
    batch_sizes: Tensor | None,
    lengths: Tensor | None,
    mask: Tensor | None,
    reset: Tensor | None,
    cell: str,
    backwards: Sequence[int],
    bias: bool,
    batch_first: bool,
    keep: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """y, the final h and c, and the tape; c is empty for cells without one, the tape unless `keep`."""
    spec, steps = _spec(cell, backwards, bias, batch_first), Steps(batch_sizes, lengths, mask, reset)
    if of_cell(x, steps):
        raise ValueError(f"x: expected three axes, or two with batch_sizes, got {list(x.shape)}")
    kind = gpu.pass_for(x)
    call = kind(spec, x, state, weights, dropout, steps)
    memory = call.new_memory(kind.tape_size(spec, x, weights)) if keep else x.new_empty(0)
    y, h, *c = call.forward(call.new_tape(memory) if keep else None)
    return y, h, c[0] if c else x.new_empty(0), memory


@rnn.register_fake
def _(
    x, state, weights, dropout, batch_sizes, lengths, mask, reset, cell, backwards, bias, batch_first, keep
):
    spec = _spec(cell, backwards, bias, batch_first)
    stack = spec.stack(weights)
    lead = x.shape[:-1]
    if state:
        B = state[0].shape[1]
    elif type(batch_sizes) is Tensor:  # of x on device meta
        B = int(batch_sizes[0])
    elif batch_sizes is not None:
        B = torch.library.get_ctx().new_dynamic_size()
    else:
        B = x.shape[0] if batch_first else x.shape[1]
    h = x.new_empty(stack.L * stack.D, B, stack.H)
    c = torch.empty_like(h) if stack.states > 1 else x.new_empty(0)
    width = stack.D * stack.H
    if batch_first and len(lead) == 2:
        y = x.new_empty(lead[1], lead[0], width).transpose(0, 1)
    else:
        y = x.new_empty(*lead, width)
    return y, h, c, x.new_empty(gpu.pass_for(x).tape_size(spec, x, weights) if keep else 0)


@functools.partial(
    torch.library.custom_op, "elman::rnn_backward", mutates_args=(), device_types=("cpu", "cuda"),
    schema=f"(Tensor? dy, Tensor? dh, Tensor? dc, Tensor tape, Tensor x, {_REST}) -> Tensor[]",
)  # fmt: skip
def rnn_backward(
    dy: Tensor | None,
    dh: Tensor | None,
    dc: Tensor | None,
    tape: Tensor,
    x: Tensor,
    state: Sequence[Tensor],
    weights: Sequence[Tensor],
    dropout: Sequence[Tensor],
    batch_sizes: Tensor | None,
    lengths: Tensor | None,
    mask: Tensor | None,
    reset: Tensor | None,
    cell: str,
    backwards: Sequence[int],
    bias: bool,
    batch_first: bool,
) -> list[Tensor]:
    """The gradients of x, of each initial state given and of each weight. Without a tape it runs forward again."""
    spec = _spec(cell, backwards, bias, batch_first)
    call = gpu.pass_for(x)(spec, x, state, weights, dropout, Steps(batch_sizes, lengths, mask, reset))
    if tape.numel():
        kept = call.new_tape(tape.clone())
    else:
        kept = call.new_tape(call.new_memory())
        call.forward(kept)
    dx, dstate, dweights = call.backward(kept, dy, [dh, dc][: spec.stack(weights).states])
    return [dx, *(dstate if state else ()), *dweights]


@rnn_backward.register_fake
def _(dy, dh, dc, tape, x, state, weights, *_):
    return [torch.empty_like(t, memory_format=torch.contiguous_format) for t in (x, *state, *weights)]


def _setup(ctx, inputs, output):
    x, state, weights, dropout, batch_sizes, lengths, mask, reset, *rest = inputs
    *_, tape = output
    ctx.counts = len(state), len(weights), len(dropout)
    ctx.rest = rest[:-1]
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(tape, x, *state, *weights, *dropout, batch_sizes, lengths, mask, reset)


def _backward(ctx, dy, dh, dc, _):
    tape, x, *tensors = ctx.saved_tensors
    s, w, d = ctx.counts
    state, weights, dropout = tensors[:s], tensors[s : s + w], tensors[s + w : s + w + d]
    steps = Steps(*tensors[s + w + d :])
    spec = _spec(*ctx.rest)
    given = [dy, dh, dc][: 1 + spec.stack(weights).states]
    if reference.needed_backward(given):
        grads = reference.gradients(spec, x, state, weights, dropout, steps, given)
    else:
        grads = rnn_backward(dy, dh, dc, tape, x, state, weights, dropout, *steps, *ctx.rest)
    return grads[0], grads[1 : 1 + s], grads[1 + s :], [None] * d, *[None] * 9


rnn.register_autograd(_backward, setup_context=_setup)


def _vmap(op):
    """The rule of `op` under torch.func.vmap: one call after another."""

    def rule(info, in_dims, *args):
        def take(arg, dim, i):
            if isinstance(arg, (list, tuple)):
                dims = dim if isinstance(dim, (list, tuple)) else [dim] * len(arg)
                return [take(a, d, i) for a, d in zip(arg, dims, strict=True)]
            return arg if dim is None else arg.select(dim, i)

        calls = [
            op(*(take(a, d, i) for a, d in zip(args, in_dims, strict=True))) for i in range(info.batch_size)
        ]
        results = [torch.stack(parts) for parts in zip(*calls, strict=True)]
        return (
            (results, [0] * len(results))
            if isinstance(calls[0], list)
            else (tuple(results), (0,) * len(results))
        )

    return rule


if hasattr(torch.library, "register_vmap"):  # PyTorch 2.5; before it vmap says that there is no rule
    for _op in (rnn, rnn_backward):
        torch.library.register_vmap(_op, _vmap(_op))


def run(
    spec: Spec,
    x: Tensor,
    state: Sequence[Tensor],
    weights: Sequence[Tensor],
    dropout: Sequence[Tensor],
    steps: Steps,
) -> Sequence[Tensor]:
    """y and each final state."""
    if of_cell(x, steps):
        state = [part.unsqueeze(0) for part in state]
        return [r.squeeze(0) for r in run(spec, x.unsqueeze(0), state, weights, dropout, steps)]
    tensors = (x, *state, *weights)
    if not torch.compiler.is_compiling() and reference.needed(tensors):
        return reference.run(spec, x, state, weights, dropout, steps)
    # torch.jit.trace, whose checker traces again without gradients, records this for all later calls: without a tape
    # these are right with gradients and quick without them.
    recorded = torch._C._get_tracing_state() is not None
    keep = not recorded and torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
    plain = (*steps, spec.cell, list(map(int, spec.backwards)), spec.bias, spec.batch_first)
    if not torch.compiler.is_compiling() and torch._C._are_functorch_transforms_active():
        y, h, c, _ = func.run(x, state, weights, dropout, plain)
    else:
        y, h, c, _ = rnn(x, list(state), list(weights), list(dropout), *plain, keep)
    return (y, h, c) if spec.cell == "lstm" else (y, h)
