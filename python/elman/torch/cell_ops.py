"""The operators elman::cell and elman::cell_backward: those of ops.py for cells of any states and scalars.

Their results are lists, and a traced cell stands in their arguments as a whole, in words.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..stack.cells import CELLS
from ..stack.spec import StackSpec
from . import ops, reference
from .spec import Layout, split

_REST = """Tensor x, Tensor[] state, Tensor[] weights, Tensor[] dropout, Tensor[] scalars, Tensor? seed,
    Tensor? batch_sizes, Tensor? lengths, Tensor? mask, Tensor? reset, str cell, int[] backwards, bool bias,
    bool batch_first"""


def _plain(spec: StackSpec, layout: Layout) -> tuple[Any, ...]:
    """The arguments of both after the lists of tensors, but for `keep`."""
    return layout.seed, *ops.plain(spec, layout)


def _read(
    weights: Sequence[Tensor], arguments: Sequence[Any], checkpoint_every: int = 0
) -> tuple[StackSpec, Layout]:
    """The reverse of that."""
    seed, *plain = arguments
    spec, layout = ops.read(weights, plain, checkpoint_every)
    return spec, layout._replace(seed=seed)


@functools.partial(
    torch.library.custom_op, "elman::cell", mutates_args=(), device_types="cpu",
    schema=f"({_REST}, bool keep, {ops.LATER}) -> Tensor[]",
)  # fmt: skip
def cell(
    x: Tensor,
    state: Sequence[Tensor],
    weights: Sequence[Tensor],
    dropout: Sequence[Tensor],
    scalars: Sequence[Tensor],
    *arguments: Any,
    **later: Any,
) -> list[Tensor]:
    """y, each final state, and the tape, which is empty unless `keep`."""
    *plain, keep = arguments
    return ops.run(*_read(weights, plain, **later), x, state, weights, dropout, scalars, keep)


@cell.register_fake
def _(x, state, weights, dropout, scalars, *arguments, **later):
    *plain, keep = arguments
    return ops.fake(*_read(weights, plain, **later), x, state, keep)


@functools.partial(
    torch.library.custom_op, "elman::cell_backward", mutates_args=(), device_types="cpu",
    schema=f"(Tensor?[] given, Tensor tape, {_REST}, {ops.LATER}) -> Tensor[]",
)  # fmt: skip
def cell_backward(
    given: Sequence[Tensor | None],
    tape: Tensor,
    x: Tensor,
    state: Sequence[Tensor],
    weights: Sequence[Tensor],
    dropout: Sequence[Tensor],
    scalars: Sequence[Tensor],
    *plain: Any,
    **later: Any,
) -> list[Tensor]:
    """The gradients of x, of each initial state given, of each weight and of the scalars. Without a tape it runs
    forward again."""
    return ops.run_back(*_read(weights, plain, **later), given, tape, x, state, weights, dropout, scalars)


@cell_backward.register_fake
def _(given, tape, x, state, weights, dropout, scalars, *_, **__):
    like = (x, *state, *weights, *scalars)
    return [torch.empty_like(t, memory_format=torch.contiguous_format) for t in like]


def _setup(ctx, inputs, keyword_only_inputs, output):
    x, state, weights, dropout, scalars, *rest = inputs
    ctx.counts = len(state), len(weights), len(dropout), len(scalars)
    ctx.rest, ctx.later = rest[5:-1], keyword_only_inputs
    ctx.set_materialize_grads(False)
    tensors = x, *state, *weights, *dropout, *scalars
    ctx.save_for_backward(output[-1], *rest[:5], *tensors)  # the seed, and which steps count


def _backward(ctx, given):
    tape, *kept = ctx.saved_tensors
    groups, arguments = split(ctx.counts, kept[5:]), (*kept[:5], *ctx.rest)
    s, w, d, n = ctx.counts
    if reference.needed_backward(given):
        spec, layout = _read(groups[2], arguments)  # this way keeps no tape
        grads = reference.gradients(spec, layout, given[:-1], *groups)
        del grads[1 + s + w : 1 + s + w + d]
    else:
        grads = cell_backward(given[:-1], tape, *groups, *arguments, **ctx.later)
    dx, dstate, dweights, _, dscalars = split((s, w, 0, n), grads)
    return dx, dstate, dweights, [None] * d, dscalars, *[None] * 10


cell.register_autograd(_backward, setup_context=_setup)

if hasattr(torch.library, "register_vmap"):  # PyTorch 2.5
    for _op in (cell, cell_backward):
        torch.library.register_vmap(_op, ops.vmap(_op))


# Of any stack: the operators of the one pair or the other, by what the cell is.


def run(spec: StackSpec, layout: Layout, groups: Sequence[Any], keep: bool) -> list[Tensor]:
    """y, each final state and the tape, if one is kept; `groups`: x, state, weights, dropout, scalars."""
    x, *lists, scalars = (one if isinstance(one, Tensor) else list(one) for one in groups)
    every = layout.checkpoint_every
    keep = keep and not every
    if CELLS[spec.cell].definition is not None:
        return cell(x, *lists, scalars, *_plain(spec, layout), keep, checkpoint_every=every)
    *results, tape = ops.rnn(x, *lists, *ops.plain(spec, layout), keep, checkpoint_every=every)
    return [*results[: 1 + len(CELLS[spec.cell].states)], tape]


def run_back(
    spec: StackSpec, layout: Layout, given: Sequence[Tensor | None], tape: Tensor, groups: Sequence[Any]
) -> list[Tensor]:
    """The gradients of x, each initial state given, each weight and the scalars."""
    x, *lists, scalars = (one if isinstance(one, Tensor) else list(one) for one in groups)
    every = layout.checkpoint_every
    if CELLS[spec.cell].definition is not None:
        plain = _plain(spec, layout)
        return cell_backward(list(given), tape, x, *lists, scalars, *plain, checkpoint_every=every)
    dy, dh, dc = [*given, None][:3]
    plain = ops.plain(spec, layout)
    return ops.rnn_backward(dy, dh, dc, tape, x, *lists, *plain, checkpoint_every=every)
