"""Constants of this machine, measured, for bench.simulation. All are of one thread, but for what threads share."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
import time
from collections.abc import Callable

import numpy as np

import elman
from bench import contenders
from bench.limits import Limits
from bench.shapes import Data, Shape, make_data, make_weights
from elman import _core
from elman.stack.cells import CELLS

DISPATCH_EACH = 25  # ns for each further thread that work is handed to, as in machine/costs.h: not measured
TILE = (768, 512)  # rows, and inputs and outputs, of the product whose rate counts


def best_ns(run: Callable[[], object], seconds: float = 0.2) -> float:
    """The shortest of many runs: nothing else should be in the time."""
    run()
    least, end = math.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter_ns()
        run()
        least = min(least, time.perf_counter_ns() - begin)
    return least


@dataclasses.dataclass
class Constants:
    """Where there is one processor, the engine's own costs stand in for what two threads take."""

    peak: float  # GFLOP/s
    near: dict[str, float]  # bytes a ns, of each cache and of memory
    caches: dict[str, int]  # bytes
    memory: float  # bytes a ns of memory, for all threads together
    meeting: float  # ns in which two threads meet
    handing: float  # ns in which two threads get work and give it back
    tiles: dict[
        str, float
    ]  # vectors of multiply-adds a ns in the engine's tiles, with weights in its own caches
    call_ns: dict[str, float]  # of a call that computes next to nothing, by mode
    cell_ns: dict[str, float]  # of a cell's functions for a row and a vector of units
    back_ns: dict[str, float]  # and on the way back

    @classmethod
    def measured(cls) -> Constants:
        limits, processors = Limits(1), min(2, elman.info()["processors"])
        near, two = limits.levels(), processors > 1
        before = elman.num_threads()
        elman.set_num_threads(1)
        constants = cls(
            limits.peak(),
            near,
            limits.caches,
            max(near["memory"], Limits(processors).levels()["memory"]),
            min(_core.measure_barrier(2) for _ in range(9)) if two else 300.0,
            min(_core.measure_dispatch(2) for _ in range(9)) if two else 600.0,
            {np.dtype(dtype).name: _tile_rate(dtype) for dtype in (np.float32, np.float64)},
            {mode: best_ns(prepare(_tiny(mode))) for mode in ("step", "infer", "train")},
            {},
            {},
        )
        for cell in ("lstm", "gru", "rnn_tanh", "rnn_relu"):
            constants.measure_cell(cell)
        elman.set_num_threads(before)
        return constants

    @classmethod
    def kept(cls, path: pathlib.Path | None) -> Constants:
        """Those of the file; if there is none, they are measured, and written there."""
        if path and path.exists():
            return cls(**json.loads(path.read_text()))
        constants = cls.measured()
        if path:
            path.write_text(json.dumps(dataclasses.asdict(constants), indent=1) + "\n")
        return constants

    def products(self, dtype: type) -> float:
        return self.tiles[np.dtype(dtype).name]

    def bandwidth(self, level: str, threads: int) -> float:
        """Bytes a nanosecond for one of so many. Every core has caches of its own and its part of the L3 cache."""
        if level != "memory":
            return self.near[level]
        return min(self.near["memory"], self.memory / threads)

    def shared_bandwidth(self, held: float, threads: int) -> float:
        """Bytes a nanosecond for all of them together, of `held` bytes."""
        level = "L3" if held <= 0.75 * self.caches["L3"] else "memory"
        return threads * self.bandwidth(level, threads)

    def barrier_ns(self, threads: int) -> float:
        return self.meeting * math.ceil(math.log2(threads)) if threads > 1 else 0

    def dispatch_ns(self, threads: int) -> float:
        return self.handing + DISPATCH_EACH * (threads - 2) if threads > 1 else 0

    def table(self) -> str:
        near = ", ".join(f"{level} {rate:.0f}" for level, rate in self.near.items())
        calls = ", ".join(f"{ns / 1000:.1f} us ({mode})" for mode, ns in self.call_ns.items())
        return (
            f"{self.peak:.0f} GFLOP/s of one thread, {self.products(np.float32):.1f} vectors of multiply-adds a ns in "
            f"tiles; GB/s of one thread: {near}; memory for all threads {self.memory:.0f}; two threads meet in "
            f"{self.meeting:.0f} ns and get work in {self.handing:.0f} ns; a call costs {calls}"
        )

    def measure_cell(self, cell: str) -> None:
        """What a cell's functions take for a row and a vector of units, forward and backward: what a small layer
        takes beside its products."""
        shape = Shape("", "", "infer", cell, 16, 64, 1, "f", 48, 64, 1.0, 0.0)
        entries, width = shape.T * shape.B, lanes(np.float32)
        groups = math.ceil(shape.H / width)
        product = entries * len(CELLS[cell].gates) * shape.H * (shape.H + shape.I) / width
        product /= self.products(np.float32)
        infer = best_ns(prepare(shape)) - self.call_ns["infer"]
        self.cell_ns[cell] = max(0.1, (infer - product) / (entries * groups))
        train = best_ns(prepare(Shape(**{**vars(shape), "mode": "train"}))) - self.call_ns["train"]
        self.back_ns[cell] = max(0.1, (train - infer - 2 * product) / (entries * groups))


def lanes(dtype: type) -> int:
    """Numbers in a vector of the instruction set in use."""
    plan = _core.Plan(1, 1, False, False, None, None, None)
    return _core.pieces("rnn_tanh", np.dtype(dtype).name, 1, 1, 1, 0, "step", [plan], 1)["lanes"]


def _tile_rate(dtype: type) -> float:
    rows, size = TILE
    layer, x = elman.layers.Linear(size, size, dtype=dtype, seed=0), np.zeros((rows, size), dtype)
    return rows * size * size / lanes(dtype) / best_ns(lambda: layer(x))


def _tiny(mode: str) -> Shape:
    return Shape("", "", mode, "rnn_tanh", 1, 1, 1, "f", 1, 1, 1.0, 0.0)


def prepare(shape: Shape, threads: int = 1, data: Data | None = None) -> Callable[[], object]:
    """A call of elman of this shape."""
    data = data or make_data(shape)
    return contenders.prepare("elman", shape, data, make_weights(shape), threads)[0]
