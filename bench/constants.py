"""Constants of this machine, measured, for bench.simulation. All are of one thread, but for what threads share."""

from __future__ import annotations

import math
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


class Constants:
    """Measured with one and two threads; where there is one processor, the engine's own costs stand in."""

    def __init__(self, cells: set[str], memory: float | None = None):
        self.limits, processors = Limits(1), min(2, elman.info()["processors"])
        self.caches = self.limits.caches
        self._near = self.limits.levels()
        together = Limits(processors).levels()["memory"]
        self.memory = memory or max(together, self._near["memory"])  # of all threads together
        self.meeting = min(_core.measure_barrier(2) for _ in range(9)) if processors > 1 else 300.0
        self.handing = min(_core.measure_dispatch(2) for _ in range(9)) if processors > 1 else 600.0
        self._products: dict[type, float] = {}
        before = elman.num_threads()
        elman.set_num_threads(1)
        self.call_ns = {mode: self._call_ns(mode) for mode in ("step", "infer", "train")}
        self.cell_ns, self.back_ns = {}, {}
        for cell in cells:
            self._measure_cell(cell)
        elman.set_num_threads(before)

    def lanes(self, dtype: type) -> int:
        plan = _core.Plan(1, 1, False, False, None, None, None)
        return _core.pieces("rnn_tanh", np.dtype(dtype).name, 1, 1, 1, 0, "step", [plan], 1)["lanes"]

    def products(self, dtype: type) -> float:
        """Vectors of multiply-adds a nanosecond in the engine's tiles, with weights in its own caches."""
        if dtype not in self._products:
            before = elman.num_threads()
            elman.set_num_threads(1)
            rows, size = TILE
            layer, x = elman.Linear(size, size, dtype=dtype, seed=0), np.zeros((rows, size), dtype)
            ns = best_ns(lambda: layer(x))
            self._products[dtype] = rows * size * size / self.lanes(dtype) / ns
            elman.set_num_threads(before)
        return self._products[dtype]

    def vector_copy_ns(self, dtype: type) -> float:
        """Reading and writing a vector in the L2 cache."""
        return 2 * self.lanes(dtype) * np.dtype(dtype).itemsize / self._near["L2"]

    def bandwidth(self, level: str, threads: int) -> float:
        """Bytes a nanosecond for one of so many. Every core has caches of its own and its part of the L3 cache."""
        if level != "memory":
            return self._near[level]
        return min(self._near["memory"], self.memory / threads)

    def shared_bandwidth(self, held: float, threads: int) -> float:
        """Bytes a nanosecond for all of them together, of `held` bytes."""
        level = "L3" if held <= 0.75 * self.caches["L3"] else "memory"
        return threads * self.bandwidth(level, threads)

    def barrier_ns(self, threads: int) -> float:
        return self.meeting * math.ceil(math.log2(threads)) if threads > 1 else 0

    def dispatch_ns(self, threads: int) -> float:
        return self.handing + DISPATCH_EACH * (threads - 2) if threads > 1 else 0

    def table(self) -> str:
        near = ", ".join(f"{level} {rate:.0f}" for level, rate in self._near.items())
        calls = ", ".join(f"{ns / 1000:.1f} us ({mode})" for mode, ns in self.call_ns.items())
        return (
            f"{self.limits.peak():.0f} GFLOP/s of one thread, {self.products(np.float32):.1f} vectors of multiply-adds "
            f"a ns in tiles; GB/s of one thread: {near}; memory for all threads {self.memory:.0f}; two threads meet in "
            f"{self.meeting:.0f} ns and get work in {self.handing:.0f} ns; a call costs {calls}"
        )

    def _call_ns(self, mode: str) -> float:
        """Of a call that computes next to nothing: arguments, Python, plans."""
        return best_ns(prepare(Shape("", "", mode, "rnn_tanh", 1, 1, 1, "f", 1, 1, 1.0, 0.0)))

    def _measure_cell(self, cell: str) -> None:
        """What a cell's functions take for a row and a vector of units, forward and backward: what a small layer
        takes beside its products."""
        shape = Shape("", "", "infer", cell, 16, 64, 1, "f", 48, 64, 1.0, 0.0)
        lanes, entries = self.lanes(np.float32), shape.T * shape.B
        groups = shape.H // lanes
        product = entries * len(CELLS[cell].gates) * shape.H * (shape.H + shape.I) / lanes
        product /= self.products(np.float32)
        infer = best_ns(prepare(shape)) - self.call_ns["infer"]
        self.cell_ns[cell] = max(0.1, (infer - product) / (entries * groups))
        train = best_ns(prepare(Shape(**{**vars(shape), "mode": "train"}))) - self.call_ns["train"]
        self.back_ns[cell] = max(0.1, (train - infer - 2 * product) / (entries * groups))


def prepare(shape: Shape, threads: int = 1, data: Data | None = None) -> Callable[[], object]:
    """A call of elman of this shape."""
    data = data or make_data(shape)
    return contenders.prepare("elman", shape, data, make_weights(shape), threads)[0]
