"""What a call would take on any number of threads, counted: the engine says which thread would compute what
(`_core.pieces`, with its own plans), and this adds up what each does, by constants of this machine.

A thread's products take the longer of their multiply-adds and of reading their weights, which every step reads
anew from the memory that holds the thread's share; where that is no cache of its own, half of the shorter time
is added, as in the engine's cost model. Tape, inputs and results must pass through the memory that holds them.
"""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Callable

import numpy as np

from bench.constants import Constants, lanes
from bench.shapes import Data, Shape
from elman import _core
from elman.stack.cells import CELLS
from elman.stack.steps import Steps

SHARE = 0.75  # of a cache that weights can use, as in machine/costs.cpp
STEP_NS = 30  # of a step beside its products, as in machine/costs.h
VISIT = 128  # rows between two visits to the gradients of weights, as in tile/outer.h
ENTRY_NS = 2  # of collecting the rows of an entry for them, on one thread


@dataclasses.dataclass
class Account:
    """The time of one call: what passes, and what each thread does in it."""

    threads: int
    ns: float = 0
    used: int = 1
    busy: np.ndarray = dataclasses.field(init=False)
    read: collections.Counter = dataclasses.field(default_factory=collections.Counter)

    def __post_init__(self) -> None:
        self.busy = np.zeros(self.threads)

    @property
    def idle(self) -> float:
        """The share of the time of the threads in use in which they wait: for work, at barriers, for the last one."""
        return 1 - self.busy.sum() / (self.used * self.ns)


