"""LSTMs with proj_size (Sak et al. 2014, "LSTM based RNN architectures for large scale acoustic modeling").

The state that recurs is the projection P m of the cell's output m = o tanh(c), so W_hh P m = (W_hh P) m: a plain LSTM
with the recurrent weights W_hh P, whose outputs are projected afterwards in one product. Autograd makes all
gradients from that. An initial state that is given enters by P more inputs, which hold it at a sequence's first
step and zeros after. One step alone is torch's own code, which has fewer weights to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from ..stack.spec import StackSpec
from . import autograd, call
from .cache import Cache, Packed
from .spec import Layout, spec_of, steps_outermost


class _Plain:
    """The weights of the plain LSTM that does what a projected one does; `weights`: the projected one's, P last."""

    kept = None  # what is packed here is not of the weights that a call is given

    def __init__(self, spec: StackSpec, weights: Sequence[Tensor], key: Any):
        self.weights, self.key = weights, key
        self._packed: dict[bool, Packed] = {}
        self._joined: Tensor | None = None
        with torch.inference_mode(False), torch.no_grad(), torch.autocast("cpu", enabled=False):
            self.product = weights[1].detach() @ weights[-1].detach()

    @property
    def joined(self) -> Tensor:
        """[weight_ih, weight_hh], which also reads an initial state."""
        if self._joined is None:
            with torch.inference_mode(False):
                self._joined = torch.cat([w.detach() for w in self.weights[:2]], dim=1)
        return self._joined

    def packed(self, spec: StackSpec, joined: bool) -> Packed:
        ih, _, *biases, _ = self.weights
        weights = [self.joined if joined else ih, self.product, *biases]
        packed = self._packed.get(joined)
        if packed is None:
            packed = self._packed[joined] = Packed(spec, weights, self.key)
        packed.weights = weights
        return packed


class _Found:
    """Stands for a cache in passes of the plain LSTM: it finds that one's weights by those of the projected one."""

    def __init__(self, cache: Cache, spec: StackSpec, weights: Sequence[Tensor], joined: bool):
        self._cache, self._spec, self._weights, self._joined = cache, spec, weights, joined
        self.plain: _Plain = cache.get(spec, weights, _Plain)
        self._fresh = True

    def get(self, spec: StackSpec, weights: Sequence[Tensor]) -> Packed:
        plain = self.plain
        if not self._fresh:
            plain = self._cache.get(self._spec, self._weights, _Plain)
            if plain.key != self.plain.key:  # the product and torch's gradients would be of different weights
                raise RuntimeError(autograd.CHANGED.format("weights"))
        self._fresh = False
        return plain.packed(spec, self._joined)


class _Product(torch.autograd.Function):
    """weight_hh P for autograd. It has been computed before, and is kept."""

    @staticmethod
    def forward(ctx: Any, hh: Tensor, project: Tensor, product: Tensor) -> Tensor:
        ctx.save_for_backward(hh, project)
        return product.detach()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        hh, project = ctx.saved_tensors
        return grad @ project.t(), hh.t() @ grad, None


def run(
    spec: StackSpec,
    layout: Layout,
    x: Tensor,
    state: Sequence[Tensor],
    weights: Sequence[Tensor],
    dropout: Sequence[Tensor],
    *,
    cache: Cache,
) -> Sequence[Tensor]:
    """y [.., D*P], the final h [L*D, B, P] and c [L*D, B, H]."""
    if layout.batch_sizes is not None and state:
        return _padded(spec, layout, x, state, weights, dropout, cache)
    tensors = (x, *state, *weights, *dropout)
    here = x.device.type == "cpu" and call.direct(tensors)
    if not here and (kind := call.carried(tensors)):
        return call.as_plain(kind, run, spec, layout, x, state, weights, dropout, cache=cache)
    if here and layout.whole and x.shape[layout.batch_first] == 1 and x.numel() and not dropout:
        return _step(spec, layout, x, state, weights)
    each, D = len(weights) // (spec.L * len(spec.backwards)), len(spec.backwards)
    final: list[list[Tensor]] = []
    for k in range(spec.L):
        halves = []
        for d, back in enumerate(spec.backwards):
            n = k * D + d
            own = weights[n * each : (n + 1) * each]
            of_direction = cache.part(n) if here else None
            y, *last = _direction(spec, back, layout, x, [part[n] for part in state], own, of_direction)
            halves.append(y)
            final.append(last)
        x = torch.cat(halves, dim=-1)
        if dropout and k + 1 < spec.L:
            x = x * dropout[k]
    y = steps_outermost(x) if layout.batch_first and x.dim() == 3 else x
    return [y] + [torch.stack([last[n] for last in final]) for n in range(len(final[0]))]


