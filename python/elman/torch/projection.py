"""LSTMs with proj_size (Sak et al. 2014, "LSTM based RNN architectures for large scale acoustic modeling").

The state that recurs is the projection P m of the cell's output m = o tanh(c), so W_hh P m = (W_hh P) m: a plain LSTM
with the recurrent weights W_hh P, whose outputs are projected afterwards in one product. Autograd makes all
gradients from that. An initial state that is given enters by P more inputs, which hold it at a sequence's first
step and zeros after.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from . import autograd
from .spec import Spec, Steps


def run(
    spec: Spec,
    x: Tensor,
    state: Sequence[Tensor],
    weights: Sequence[Tensor],
    dropout: Sequence[Tensor],
    steps: Steps,
) -> list[Tensor]:
    """y [.., D*P], the final h [L*D, B, P] and c [L*D, B, H]."""
    if steps.batch_sizes is not None and state:
        return _padded(spec, x, state, weights, dropout, steps)
    per, D = (5 if spec.bias else 3), len(spec.backwards)
    final_h, final_c = [], []
    L = len(weights) // (per * D)
    for k in range(L):
        halves = []
        for d, back in enumerate(spec.backwards):
            n = k * D + d
            *own, project = weights[n * per : (n + 1) * per]
            one = Spec(spec.cell, (back,), spec.bias, spec.batch_first)
            y, h, c = _direction(one, x, [part[n] for part in state], own, project, steps)
            halves.append(y)
            final_h.append(h)
            final_c.append(c)
        x = torch.cat(halves, dim=-1)
        if dropout and k + 1 < L:
            x = x * dropout[k]
    return [x, torch.stack(final_h), torch.stack(final_c)]


def _direction(
    spec: Spec, x: Tensor, state: list[Tensor], weights: Sequence[Tensor], project: Tensor, steps: Steps
) -> tuple[Tensor, Tensor, Tensor]:
    ih, hh, *biases = weights
    initial: list[Tensor] = []
    if state:
        h0, c0 = state
        first, untouched = _first_steps(spec, x, steps)
        x = torch.cat([x, torch.where(first[..., None], h0[:, None] if spec.batch_first else h0, 0)], dim=-1)
        ih = torch.cat([ih, hh], dim=1)
        initial = [torch.zeros_like(c0)[None], c0[None]]
    y, m, c = autograd.run(spec, x, initial, [ih, hh @ project, *biases], (), steps)
    h = m[0] @ project.t()
    if state:
        h = torch.where(untouched[:, None], h0, h)
    return y @ project.t(), h, c[0]


def _first_steps(spec: Spec, x: Tensor, steps: Steps) -> tuple[Tensor, Tensor]:
    """Where each sequence takes its first step from the initial state (as the first two axes of x), and which
    sequences [B] end with the initial state because no step and no reset touches them."""
    turn = (lambda t: t.transpose(0, 1)) if spec.batch_first else (lambda t: t)
    (back,) = spec.backwards
    T, B = turn(x).shape[:2]
    t = torch.arange(T)[:, None]
    inside = torch.ones(T, B, dtype=torch.bool) if steps.lengths is None else t < steps.lengths
    counts = inside if steps.mask is None else inside & turn(steps.mask)
    cut = torch.zeros_like(inside) if steps.reset is None else inside & turn(steps.reset)
    if back:  # a reset at step t + 1 is crossed before step t
        cut = torch.cat([cut[1:], torch.zeros_like(cut[:1])])
        counts, cut = counts.flip(0), cut.flip(0)
    first = counts & (counts.cumsum(0) == 1) & (cut.cumsum(0) == 0)
    untouched = ~(counts | cut).any(0)
    return turn(first.flip(0) if back else first), untouched


def _padded(
    spec: Spec,
    x: Tensor,
    state: Sequence[Tensor],
    weights: Sequence[Tensor],
    dropout: Sequence[Tensor],
    steps: Steps,
) -> list[Tensor]:
    """A PackedSequence by way of a padded batch."""
    assert steps.batch_sizes is not None
    pad = lambda rows: pad_packed_sequence(PackedSequence(rows, steps.batch_sizes))  # noqa: E731
    padded, lengths = pad(x)
    y, *final = run(spec, padded, state, weights, [pad(d)[0] for d in dropout], Steps(lengths=lengths))
    return [pack_padded_sequence(y, lengths).data, *final]