class Simulation:
    def __init__(self, shape: Shape, data: Data, threads: int, constants: Constants):
        self.shape, self.threads, self.c = shape, threads, constants
        self.cell = CELLS[shape.cell]
        self.item = np.dtype(shape.dtype).itemsize
        self.vector_bytes = lanes(shape.dtype) * self.item
        backwards = {"f": (False,), "r": (True,), "b": (False, True)}[shape.dirs]
        self.plans = list(Steps(shape.T, shape.B, False, data.lengths, None, data.reset).plans(backwards))
        self.alive = [plan.arrays()["alive"] for plan in self.plans]
        self.entries = int(self.alive[0].sum())
        self.account = Account(threads)
        self.cuts: dict[str, dict] = {}  # of the last layer: the widest inputs

    def run(self) -> Account:
        shape = self.shape
        self.serial(self.c.call_ns[shape.mode])
        if shape.mode == "step":
            self.forward(0, "step", range(shape.layers), keep=False)
            return self.account
        for layer in range(shape.layers):
            self.forward(layer, "forward", [layer], keep=shape.mode == "train")
        if shape.mode == "train":
            self.move(2 * self.entries * self.width, self.tape_bytes)  # y is copied from the tape
            for layer in reversed(range(shape.layers)):
                self.backward(layer)
        return self.account

    # What the threads do.

    def serial(self, ns: float) -> None:
        self.account.ns += ns
        self.account.busy[0] += ns

    def together(
        self, busy: np.ndarray, wall: float | None = None, moved: float = 0, held: float = 0
    ) -> None:
        """One dispatch. `busy`: ns of each thread; `wall`: until the last has ended, waiting included; `moved`: how
        many numbers pass through memory meanwhile, of `held` bytes in all."""
        busy = np.asarray(busy, float)
        n, account = len(busy), self.account
        wall = busy.max() if wall is None else wall
        late = max(0.0, moved * self.item / self.c.shared_bandwidth(held, n) - wall)
        account.ns += self.c.dispatch_ns(n) + wall + late
        account.busy[:n] += busy + late
        account.used = max(account.used, n)

    def move(self, numbers: float, held: float) -> None:
        """Copies or clears in equal shares."""
        n = _core.moving_threads(numbers * self.item, self.threads)
        if numbers:
            self.together(np.zeros(n), moved=numbers, held=held)

    # Sizes.

    @property
    def width(self) -> int:
        return self.shape.H * self.shape.directions

    def inputs(self, layer: int) -> int:
        return self.shape.I if layer == 0 else self.width

    @property
    def tape_bytes(self) -> float:
        """Of all layers: slots, states, results; without a tape: what a layer reads and writes."""
        shape, rows = self.shape, self.entries * self.item
        if shape.mode != "train":
            return rows * (self.width + max(self.inputs(0), self.inputs(shape.layers - 1)))
        return rows * shape.layers * self.width * (self.cell.slots + len(self.cell.states))

    def level(self, own: float, everything: float) -> str:
        """Which memory holds `own` bytes of a thread's weights, of so many that all threads read."""
        caches = self.c.caches
        if own <= SHARE * caches["L2"]:
            return "L1" if own <= SHARE * caches["L1"] else "L2"
        return "L3" if everything <= SHARE * caches["L3"] else "memory"

    def product_ns(self, vectors: float, rows: float, level: str, used: int) -> float:
        """Rows times `vectors` vectors of weights, which a tile of rows reads at once."""
        size, c = vectors * self.vector_bytes, self.c
        near = "L1" if level == "L1" else "L2"
        tiles = math.ceil(rows / self.tile_rows)
        compute = vectors * rows / c.products(self.shape.dtype)
        stream = size / c.bandwidth(level, used) + (tiles - 1) * size / c.bandwidth(near, used)
        overlap = 0.5 * min(compute, stream) if level in ("L3", "memory") else 0
        return max(compute, stream) + overlap

    # Passes.

    def cut(self, name: str, layer: int) -> dict:
        shape = self.shape
        cut = _core.pieces(
            shape.cell, np.dtype(shape.dtype).name, shape.I, shape.H, shape.layers, layer, name, self.plans,
            self.threads,
        )  # fmt: skip
        self.tile_rows = cut["tile_rows"]
        self.cuts[name] = cut
        return cut

    def forward(self, layer: int, name: str, layers, keep: bool) -> None:
        cut, cell, H = self.cut(name, layer), self.cell, self.shape.H
        x = [len(cell.x.gates) * self.inputs(k) for k in layers]  # weight vectors of a group, of each layer
        h = len(cell.h.gates) * H
        group_bytes = (sum(x) + h * len(x)) * cut["lanes"] * self.item
        everything = group_bytes * cut["groups"] * self.shape.directions
        ahead = cut["ahead"]

        def step(rows: int, groups: int) -> float:
            own = groups * group_bytes
            level = self.level(own, everything)
            self.reading = (own, level)
            parts = [(h, rows, 1)] * len(x)
            parts += [(one, rows * max(ahead, 1), max(ahead, 1)) for one in x]
            products = sum(
                self.product_ns(v * groups, n, level, cut["threads"]) / steps for v, n, steps in parts
            )
            return products + len(x) * (STEP_NS + rows * groups * self.c.cell_ns[self.shape.cell])

        moved = self.entries * self.shape.directions * (sum(x) / len(x) / len(cell.x.gates) + H)
        if keep:
            moved += self.entries * self.width * (cell.slots + len(cell.states) - 1)
        self.together(*self.scan(cut, 0, len(self.alive[0]), step), moved=moved, held=self.tape_bytes)

    def scan(
        self, cut: dict, begin: int, end: int, step: Callable[[int, int], float]
    ) -> tuple[np.ndarray, float]:
        """What each thread does in the steps [begin, end), and how long the last team takes. The members of a team
        meet after every step."""
        members = cut["unit_parts"]
        busy, longest = np.zeros(cut["threads"]), 0.0
        meeting = cut["meetings"] * self.c.barrier_ns(members)
        for first in range(0, cut["threads"], members):
            wall = 0.0
            for own in zip(*cut["pieces"][first : first + members], strict=True):  # the same segments
                direction, start, stride, segments = own[0][:4]
                alive = self.alive[direction][begin:end]
                rows = np.clip((alive - start + stride - 1) // stride, 0, segments)
                for count, times in zip(*np.unique(rows[rows > 0], return_counts=True), strict=True):
                    each = []
                    for thread, piece in enumerate(own, first):
                        each.append(step(int(count), piece[5] - piece[4]))
                        busy[thread] += times * each[-1]
                        if thread == 0:
                            self.account.read[self.reading[1]] += times * self.reading[0]
                    wall += times * (max(each) + meeting)
            longest = max(longest, wall)
        return busy, longest

    def backward(self, layer: int) -> None:
        cut, cell, shape = self.cut("backward", layer), self.cell, self.shape
        I, H, S = self.inputs(layer), shape.H, cell.slots  # noqa: E741
        if shape.directions > 1:
            self.move(self.entries * I, self.tape_bytes)  # dx begins as zeros
        h = len(cell.h.gates) * H
        group_bytes = h * cut["lanes"] * self.item

        def step(rows: int, groups: int) -> float:
            own = groups * group_bytes
            level = self.level(own, group_bytes * cut["groups"] * shape.directions)
            self.reading = (own, level)
            return (
                self.product_ns(h * groups, rows, level, cut["threads"])
                + STEP_NS
                + rows * groups * self.c.back_ns[shape.cell]
            )

        for begin, end in cut["chunks"]:
            entries = int(self.alive[0][begin:end].sum())
            moved = entries * self.width * (2 * S + 2 * len(cell.states) + 1)
            self.together(*self.scan(cut, begin, end, step), moved=moved, held=self.tape_bytes)
            for _ in range(shape.directions):
                self.input_gradient(entries, I, len(cell.x.gates) * H, cut["lanes"])
                self.serial(entries * (1 + cell.stages) * ENTRY_NS)
                self.weight_gradients(entries, I, cut["lanes"])

    def input_gradient(self, entries: int, I: int, K: int, lanes: int) -> None:  # noqa: E741
        n = _core.product_threads(entries * K * I, lanes, self.threads)
        vectors = math.ceil(I / lanes) * K
        level = self.level(vectors * lanes * self.item, vectors * lanes * self.item)
        rows = np.diff(np.arange(n + 1) * entries // n)
        self.together([self.product_ns(vectors, count, level, n) if count else 0 for count in rows])

    def weight_gradients(self, entries: int, I: int, lanes: int) -> None:  # noqa: E741
        cell, H = self.cell, self.shape.H
        adds = entries * H * (len(cell.x.gates) * I + cell.stages * len(cell.h.gates) * H)
        n = _core.product_threads(adds, lanes, self.threads)
        M, groups = cell.slots * H, [math.ceil(I / lanes)] + [math.ceil(H / lanes)] * cell.stages
        across, along = _core.gradient_parts(M, I + cell.stages * H, max(groups), n)
        c, visits = self.c, math.ceil(entries / VISIT)
        busy = np.zeros(n)
        for thread in range(across * along):
            a, b = divmod(thread, along)
            columns = adds / entries / (I + cell.stages * H)  # of the slots that an input feeds, on average
            columns *= (M * (a + 1) // across - M * a // across) / M
            mine = sum(g * (b + 1) // along - g * b // along for g in groups)
            copied = mine + columns / lanes  # vectors, read and written
            compute = entries * columns * mine / c.products(self.shape.dtype)
            sums = visits * 2 * columns * mine * lanes * self.item / c.bandwidth("L2", n)
            busy[thread] = compute + sums + entries * copied * 2 * self.vector_bytes / c.near["L2"]
        self.together(busy)
