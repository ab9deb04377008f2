"""The same computation in torch's own differentiable operations, one step at a time: slow, and only for what the
engine cannot do, which is to differentiate a gradient, to differentiate forward and to take gradients in batches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from ..stack.cells import CELLS
from ..stack.spec import StackSpec
from . import draws, traced
from .spec import Layout, of_cell, split


def needed(tensors: Sequence[Tensor]) -> bool:
    """Whether a call with these inputs will be differentiated in forward mode, or twice by torch.func."""
    kinds = torch._C._functorch.TransformType
    keys = [one.key() for one in torch._C._functorch.get_interpreter_stack() or ()]
    if keys:
        return kinds.Jvp in keys or kinds.Functionalize in keys or keys.count(kinds.Grad) > 1
    dual = lambda t: forward_ad.unpack_dual(t).tangent is not None  # noqa: E731
    return forward_ad._current_level >= 0 and any(map(dual, tensors))


def needed_backward(given: Sequence[Tensor | None]) -> bool:
    """Whether the gradients from these are to be differentiated, or are many in one (is_grads_batched=True)."""
    batched = torch._C._functorch.is_legacy_batchedtensor
    return torch.is_grad_enabled() or any(g is not None and batched(g) for g in given)


def run(
    spec: StackSpec,
    layout: Layout,
    x: Tensor,
    state: Sequence[Tensor],
    weights: Sequence[Tensor],
    dropout: Sequence[Tensor],
    scalars: Sequence[Tensor] = (),
) -> list[Tensor]:
    """y, and each final state [L*D, B, H]."""
    if of_cell(x, layout):
        state = [part.unsqueeze(0) for part in state]
        return [r.squeeze(0) for r in run(spec, layout, x.unsqueeze(0), state, weights, dropout, scalars)]
    sizes = layout.batch_sizes  # stays on the processor, where PackedSequence wants it
    layout = layout.map(lambda part: part if part is sizes else part.to(x.device))
    lengths = layout.lengths
    # Random numbers follow from where a row lies in the caller's x.
    rows = torch.arange(x.shape[:-1].numel(), device=x.device).view(x.shape[:-1])
    unpad = None
    if sizes is not None:
        pad = lambda data: pad_packed_sequence(PackedSequence(data, sizes))  # noqa: E731
        unpad = lambda y: pack_padded_sequence(y, lengths).data  # noqa: E731
        (x, lengths), dropout = pad(x), [pad(factors)[0] for factors in dropout]
        scalars, rows = [pad(part)[0] for part in scalars], pad(rows)[0]
    time_first = (lambda t: t.transpose(0, 1)) if layout.batch_first else (lambda t: t)
    x, rows = time_first(x), time_first(rows)
    dropout, scalars = ([time_first(part) for part in parts] for parts in (dropout, scalars))
    T, B = x.shape[:2]
    inside = None if lengths is None else torch.arange(T, device=x.device)[:, None] < lengths.to(x.device)
    counts = inside
    if layout.mask is not None:
        mask = time_first(layout.mask)
        counts = mask if inside is None else inside & mask
    reset = None
    if layout.reset is not None:
        reset = time_first(layout.reset)
        reset = reset if inside is None else inside & reset

    state = list(state) or [x.new_zeros(shape) for shape in spec.state_shapes(B)]
    final: list[list[Tensor]] = [[] for _ in state]
    for k, layer in enumerate(spec.nest(weights)):
        halves = []
        for d, (back, own) in enumerate(zip(spec.backwards, layer, strict=True)):
            n = k * spec.D + d
            keys = None if layout.seed is None else draws.row_keys(layout.seed, n, rows)
            read, before = [x, *scalars], [s[n] for s in state]
            ys, last = _direction(spec.cell, read, before, own, back, counts, reset, keys)
            halves.append(ys)
            for parts, part in zip(final, last, strict=True):
                parts.append(part)
        x = torch.cat(halves, dim=2)
        if dropout and k + 1 < spec.L:
            x = x * dropout[k]
    y = unpad(x) if unpad else time_first(x)
    return [y, *(torch.stack(parts) for parts in final)]


def _direction(
    cell: str,
    read: list[Tensor],
    state: list[Tensor],
    weights: Sequence[Tensor | None],
    back: bool,
    counts: Tensor | None,
    reset: Tensor | None,
    keys: Tensor | None,
) -> tuple[Tensor, list[Tensor]]:
    """y and the final states. `read`: x, and the cell's scalars where it has any. `keys`: of the random numbers of each
    row [T, B]."""
    step = traced.step(CELLS[cell]) if CELLS[cell].definition else _step(cell)
    x, n = read[0], len(read)
    keys_of = lambda t: None if keys is None else keys[t]  # noqa: E731
    T = len(x)
    ys: list[Tensor] = []
    for t in reversed(range(T)) if back else range(T):
        cut = t + 1 if back else t  # a reset parts step t from step t - 1
        if reset is not None and cut < T:
            state = [torch.where(reset[cut][:, None], 0, part) for part in state]
        if counts is None:
            state = step([part[t] for part in read], state, weights, keys_of(t))
            ys.append(state[0])
        else:
            taken = counts[t][:, None]
            # Chosen before the cell as well: what does not count may be NaN, and then 0 times its derivative is NaN. So
            # it may be with what the cell makes of 0, as 1 / 0.
            inputs = [torch.where(taken, part, 0.5) for part in (*(part[t] for part in read), *state)]
            new = step(inputs[:n], inputs[n:], weights, keys_of(t))
            state = [torch.where(taken, a, b) for a, b in zip(new, state, strict=True)]
            ys.append(torch.where(taken, new[0], 0))
    y = torch.stack(ys[::-1] if back else ys) if ys else x.new_zeros(0, x.shape[1], state[0].shape[1])
    return y, state


def _step(cell: str) -> traced.Step:
    """Torch's function of this cell."""
    function = getattr(torch._VF, f"{cell}_cell")

    def step(
        read: list[Tensor], state: list[Tensor], weights: Sequence[Tensor | None], keys: Tensor | None
    ) -> list[Tensor]:
        new = function(read[0], state if len(state) > 1 else state[0], *weights)
        return list(new) if isinstance(new, tuple) else [new]

    return step


def gradients(
    spec: StackSpec,
    layout: Layout,
    given: Sequence[Tensor | None],
    x: Tensor,
    state: Sequence[Tensor],
    weights: Sequence[Tensor],
    dropout: Sequence[Tensor],
    scalars: Sequence[Tensor],
) -> list[Tensor | None]:
    """The gradients of x, each initial state, each weight, dropout's factors (None) and the cell's scalars, which can
    be differentiated again if that is wanted.

    `given`: those of y and of each final state; None for zeros.
    """
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        # Each as a tensor of its own: one may have been made from another, or be given twice.
        inputs = [t.view_as(t) for t in (x, *state, *weights, *dropout, *scalars)]
        counts = len(state), len(weights), len(dropout), len(scalars)
        results = run(spec, layout, *split(counts, inputs))
        pairs = [(r, g) for r, g in zip(results, given, strict=True) if g is not None and r.requires_grad]
        wanted = [t for t in inputs if t.requires_grad]
        if not pairs or not wanted:
            return [None] * len(inputs)
        outputs, seeds = zip(*pairs, strict=True)
        grads = iter(torch.autograd.grad(outputs, wanted, seeds, create_graph=again, allow_unused=True))
    return [next(grads) if t.requires_grad else None for t in inputs]
