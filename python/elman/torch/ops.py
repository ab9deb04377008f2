"""The operators elman::rnn and elman::rnn_backward, for torch.compile, torch.export, torch.func and tracing.

An operator may not change what it was given, so the backward one works on a copy of the tape.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..stack.spec import StackSpec
from . import gpu, reference, traced
from .spec import Layout, of_cell, spec_of, split

# What both take after x, and in this order. (Schemas are written out because PyTorch 2.4 cannot read annotations
# that are strings. A list of ints for booleans, because torch.jit.trace cannot record those.)
_REST = """Tensor[] state, Tensor[] weights, Tensor[] dropout, Tensor? batch_sizes, Tensor? lengths, Tensor? mask,
    Tensor? reset, str cell, int[] backwards, bool bias, bool batch_first"""

# What both take by name alone, with a value for programs that were recorded before there was such an argument.
LATER = "*, int checkpoint_every=0"

# h and c have places of their own, not a list of states: recorded programs hold this schema, and a list among the
# results would break them. All cells of torch.nn fit in it. Cells of more states or with scalars have the operators of
# cell_ops.py.


def plain(spec: StackSpec, layout: Layout) -> tuple[Any, ...]:
    """The arguments of both after the tensors, but for `keep`."""
    batch_first, *marks, _, _ = layout
    cell = traced.WORDS.get(spec.cell, spec.cell)
    return *marks, cell, list(map(int, spec.backwards)), spec.bias, batch_first


def read(
    weights: Sequence[Tensor], arguments: Sequence[Any], checkpoint_every: int
) -> tuple[StackSpec, Layout]:
    """The reverse of `plain`."""
    batch_sizes, lengths, mask, reset, cell, backwards, bias, batch_first = arguments
    spec = spec_of(traced.from_words(cell), tuple(map(bool, backwards)), bias, weights)
    return spec, Layout(batch_first, batch_sizes, lengths, mask, reset, checkpoint_every=checkpoint_every)


def run(
    spec: StackSpec,
    layout: Layout,
    x: Tensor,
    state: Any,
    weights: Any,
    dropout: Any,
    scalars: Any,
    keep: bool,
) -> list[Tensor]:
    """What an operator computes: y, each final state, and the tape, which is empty unless `keep`."""
    if of_cell(x, layout):
        raise ValueError(f"x: expected three axes, or two with batch_sizes, got {list(x.shape)}")
    kind = gpu.pass_for(x)
    call = kind(spec, layout, x, state, weights, dropout, scalars)
    memory = call.new_memory(kind.tape_size(spec, x)) if keep else x.new_empty(0)
    return [*call.forward(call.new_tape(memory) if keep else None), memory]


def fake(spec: StackSpec, layout: Layout, x: Tensor, state: Sequence[Tensor], keep: bool) -> list[Tensor]:
    """The same without numbers."""
    batch_first, batch_sizes = layout.batch_first, layout.batch_sizes
    lead = x.shape[:-1]
    if state:
        B = state[0].shape[1]
    elif batch_sizes is not None and type(batch_sizes) is Tensor:  # of x on device meta
        B = int(batch_sizes[0])
    elif batch_sizes is not None:
        B = torch.library.get_ctx().new_dynamic_size()
    else:
        B = x.shape[0] if batch_first else x.shape[1]
    if batch_first and len(lead) == 2:
        y = x.new_empty(lead[1], lead[0], spec.width).transpose(0, 1)
    else:
        y = x.new_empty(*lead, spec.width)
    final = [x.new_empty(shape) for shape in spec.state_shapes(B)]
    return [y, *final, x.new_empty(gpu.pass_for(x).tape_size(spec, x) if keep else 0)]


def run_back(
    spec: StackSpec,
    layout: Layout,
    given: Sequence[Tensor | None],
    tape: Tensor,
    x: Tensor,
    state: Any,
    weights: Any,
    dropout: Any,
    scalars: Any,
) -> list[Tensor]:
    """The gradients of x, of each initial state given, of each weight and of the cell's scalars, from those of y and
    each final state. Without a tape it runs forward again."""
    call = gpu.pass_for(x)(spec, layout, x, state, weights, dropout, scalars)
    kept = call.new_tape(tape.clone()) if tape.numel() else call.again()
    dx, dstate, dweights = call.backward(kept, given[0], given[1:])
    return [dx, *(dstate if state else ()), *dweights, *call.dscalars]


@functools.partial(
    torch.library.custom_op, "elman::rnn", mutates_args=(), device_types=("cpu", "cuda"),
    schema=f"(Tensor x, {_REST}, bool keep, {LATER}) -> (Tensor, Tensor, Tensor, Tensor)",
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
    *,
    checkpoint_every: int = 0,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """y, the final h and c, and the tape; c is empty for cells without one, the tape unless `keep`."""
    plain = batch_sizes, lengths, mask, reset, cell, backwards, bias, batch_first
    spec, layout = read(weights, plain, checkpoint_every)
    return _in_places(*run(spec, layout, x, state, weights, dropout, (), keep))


def _in_places(y: Tensor, h: Tensor, *rest: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    *others, memory = rest
    (c,) = others or [y.new_empty(0)]
    return y, h, c, memory


@rnn.register_fake
def _(x, state, weights, dropout, *arguments, checkpoint_every=0):
    *plain, keep = arguments
    spec, layout = read(weights, plain, checkpoint_every)
    return _in_places(*fake(spec, layout, x, state, keep))


@functools.partial(
    torch.library.custom_op, "elman::rnn_backward", mutates_args=(), device_types=("cpu", "cuda"),
    schema=f"(Tensor? dy, Tensor? dh, Tensor? dc, Tensor tape, Tensor x, {_REST}, {LATER}) -> Tensor[]",
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
    *,
    checkpoint_every: int = 0,
) -> list[Tensor]:
    """The gradients of x, of each initial state given and of each weight. Without a tape it runs forward again."""
    plain = batch_sizes, lengths, mask, reset, cell, backwards, bias, batch_first
    spec, layout = read(weights, plain, checkpoint_every)
    return run_back(spec, layout, [dy, dh, dc][: 1 + spec.states], tape, x, state, weights, dropout, ())


@rnn_backward.register_fake
def _(dy, dh, dc, tape, x, state, weights, *_, **__):
    return [torch.empty_like(t, memory_format=torch.contiguous_format) for t in (x, *state, *weights)]


def _setup(ctx, inputs, keyword_only_inputs, output):
    x, state, weights, dropout, batch_sizes, lengths, mask, reset, *rest = inputs
    *_, tape = output
    ctx.counts = len(state), len(weights), len(dropout), 0
    ctx.rest, ctx.later = rest[:-1], keyword_only_inputs
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(tape, batch_sizes, lengths, mask, reset, x, *state, *weights, *dropout)


def _backward(ctx, dy, dh, dc, _):
    tape, *kept = ctx.saved_tensors
    marks, tensors = kept[:4], kept[4:]
    x, state, weights, dropout, _ = split(ctx.counts, tensors)
    arguments = (*marks, *ctx.rest)
    spec, layout = read(weights, arguments, **ctx.later)
    given = [dy, dh, dc][: 1 + spec.states]
    if reference.needed_backward(given):
        grads = reference.gradients(spec, layout, given, x, state, weights, dropout, ())
    else:
        grads = rnn_backward(dy, dh, dc, tape, x, state, weights, dropout, *arguments, **ctx.later)
    s, w, d, _ = ctx.counts
    return grads[0], grads[1 : 1 + s], grads[1 + s : 1 + s + w], [None] * d, *[None] * 9


rnn.register_autograd(_backward, setup_context=_setup)


def vmap(op):
    """The rule of `op` under torch.func.vmap: one call after another."""

    def rule(info, in_dims, *args, **later):
        def take(arg, dim, i):
            if isinstance(arg, (list, tuple)):
                dims = dim if isinstance(dim, (list, tuple)) else [dim] * len(arg)
                return [take(a, d, i) for a, d in zip(arg, dims, strict=True)]
            return arg if dim is None else arg.select(dim, i)

        calls = [
            op(*(take(a, d, i) for a, d in zip(args, in_dims, strict=True)), **later)
            for i in range(info.batch_size)
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
        torch.library.register_vmap(_op, vmap(_op))
