"""One contender in a process of its own, asked over a pipe: set a shape up, verify it, time it."""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from bench import contenders
from bench.shapes import Data, Shape, make_data, make_weights
from tests.support import oracle

TOLERANCE = {np.float32: 2e-4, np.float64: 1e-10}  # relative to the largest value of each result


def expected(shape: Shape, data: Data, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the results must be, from the float64 oracle."""
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ends = ("", "_reverse")[: shape.directions]
    stack = oracle.Stack(
        shape.cell,
        [[[weights[f"{n}_l{k}{e}"] for n in kinds] for e in ends] for k in range(shape.layers)],
        [False, True] if shape.dirs == "b" else [shape.dirs == "r"],
    )
    x = np.repeat(data.x, contenders.STEPS, axis=0) if shape.mode == "step" else data.x
    y, _ = stack.forward(x, lengths=data.lengths, reset=data.reset)
    results = {"y": y}
    if shape.mode == "train":
        results["dx"], _, grads = stack.backward(data.dy)
        for k, layer in enumerate(grads):
            for end, one in zip(ends, layer, strict=True):
                results |= {f"{name}_l{k}{end}": g for name, g in zip(kinds, one, strict=True)}
    return results


def largest_error(got: dict[str, np.ndarray], want: dict[str, np.ndarray]) -> float:
    """Relative to the largest value of each result; a NaN counts as infinite."""
    errors = [
        np.abs(got[name] - value).max() / max(np.abs(value).max(), 1e-30) for name, value in want.items()
    ]
    return float(np.nan_to_num(max(errors, key=lambda e: np.nan_to_num(e, nan=np.inf)), nan=np.inf))


def serve(pipe: Connection, name: str, threads: int) -> None:
    """Requests: ("set", (shape, path of the expected results)) -> error, or None where the contender has no such
    thing; ("time", seconds) -> ns of a call; None: end."""
    if hasattr(os, "sched_setaffinity"):  # some contenders know no other way to be told
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    run = None
    while (request := pipe.recv()) is not None:
        kind, value = request
        if kind == "set":
            shape, path = value
            made = contenders.prepare(name, shape, make_data(shape), make_weights(shape), threads)
            if made is None:
                pipe.send(None)
                continue
            run, results = made
            with np.load(path) as want:
                pipe.send(largest_error(results(), want))
        else:
            pipe.send(timed(run, value))


def timed(run: Any, seconds: float) -> float:
    """The median time of a call in ns, over about this many seconds after a warm-up."""
    begin = time.perf_counter_ns()
    run()
    once = max(time.perf_counter_ns() - begin, 1)
    if once > 1e9 * seconds:
        return once
    inner = max(1, int(20_000 / once))  # so that the clock's own cost does not count
    times = []
    end = time.perf_counter_ns() + seconds * 1e9
    while not times or time.perf_counter_ns() < end:
        begin = time.perf_counter_ns()
        for _ in range(inner):
            run()
        times.append((time.perf_counter_ns() - begin) / inner)
    return float(np.median(times))


class Worker:
    """The other end of serve(), or of a function like it."""

    def __init__(self, name: str, threads: Any, serve: Callable[[Connection, str, Any], None] = serve):
        context = multiprocessing.get_context("spawn")
        self.name = name
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=serve, args=(other, name, threads), daemon=True)
        self._process.start()
        other.close()

    def ask(self, kind: str, value: object) -> Any:
        try:
            self._pipe.send((kind, value))
            return self._pipe.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise SystemExit(f"{self.name}: its process ended; what it printed is above") from None

    def end(self) -> None:
        self._pipe.send(None)
        self._process.join()


def race(workers: list[Worker], shape: Shape, rounds: int, seconds: float) -> dict[str, float]:
    """Median ns of a call for each contender that has such a thing, verified first."""
    entrants = []
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "expected.npz"
        np.savez(path, **expected(shape, make_data(shape), make_weights(shape)))
        for worker in workers:
            error = worker.ask("set", (shape, path))
            if error is None:
                continue
            if error > TOLERANCE[shape.dtype]:
                raise SystemExit(f"{shape.id}: {worker.name} is wrong by {error:.1e} of the largest value")
            entrants.append(worker)
    times: dict[str, list[float]] = {worker.name: [] for worker in entrants}
    for _ in range(rounds):
        for worker in entrants:
            times[worker.name].append(worker.ask("time", seconds))
    return {name: float(np.median(values)) for name, values in times.items()}
