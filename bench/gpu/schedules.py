"""Microseconds a step of every schedule that a size has, and of the layouts next to the cheapest, beside the cost
model's: what the model's constants are fitted to. The scans alone, replayed from a CUDA graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from bench.gpu.correct import TYPES
from bench.gpu.place import Place, rounded
from bench.gpu.worker import Case, Row
from elman.stack.cells import CELLS
from elman.stack.gpu import passes
from elman.stack.gpu.plan import whole
from elman.torch.gpu import Tensors
from elman.torch.spec import spec_of
from tests.support.gpu_cases import KINDS

NAMES = {"fp16": "float16", "bf16": "bfloat16", "fp32": "float32", "tf32": "tf32"}
# Among the layouts in the order of the model.
PLACES = (0, 1, 2, 4, 7, 11, 16, 24, 40)
STEPS = 100
DECISIVE = [
    ("lstm", "bf16", 256, 64), ("lstm", "bf16", 512, 64), ("lstm", "bf16", 512, 8), ("lstm", "fp32", 256, 32),
    ("gru", "bf16", 512, 32), ("lstm", "bf16", 1024, 64), ("lstm", "bf16", 128, 256), ("lstm", "tf32", 512, 32),
    ("lstm", "bf16", 256, 1), ("lstm", "fp32", 512, 8), ("lstm", "bf16", 768, 16), ("lstm", "fp32", 128, 32),
]  # fmt: skip


def cases(place: Place) -> Iterator[Case]:
    sizes = [(H, B) for H in (256, 512, 128, 1024, 64, 768) for B in (32, 1, 256, 8)]
    more = [
        (cell, dtype, H, B)
        for H, B in sizes
        for dtype in ("bf16", "tf32", "fp32")
        for cell in ("lstm", "gru")
    ]
    for cell, dtype, H, B in dict.fromkeys([*DECISIVE, *more]):
        H, B = place.size(H, H // 16), place.size(B, min(B, 9))
        for backward in (False, True):
            for kind in KINDS:
                name = f"{cell} {dtype} {H} {B} {'backward' if backward else 'forward'} {kind}"
                sizes_ = (cell, dtype, H, B, backward, kind)
                yield name, lambda s=sizes_: _layouts(place, *s)


def _layouts(place: Place, cell: str, dtype: str, H: int, B: int, backward: bool, kind: str) -> Row:
    try:
        found = place.scans.schedules(cell, backward, NAMES[dtype], H, B, 1, kind)
    except ValueError:
        return {"refused": True}
    T = place.size(STEPS if kind != "launch" else STEPS // 4, 3)
    scan = Scan(place, cell, dtype, H, B, T, backward)
    rows = [
        _described(s) | {"us": round(scan.microseconds(s), 4)}
        for s in (found[i] for i in PLACES if i < len(found))
    ]
    return {"cell": cell, "dtype": dtype, "H": H, "B": B, "backward": backward, "kind": kind, "layouts": rows}


def _described(s: Any) -> dict[str, Any]:
    names = ("units", "ranks", "teams", "splits", "tiles", "staged")
    return {name: getattr(s, name) for name in names} | {"model": round(s.microseconds, 4)}


class Recorded(passes.Pass):
    """Remembers its last scan, to launch it again."""

    def _scan(self, backward: bool, sides: list[dict[str, Any]]) -> None:
        self.scanned = backward, sides
        super()._scan(backward, sides)


class Holding(Tensors):
    """Holds what a layer multiplies its input to, which later launches read."""

    def __init__(self, x: torch.Tensor):
        super().__init__(x)
        self.held: list[torch.Tensor] = []

    def affine(self, *of: Any) -> torch.Tensor:
        self.held.append(super().affine(*of))
        return self.held[-1]


class Scan:
    """One layer's scan alone, without the products around it."""

    def __init__(self, place: Place, cell: str, dtype: str, H: int, B: int, T: int, backward: bool):
        self._place, self._T = place, T
        torch.manual_seed(0)
        like = {"device": place.device, "dtype": TYPES[dtype]}
        rows = len(CELLS[cell].gates) * H
        weights = [torch.randn(rows, width, **like) * H**-0.5 for width in (16, H)]
        weights += [torch.zeros(rows, **like) for _ in range(2)]
        spec = spec_of(cell, (False,), True, weights)
        x = torch.randn(T, B, 16, **like)
        with torch.no_grad(), rounded(dtype == "tf32"):
            library = Holding(x)
            self._pass = Recorded(library, spec, whole(T, B, False, (False,), library), x)
            tape, nested = self._pass.new_tape(), spec.nest(weights)
            dy = torch.randn(T, B, H, **like)
            self._held = weights, x, dy, [*tape.slots], [*tape.states], [*tape.y]
            self._out = self._pass.forward(nested, tape if backward else None)
            if backward:
                self._out += self._pass.backward(nested, tape, dy, [None] * spec.states)

    def microseconds(self, schedule: Any) -> float:
        """A step's."""

        def work() -> None:
            self._pass._launch(schedule, *self._pass.scanned)

        return self._place.times({"scan": self._place.graph(work)})["scan"] / self._T