def _step(
    spec: StackSpec, layout: Layout, x: Tensor, state: Sequence[Tensor], weights: Sequence[Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    B = x.shape[1 - layout.batch_first]
    state = state or [x.new_zeros(shape) for shape in spec.state_shapes(B)]
    both = len(spec.backwards) == 2
    return torch._VF.lstm(x, state, weights, spec.bias, spec.L, 0.0, False, both, layout.batch_first)


def _direction(
    spec: StackSpec,
    back: bool,
    layout: Layout,
    x: Tensor,
    state: list[Tensor],
    weights: Sequence[Tensor],
    cache: Cache | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """y, the final h and the final c of one layer and direction, whose weights these are."""
    ih, hh, *biases, project = weights
    found: Any = cache and _Found(cache, spec, weights, bool(state))
    if found is None:
        product = hh @ project
    elif torch.is_grad_enabled():
        product = _Product.apply(hh, project, found.plain.product)
    else:
        product = found.plain.product
    initial: list[Tensor] = []
    if state:
        h0, c0 = state
        first, untouched = _first_steps(back, layout, x)
        x = torch.cat(
            [x, torch.where(first[..., None], h0[:, None] if layout.batch_first else h0, 0)], dim=-1
        )
        ih = found.plain.joined if found and not torch.is_grad_enabled() else torch.cat([ih, hh], dim=1)
        initial = [torch.zeros_like(c0)[None], c0[None]]
    plain = [ih, product, *biases]
    y, m, c = call.run(
        spec_of(spec.cell, (back,), spec.bias, plain), layout, x, initial, plain, (), cache=found
    )
    h = m[0] @ project.t()
    if state:
        h = torch.where(untouched[:, None], h0, h)
    return y @ project.t(), h, c[0]


def _first_steps(back: bool, layout: Layout, x: Tensor) -> tuple[Tensor, Tensor]:
    """Where each sequence takes its first step from the initial state (as the first two axes of x), and which
    sequences [B] end with the initial state because no step and no reset touches them."""
    turn = (lambda t: t.transpose(0, 1)) if layout.batch_first else (lambda t: t)
    T, B = turn(x).shape[:2]
    t = torch.arange(T, device="cpu")[:, None]
    inside = t < T if layout.lengths is None else t < layout.lengths
    inside = inside.expand(T, B)
    counts = inside if layout.mask is None else inside & turn(layout.mask)
    cut = torch.zeros_like(inside) if layout.reset is None else inside & turn(layout.reset)
    if back:  # a reset at step t + 1 is crossed before step t
        cut = torch.cat([cut[1:], torch.zeros_like(cut[:1])])
        counts, cut = counts.flip(0), cut.flip(0)
    first = counts & (counts.cumsum(0) == 1) & (cut.cumsum(0) == 0)
    untouched = ~(counts | cut).any(0)
    return turn(first.flip(0) if back else first), untouched


def _padded(
    spec: StackSpec,
    layout: Layout,
    x: Tensor,
    state: Sequence[Tensor],
    weights: Sequence[Tensor],
    dropout: Sequence[Tensor],
    cache: Cache,
) -> list[Tensor]:
    """`run` for a PackedSequence, which is padded first."""
    assert layout.batch_sizes is not None
    pad = lambda rows: pad_packed_sequence(PackedSequence(rows, layout.batch_sizes))  # noqa: E731
    padded, lengths = pad(x)
    dropout, layout = [pad(d)[0] for d in dropout], layout._replace(batch_sizes=None, lengths=lengths)
    y, *final = run(spec, layout, padded, state, weights, dropout, cache=cache)
    return [pack_padded_sequence(y, lengths).data, *final]
