"""The GPU's scans beside torch.nn, which is cuDNN: the shapes that decide most, the grid, and a sweep of sizes.

Side by side, after both results were compared; the input product and, in training, all gradients are included on both
sides; weights are flattened; TF32 is off on both, or on on both. Eager, and replayed from a CUDA graph.
"""

from __future__ import annotations

import itertools
import pathlib
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import elman.torch.cudnn
from bench import shapes
from bench.contenders.torch import MODULES
from bench.gpu.correct import TYPES
from bench.gpu.place import Place, rounded
from bench.gpu.worker import Case, Row
from elman.torch.gpu import Tensors

LIMITS = {"fp16": 1e-2, "bf16": 6e-2, "fp32": 1e-4, "tf32": 1e-2}  # of the results' difference


@dataclass(frozen=True)
class Layer:
    cell: str
    dtype: str
    I: int  # noqa: E741
    H: int
    B: int
    T: int
    train: bool
    layers: int = 1
    directions: int = 1
    ragged: float = 1


def scans(place: Place) -> Iterator[Case]:
    """The scans wherever cuDNN is faster too: what elman.torch.cudnn's table is made of (table.py)."""
    return _cases(place, itertools.chain(_decisive(), _sweep()), scans_only=True)


def drop_in(place: Place) -> Iterator[Case]:
    """elman.torch as people have it: the scans or cuDNN, by the table."""
    return _cases(place, itertools.chain(_decisive(), _grid(), _off_the_grid()), scans_only=False)


def _cases(place: Place, layers: Iterable[Layer], scans_only: bool) -> Iterator[Case]:
    seen = set()
    for layer in layers:  # without end, of some stages
        if layer in seen:
            continue
        seen.add(layer)
        if place.played:
            layer = replace(
                layer, I=max(1, layer.I // 16), H=max(1, layer.H // 16), B=min(layer.B, 5), T=min(layer.T, 4)
            )
        words = [str(value) for value in asdict(layer).values()]
        yield " ".join(words), lambda layer=layer: measure(place, layer, scans_only)


def _decisive() -> Iterator[Layer]:
    for cell, dtype, H, B in [
        ("lstm", "fp16", 256, 64), ("lstm", "fp16", 512, 64), ("lstm", "bf16", 512, 64), ("lstm", "bf16", 256, 32),
        ("gru", "bf16", 512, 32), ("lstm", "fp32", 256, 32), ("lstm", "tf32", 512, 32), ("gru", "fp32", 256, 32),
        ("lstm", "fp16", 1024, 64), ("lstm", "bf16", 128, 256), ("lstm", "bf16", 1024, 64), ("lstm", "fp16", 512, 8),
    ]:  # fmt: skip
        for train in (False, True):
            yield Layer(cell, dtype, H, H, B, 256, train)


def _grid() -> Iterator[Layer]:
    """Layers of real systems (bench/shapes.csv). torch.nn knows no resets."""
    for dtype in ("bf16", "fp32", "fp16", "tf32"):
        for s in shapes.read(pathlib.Path(shapes.__file__).with_name("shapes.csv")):
            if s.reset or s.T > 1000 or s.dtype.__name__ != "float32" or s.cell not in MODULES:
                continue
            sizes = (s.I, s.H, s.B, s.T, s.mode == "train", s.layers, s.directions, s.ragged)
            yield Layer(s.cell, dtype, *sizes)


def _sweep() -> list[Layer]:
    """In a drawn order, so that whatever there is time for is spread over all."""
    layers = [
        Layer(cell, dtype, H, H, B, 100, train)
        for cell, rows in (
            ("lstm", (1, 8, 32, 64, 256)),
            ("gru", (1, 8, 32, 64, 256)),
            ("rnn_tanh", (1, 32, 256)),
        )
        for dtype in TYPES
        for H in (64, 128, 192, 256, 384, 512, 768, 1024)
        for B in rows
        for train in (False, True)
    ]
    random.Random(0).shuffle(layers)
    return layers


def _off_the_grid() -> Iterator[Layer]:
    draw = random.Random(0)
    while True:
        cell, dtype = draw.choice(("lstm", "gru", "rnn_tanh")), draw.choice(list(TYPES))
        H, B = round(2 ** draw.uniform(4, 10.5)), round(2 ** draw.uniform(0, 8.5))
        sizes = (draw.choice((8, 64, H)), H, B, round(2 ** draw.uniform(0, 8)), draw.random() < 0.5)
        yield Layer(cell, dtype, *sizes, draw.choice((1, 1, 2)), draw.choice((1, 1, 2)))


def _modules(place: Place, layer: Layer) -> tuple[Any, Any, torch.Tensor]:
    """elman's layer, torch's with the same weights, and x."""
    torch.manual_seed(0)
    name, options = MODULES[layer.cell], {"num_layers": layer.layers, "bidirectional": layer.directions == 2}
    like = {"device": place.device, "dtype": TYPES[layer.dtype]}
    theirs = getattr(torch.nn, name)(layer.I, layer.H, **options).to(**like)
    ours = getattr(elman.torch, name)(layer.I, layer.H, **options).to(**like)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs, torch.randn(layer.T, layer.B, layer.I, **like, requires_grad=layer.train)


def measure(place: Place, layer: Layer, scans_only: bool) -> Row:
    """Microseconds of a call, eager and from a graph; schedules and the model's microseconds of a step."""
    elman.torch.cudnn.never = scans_only
    with rounded(layer.dtype == "tf32"):
        ours, theirs, x = _modules(place, layer)
        lengths = None
        if layer.ragged < 1:
            lengths = torch.linspace(layer.ragged * layer.T, layer.T, layer.B).round().long().clamp_min(1)

        def call_ours() -> torch.Tensor:
            return ours(x, lengths=lengths)[0]

        def call_theirs() -> torch.Tensor:
            if lengths is None:
                return theirs(x)[0]
            packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
            return pad_packed_sequence(theirs(packed)[0], total_length=layer.T)[0]

        with torch.no_grad():
            error = (call_ours().float() - call_theirs().float()).abs().max().item()
        if not error <= LIMITS[layer.dtype]:
            raise AssertionError(f"results differ by {error:.2g}, allowed {LIMITS[layer.dtype]:.2g}")
        work = {
            "ours": _work(call_ours, ours, x, layer.train), "theirs": _work(call_theirs, theirs, x, layer.train)
        }  # fmt: skip
        row: Row = asdict(layer) | {"difference": error}
        if not scans_only:
            row["eager"] = _rounded(place.times(work))
        task = (Tensors(x).dtype, layer.H, layer.B, layer.directions)
        for backward in (False, True)[: 1 + layer.train]:
            chosen = place.scans.schedules(layer.cell, backward, *task)[0]
            row["backward" if backward else "forward"] = [chosen.kind, round(chosen.microseconds, 3)]
        if lengths is None:  # packing lengths copies them to the processor, which no graph can hold
            row["graph"] = _rounded(place.times({name: place.graph(one) for name, one in work.items()}))
    return row


def _work(call: Callable[[], torch.Tensor], module: Any, x: torch.Tensor, train: bool) -> Callable[[], Any]:
    if not train:

        def forward() -> Any:
            with torch.no_grad():
                return call()

        return forward
    with torch.no_grad():
        dy = torch.randn_like(call())
    inputs = [x, *module.parameters()]
    return lambda: torch.autograd.grad(call(), inputs, dy)


def _rounded(times: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in times.items()}
