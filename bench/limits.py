"""The machine's limit, measured: multiply-adds a second of the instruction set in use."""

from __future__ import annotations

from elman import _core


def peak_gflops(threads: int, dtype: str = "float32") -> float:
    """GFLOP/s of independent multiply-adds on registers, on this many cores at once (best of many: at first
    the threads may share a core)."""
    return max(_core.measure_peak(threads, dtype) for _ in range(12))
