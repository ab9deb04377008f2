"""The machine's limits, measured: multiply-adds a second of the instruction set in use, and bytes a second
read from memory arrays of any size, and so from each cache. They bound every row of the grid from below."""

from __future__ import annotations

import numpy as np

from bench.shapes import Shape
from elman import _core

MB = 1 << 20
FALLBACK = {"L1": 32 << 10, "L2": MB, "L3": 16 * MB}  # where the system does not tell


def cache_sizes() -> dict[str, int]:
    """Bytes of each level; L1 and L2 are a core's own, L3 is shared."""
    return {name: _core.cache_bytes("", int(name[1])) or otherwise for name, otherwise in FALLBACK.items()}


class Limits:
    def __init__(self, threads: int):
        self.threads = threads
        self.caches = cache_sizes()
        self._peaks: dict[type, float] = {}
        self._bandwidths: dict[int, float] = {}

    def peak(self, dtype: type = np.float32) -> float:
        """GFLOP/s of independent multiply-adds on registers, on all threads at once (best of many: at first
        the threads may share a core)."""
        if dtype not in self._peaks:
            self._peaks[dtype] = max(
                _core.measure_peak(self.threads, np.dtype(dtype).name) for _ in range(12)
            )
        return self._peaks[dtype]

    def disturbed(self) -> bool:
        """Whether something else takes processors away from the threads."""
        return self.peak() < 0.75 * self.threads * Limits(1).peak()

    def bandwidth(self, size: float) -> float:
        """Bytes a nanosecond when the threads together read `size` bytes again and again, each its share.
        Sizes within an eighth count as one."""
        share = max(4096, int(2 ** (round(np.log2(max(size / self.threads, 1)) * 6) / 6)))
        if share not in self._bandwidths:
            tries = 3 if share > 8 * MB else 6
            self._bandwidths[share] = max(_core.measure_bandwidth(self.threads, share) for _ in range(tries))
        return self._bandwidths[share]

    def level(self, size: float) -> str:
        """Which memory holds `size` bytes that are parted over the threads."""
        if size / self.threads <= self.caches["L1"]:
            return "L1"
        if size / self.threads <= self.caches["L2"]:
            return "L2"
        return "L3" if size <= self.caches["L3"] else "memory"

    def levels(self) -> dict[str, float]:
        """The bandwidth of each level, read from arrays of half its size (of memory: 8 times the L3)."""
        half = {
            level: size / 2 * (1 if level == "L3" else self.threads) for level, size in self.caches.items()
        }
        half["memory"] = 8 * self.caches["L3"]
        return {level: self.bandwidth(size) for level, size in half.items()}

    def of(self, shape: Shape, flops: float) -> tuple[float, str]:
        """The least ns a call of this shape can take, and what binds it: "FMA", or the memory that holds the
        weights. Each step must read the recurrent weights once (with mode "step": all weights), whatever the
        batch size, and a training step twice; a call must read the others once, and a training call twice, and it
        writes the gradients of all."""
        compute = flops / self.peak(shape.dtype)
        item = np.dtype(shape.dtype).itemsize
        layer, whole = shape.gates * shape.H * shape.H * shape.directions * item, shape.weights * item
        steps, others = shape.T * shape.layers, whole - layer * shape.layers
        parts = {
            "step": [(whole, 1)],
            "infer": [(layer, steps), (others, 1)],
            "train": [(layer, 2 * steps), (others, 2), (whole, 1)],
        }[shape.mode]
        times = [size * count / self.bandwidth(size) for size, count in parts]
        slowest, _ = parts[int(np.argmax(times))]
        return (compute, "FMA") if compute >= sum(times) else (sum(times), self.level(slowest))
