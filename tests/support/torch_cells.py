"""Layers of traced cells under PyTorch, a call of each kind, and all that comes of it."""

import functools

import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import elman.torch as et
from elman.torch.recurrent import _slowly
from tests.support.cases import DRAWING, TRACED

FLOAT64 = torch.float64
CELLS = {**TRACED, **DRAWING}
SMOOTH = [name for name, cell in TRACED.items() if not any(node.op == "spike" for node in cell.nodes)]
# Kinds of calls: the layer's options and what is beside input and state.
CALLS = {
    "plain": ({}, ()),
    "without a state": ({}, ("no state",)),
    "without bias": ({"bias": False}, ()),
    "ragged": ({}, ("lengths",)),
    "everything": ({"num_layers": 2, "bidirectional": True}, ("lengths", "mask", "reset")),
    "batch first": ({"batch_first": True, "num_layers": 2}, ("mask", "reset")),
    "one sequence": ({"bidirectional": True}, ("one",)),
    "packed": ({"num_layers": 2, "bidirectional": True}, ("packed",)),
}


def make(cell, kind="plain", dtype=FLOAT64, T=5, B=3, I=3, H=4):  # noqa: E741
    """A layer, its input, its state and what else a call takes, all of which want gradients."""
    options, beside = CALLS[kind]
    torch.manual_seed(3)
    layer = et.Recurrent(CELLS[cell], I, H, dtype=dtype, **options)
    lead = (T,) if "one" in beside else (B, T) if layer.batch_first else (T, B)
    x = torch.randn(*lead, I, dtype=dtype).requires_grad_()
    rows = layer.num_layers * (1 + layer.bidirectional)
    # A state beyond h may be a divisor.
    wide = [
        torch.rand(rows, *([] if "one" in beside else [B]), H, dtype=dtype) + 0.3 for _ in CELLS[cell].states
    ]
    state = [] if "no state" in beside else [part.requires_grad_() for part in wide]
    scalars = {name: (torch.rand(lead, dtype=dtype) + 0.2).requires_grad_() for name in CELLS[cell].scalars}
    marks = {
        name: torch.rand(lead) < share for name, share in (("mask", 0.7), ("reset", 0.3)) if name in beside
    }
    if "lengths" in beside:
        marks["lengths"] = torch.tensor([T, 0, T - 2])
    if "packed" in beside:
        marks["packed"] = torch.tensor([T - 1, T, 1])
    return layer, x, state, scalars, marks


def call(layer, x, state, scalars, marks, slowly=False):
    """y and each final state, by the engine or by the reference."""
    marks = dict(marks)
    lengths = marks.pop("packed", None)
    if lengths is not None:
        pack = lambda t: pack_padded_sequence(t, lengths, enforce_sorted=False)  # noqa: E731
        x, scalars = pack(x), {name: pack(one) for name, one in scalars.items()}
    hx = None if not state else state[0] if len(state) == 1 else tuple(state)
    if slowly:
        three = [marks.get(name) for name in ("lengths", "mask", "reset")]
        y, final = layer._elman_sequences(_slowly, x, hx, layer._elman_weights(), *three, scalars)
    else:
        y, final = layer(x, hx, **marks, **scalars)
    y = y.data if isinstance(y, PackedSequence) else y
    return [y, *(final if isinstance(final, tuple) else (final,))]


def leaves(layer, x, state, scalars):
    return [x, *state, *layer.parameters(), *scalars.values()]


def gradients(results, wanted, **more):
    """Of a sum that feels every value."""
    total = sum((r * torch.linspace(1, 2, r.numel(), dtype=r.dtype).view(r.shape)).sum() for r in results)
    return torch.autograd.grad(total, wanted, allow_unused=True, **more)


def assert_close(got, want, what="", tolerance=1e-12):
    for n, (a, b) in enumerate(zip(got, want, strict=True)):
        if a is None or b is None:  # which the engine gives as zeros
            assert all(t is None or not t.any() for t in (a, b)), (what, n)
        else:
            message = functools.partial("{}, {}: {}".format, what, n)
            torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance, msg=message)
