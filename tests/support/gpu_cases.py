"""The GPU's scans against the engine in float64: cases and the check of one. For the tests, and for bench.gpu."""

from __future__ import annotations

import numpy as np
import torch

from elman.stack.cells import CELLS
from elman.torch import engine, gpu
from elman.torch.spec import TIME_FIRST, Layout, spec_of

KINDS = ["block", "cluster", "grid", "launch"]
# Of results of size 1: what rounding h and the slots to the type leaves after a few steps.
TOLERANCE = {torch.float32: 2e-6, torch.float16: 4e-3, torch.bfloat16: 3e-2}
TF32 = 4e-3  # the same of float32 with products rounded to it
# Cells whose gradients differ on the two sides of a corner. Rounding may bring a unit to the other side.
CORNERED = {"rnn_relu"}


def make(cell, T, B, I, H, L=1, backwards=(False,), bias=True, seed=0):  # noqa: E741
    """Inputs that each type holds exactly enough: multiples of 1/64."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape, scale=1.0):
        return torch.round(torch.randn(*shape, generator=generator, dtype=torch.float64) * scale * 64) / 64

    gates, states = len(CELLS[cell].gates), len(CELLS[cell].states)
    D = len(backwards)
    weights = []
    for k in range(L):
        inputs = I if k == 0 else D * H
        for _ in range(D):
            weights += [
                draw(gates * H, inputs, scale=min(0.3, inputs**-0.5)),
                draw(gates * H, H, scale=H**-0.5),
            ]
            if bias:
                weights += [draw(gates * H, scale=0.3), draw(gates * H, scale=0.3)]
    if cell in CORNERED:  # far from the corner
        for one in weights:
            one *= 1 / 4 if one.dim() == 2 else 0
            if one.dim() == 1:
                one += torch.where(torch.arange(H) % 3 > 0, 2.0, -2.0)
    x, state = draw(T, B, I), [draw(L * D, B, H, scale=0.5) for _ in range(states)]
    grads = [draw(T, B, D * H), *(draw(L * D, B, H) for _ in range(states))]
    return spec_of(cell, tuple(backwards), bias, weights), x, state, weights, grads


def check(
    case,
    layout=TIME_FIRST,
    dtype=torch.float32,
    with_state=True,
    with_dstate=True,
    dropout=(),
    device=None,
    tolerance=None,
):
    """Results and gradients, where tests run or on `device`; the largest error as a part of what is allowed."""
    device, tolerance = device or where(), tolerance or TOLERANCE[dtype]
    spec, x, state, weights, grads = case
    state = state if with_state else []
    dstate = grads[1:] if with_dstate else [None] * (len(grads) - 1)
    wanted = engine.Pass(spec, layout, x, state, weights, dropout)
    tape = wanted.new_tape(wanted.new_memory())
    expected = wanted.forward(tape)
    y = expected[0].clone()
    dx, dinitial, dweights = wanted.backward(tape, grads[0], dstate)

    def cast(tensors):
        return [None if t is None else t.to(device, dtype) for t in tensors]

    call = gpu.Pass(spec, layout, *cast([x]), cast(state), cast(weights), cast(dropout))
    tape = call.new_tape(call.new_memory())
    found = call.forward(tape)
    plain = gpu.Pass(spec, layout, *cast([x]), cast(state), cast(weights), cast(dropout)).forward()
    for one, other in zip(found, plain, strict=True):
        assert torch.equal(one, other)  # keeping changes nothing, and neither does the order of the threads
    found_dx, found_dinitial, found_dweights = call.backward(tape, *cast(grads[:1]), cast(dstate))
    worst = 0.0
    for name, one, other in [
        ("y", found[0], y),
        *((f"state {k}", a, b) for k, (a, b) in enumerate(zip(found[1:], expected[1:], strict=True))),
        ("dx", found_dx, dx),
        *((f"dinitial {k}", a, b) for k, (a, b) in enumerate(zip(found_dinitial, dinitial, strict=True))),
        *((f"dweight {k}", a, b) for k, (a, b) in enumerate(zip(found_dweights, dweights, strict=True))),
    ]:
        assert one.dtype == dtype and one.shape == other.shape, name
        if not one.numel():
            continue
        allowed = tolerance * max(1.0, other.abs().max().item())
        error = (one.double().cpu() - other).abs().max().item() / allowed
        assert error <= 1, (name, error)
        worst = max(worst, error)
    return worst


def where():
    """Where tensors are to be."""
    return torch.device(*gpu.KINDS)


def ragged(T, B, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, T + 1, B)
    lengths[0] = T
    mask, reset = rng.random((T, B)) < 0.8, rng.random((T, B)) < 0.3
    return {
        "lengths": Layout(lengths=torch.from_numpy(lengths)),
        "mask": Layout(mask=torch.from_numpy(mask)),
        "reset": Layout(reset=torch.from_numpy(reset)),
        "all": Layout(False, None, *map(torch.from_numpy, (lengths, mask, reset))),
        "packed": Layout(
            batch_sizes=torch.from_numpy(np.sort((np.arange(T)[:, None] < lengths).sum(1))[::-1].copy())
        ),
    }
