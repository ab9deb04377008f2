"""Where the bench runs: on a GPU, or, to rehearse it, on the one that this processor plays (tests/cuda)."""

from __future__ import annotations

import contextlib
import importlib
import os
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import torch

import elman.stack.gpu
import elman.torch.gpu

ROUNDS, SECONDS = 5, 0.004


class Place:
    """`played`: this processor plays the GPU. Sizes are then small and times mean nothing."""

    def __init__(self, played: bool):
        self.played = played
        if played:
            elman.torch.gpu.KINDS = {"cpu"}
            elman.stack.gpu._found = (importlib.import_module("elman._cuda_played"), "")
        self.device = torch.device("cpu" if played else "cuda")
        scans, why = elman.stack.gpu.find()
        if scans is None:
            raise SystemExit(f"bench.gpu: {why}")
        self.scans = scans

    def size(self, full: int, small: int) -> int:
        return small if self.played else full

    def works(self) -> bool:
        """Whether the GPU still answers: after some errors it does not, for this process."""
        try:
            self.synchronize()
        except RuntimeError:
            return False
        return True

    def synchronize(self) -> None:
        if not self.played:
            torch.cuda.synchronize()

    def graph(self, work: Callable[[], Any]) -> Callable[[], Any]:
        """The same work, replayed from a CUDA graph."""
        if self.played:
            return work
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(2):
                work()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            held = work()
        return lambda: (graph.replay(), held)

    def times(self, work: dict[str, Callable[[], Any]]) -> dict[str, float]:
        """Microseconds of a call: medians of rounds in turns."""
        repeats = {}
        for name, one in work.items():
            self._microseconds(one, 1)
            repeats[name] = max(1, min(200, int(SECONDS * 1e6 / max(self._microseconds(one, 1), 1))))
        rounds = 1 if self.played else ROUNDS
        taken: dict[str, list[float]] = {name: [] for name in work}
        for _ in range(rounds):
            for name, one in work.items():
                taken[name].append(self._microseconds(one, 1 if self.played else repeats[name]))
        return {name: median(values) for name, values in taken.items()}

    def _microseconds(self, one: Callable[[], Any], repeats: int) -> float:
        if self.played:
            start = time.perf_counter()
            one()
            return (time.perf_counter() - start) * 1e6
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        begin.record()
        for _ in range(repeats):
            one()
        end.record()
        torch.cuda.synchronize()
        return begin.elapsed_time(end) * 1000 / repeats


@contextlib.contextmanager
def forced(kind: str) -> Iterator[None]:
    """Schedules of that kind."""
    os.environ["ELMAN_CUDA_SCHEDULE"] = kind
    try:
        yield
    finally:
        del os.environ["ELMAN_CUDA_SCHEDULE"]


@contextlib.contextmanager
def rounded(tf32: bool) -> Iterator[None]:
    """float32's products rounded to TF32, cuDNN's too; or not."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=tf32):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
