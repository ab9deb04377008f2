"""One contender in a process of its own, asked over a pipe: set a shape up, verify it, time it."""

from __future__ import annotations

import time
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from bench.contenders import CONTENDERS
from bench.shapes import Shape, make_data, make_weights
from tests import oracle

TOLERANCE = {np.float32: 2e-4, np.float64: 1e-10}  # relative to the largest value of each result


def expected(shape: Shape, data: Any, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    cell = "rnn_tanh" if shape.cell == "rnn" else shape.cell
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ends = ("", "_reverse")[: shape.directions]
    stack = oracle.Stack(
        cell,
        [[[weights[f"{n}_l{k}{e}"] for n in kinds] for e in ends] for k in range(shape.layers)],
        [False, True] if shape.dirs == "b" else [shape.dirs == "r"],
    )
    y, _ = stack.forward(data.x, lengths=data.lengths, reset=data.reset)
    results = {"y": y}
    if shape.mode == "train":
        results["dx"], _, grads = stack.backward(data.dy)
        for k, layer in enumerate(grads):
            for end, one in zip(ends, layer, strict=True):
                results |= {f"{name}_l{k}{end}": g for name, g in zip(kinds, one, strict=True)}
    return results


def largest_error(got: dict[str, np.ndarray], want: dict[str, np.ndarray]) -> float:
    return max(
        np.abs(got[name] - value).max() / max(np.abs(value).max(), 1e-30) for name, value in want.items()
    )


def serve(pipe: Connection, name: str, threads: int) -> None:
    """Requests: ("set", shape) -> error against the oracle; ("time", seconds) -> shortest ns of a call; None: end."""
    run = None
    while (request := pipe.recv()) is not None:
        kind, value = request
        if kind == "set":
            data, weights = make_data(value), make_weights(value)
            run, results = CONTENDERS[name](value, data, weights, threads)
            error = largest_error(results(), expected(value, data, weights))
            pipe.send((error, error <= TOLERANCE[value.dtype]))
        else:
            pipe.send(timed(run, value))


def timed(run: Any, seconds: float) -> float:
    """The median time of a call in ns, over about this many seconds after a warm-up."""
    begin = time.perf_counter_ns()
    run()
    once = max(time.perf_counter_ns() - begin, 1)
    inner = max(1, int(20_000 / once))  # so that the clock's own cost does not count
    run()
    times = []
    end = time.perf_counter_ns() + seconds * 1e9
    while not times or time.perf_counter_ns() < end:
        begin = time.perf_counter_ns()
        for _ in range(inner):
            run()
        times.append((time.perf_counter_ns() - begin) / inner)
    return float(np.median(times))
