"""PyTorch's modules on elman's engine: layers, cells, packed sequences, steps."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

import elman.torch
from bench.bits import DTYPES, Case, Setting, flat, normal, settings

KINDS = ("RNN", "LSTM", "GRU")
LAYERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "two layers both": {"num_layers": 2, "bidirectional": True, "batch_first": True},
    "dropout": {"num_layers": 3, "dropout": 0.3, "bias": False},
    "projected": {"proj_size": 5},
}
SIZES = (
    (1, 6, 1, 1),
    (3, 7, 2, 5),
    (7, 19, 5, 9),
    (40, 33, 6, 4),
    (10, 130, 3, 6),
    (20, 64, 33, 2),
)  # I, H, B, T
CALLS = ("called", "ragged", "masked", "packed", "frozen")


def cases() -> Iterator[Case]:
    draw = random.Random(0)
    for kind, layers, call, dtype in itertools.product(KINDS, LAYERS, CALLS, DTYPES):
        if layers == "projected" and (kind != "LSTM" or call == "masked"):
            continue
        for setting in settings(draw):
            size = draw.choice(SIZES)
            name = f"torch {kind} {np.dtype(dtype)}, {layers}, {call}, {_text(size)}, {setting}"
            yield name, lambda a=(kind, layers, call, dtype, size, setting): sequences(*a)
    alike = (("cell", cells), ("steps", steps))
    for kind, dtype, (what, run), size in itertools.product(KINDS, DTYPES, alike, SIZES):
        for setting in settings(draw):
            name = f"torch {kind} {np.dtype(dtype)}, {what}, {_text(size)}, {setting}"
            yield name, lambda run=run, a=(kind, dtype, size, setting): run(*a)


def _text(size: tuple[int, ...]) -> str:
    return " ".join(f"{letter} {n}" for letter, n in zip("IHBT", size, strict=True))


def tensor(seed: int, dtype: type, *shape: int) -> torch.Tensor:
    return torch.from_numpy(normal(seed, dtype, *shape))


def made(name: str, dtype: type, *sizes: int, **options: Any) -> Any:
    torch.manual_seed(0)
    return getattr(elman.torch, name)(*sizes, **options).to(torch.from_numpy(np.zeros(0, dtype)).dtype)


def gradients(module: Any) -> dict[str, Any]:
    return {name: p.grad for name, p in module.named_parameters() if p.grad is not None}


def arrays(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, torch.nn.utils.rnn.PackedSequence):
        value = value.data
    if isinstance(value, torch.Tensor):
        return {name: value.detach().numpy().copy()}
    return {
        key: one for part, inner in enumerate(value) for key, one in arrays(f"{name}.{part}", inner).items()
    }


def sequences(
    kind: str, layers: str, call: str, dtype: type, size: tuple[int, ...], setting: Setting
) -> dict[str, Any]:
    I, H, B, T = size  # noqa: E741
    layer, rng = made(kind, dtype, I, H, **LAYERS[layers]), np.random.default_rng(0)
    lead = (B, T) if layer.batch_first else (T, B)
    leaf = tensor(0, dtype, *lead, I).requires_grad_()
    x, lengths, marks = leaf, torch.from_numpy(rng.integers(1, T + 1, B)), {}
    if call == "ragged":
        marks = {"lengths": lengths}
    if call == "masked":
        marks = {
            name: torch.from_numpy(rng.random(lead) < share)
            for name, share in (("mask", 0.7), ("reset", 0.3))
        }
    if call == "packed":
        x = torch.nn.utils.rnn.pack_padded_sequence(leaf, lengths, layer.batch_first, enforce_sorted=False)
    if call == "frozen":
        layer.weight_hh_l0.requires_grad_(False)
        leaf.requires_grad_(False)
    with setting(torch.set_num_threads):
        with torch.no_grad():
            found = arrays("without", layer.eval()(x, **marks))
        torch.manual_seed(1)
        y, final = layer.train()(x, **marks)
        out = y.data if call == "packed" else y
        loss = (out * tensor(1, dtype, *out.shape)).sum() + sum(part.sum() for part in final)
        loss.backward()
        found |= arrays("y", y) | arrays("final", final) | flat("grads", gradients(layer))
        return found | ({} if leaf.grad is None else arrays("dx", leaf.grad))


def cells(kind: str, dtype: type, size: tuple[int, ...], setting: Setting) -> dict[str, Any]:
    """Called step by step, with gradients through all steps."""
    I, H, B, T = size  # noqa: E741
    cell, state, total = made(kind + "Cell", dtype, I, H), None, 0
    x, found = tensor(0, dtype, T, B, I).requires_grad_(), {}
    with setting(torch.set_num_threads):
        for t in range(T):
            state = cell(x[t], state)
            h = state[0] if isinstance(state, tuple) else state
            total = total + (h * tensor(t, dtype, B, H)).sum()
        total.backward()
        return found | arrays("state", state) | arrays("dx", x.grad) | flat("grads", gradients(cell))


def steps(kind: str, dtype: type, size: tuple[int, ...], setting: Setting) -> dict[str, Any]:
    """A layer and a cell called for one step without gradients, the state given back."""
    I, H, B, _ = size  # noqa: E741
    layer, state = made(kind, dtype, I, H, 2), None
    cell, of_cell, found = made(kind + "Cell", dtype, I, H), None, {}
    with setting(torch.set_num_threads), torch.inference_mode():
        for t in range(3):
            x = tensor(t, dtype, B, I)
            y, state = layer(x[None], state)
            of_cell = cell(x, of_cell)
            found |= arrays(f"y{t}", y) | arrays(f"state{t}", state) | arrays(f"cell{t}", of_cell)
    return found
