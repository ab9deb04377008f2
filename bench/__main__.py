"""`python -m bench`: the speed grid. Every result is verified against the oracle before it is timed.

Contenders run in processes of their own, in turns, so that drifts of the machine fall on all alike.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import pathlib
import statistics

import numpy as np
from bench import shapes
from bench.contenders import CONTENDERS
from bench.limits import peak_gflops
from bench.worker import serve

import elman

HERE = pathlib.Path(__file__).parent


class Worker:
    def __init__(self, name: str, threads: int):
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, name, threads), daemon=True)
        self.process.start()

    def ask(self, kind: str, value: object) -> object:
        self.pipe.send((kind, value))
        return self.pipe.recv()


def race(workers: dict[str, Worker], shape: shapes.Shape, rounds: int, seconds: float) -> dict[str, float]:
    """Median ns of a call for each contender."""
    for name, worker in workers.items():
        error, sound = worker.ask("set", shape)
        if not sound:
            raise SystemExit(f"{shape.id}: {name} is wrong by {error:.1e} of the largest value")
    times: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(rounds):
        for name, worker in workers.items():
            times[name].append(worker.ask("time", seconds))
    return {name: statistics.median(values) for name, values in times.items()}


def geometric_mean(values: list[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--shapes", type=pathlib.Path, default=HERE / "shapes.csv")
    parser.add_argument("--only", help="ids or modes, separated by commas")
    parser.add_argument("--threads", type=int, default=elman.num_threads())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="for each contender, shape and round")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures here, too")
    parser.add_argument("--without", default="", help="contenders to leave out, separated by commas")
    options = parser.parse_args()

    grid = shapes.read(options.shapes)
    if options.only:
        wanted = options.only.split(",")
        grid = [shape for shape in grid if shape.id in wanted or shape.mode in wanted]
    peak = {d: peak_gflops(options.threads, d.__name__) for d in (np.float32, np.float64)}
    names = [name for name in CONTENDERS if name not in options.without.split(",")]
    workers = {name: Worker(name, options.threads) for name in names}
    print(f"isa {elman.info()['isa']}, {options.threads} threads, peak {peak[np.float32]:.0f} GFLOP/s in float32, "
          f"{peak[np.float64]:.0f} in float64")  # fmt: skip
    print(f"{'shape':14}{'mode':6}{'elman us':>11}{'GFLOP/s':>9}{'of peak':>9}{'torch us':>11}{'ratio':>8}")
    rows = []
    for shape in grid:
        times = race(workers, shape, options.rounds, options.seconds)
        gflops = shape.flops(shapes.make_data(shape)) / times["elman"]
        row = {
            "id": shape.id,
            "mode": shape.mode,
            "ns": times,
            "gflops": gflops,
            "of_peak": gflops / peak[shape.dtype],
        }
        rows.append(row)
        line = f"{shape.id:14}{shape.mode:6}{times['elman'] / 1e3:11.1f}{gflops:9.1f}{row['of_peak']:9.1%}"
        if "torch" in times:
            line += f"{times['torch'] / 1e3:11.1f}{times['torch'] / times['elman']:8.2f}"
        print(line, flush=True)
    if "torch" in names:
        for mode in dict.fromkeys(row["mode"] for row in rows):
            ratios = [row["ns"]["torch"] / row["ns"]["elman"] for row in rows if row["mode"] == mode]
            print(
                f"{mode}: {geometric_mean(ratios):.2f} times as fast as torch (geometric mean), worst {min(ratios):.2f}"
            )
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        peaks = {dtype.__name__: value for dtype, value in peak.items()}
        options.json.write_text(
            json.dumps({"info": elman.info(), "peak_gflops": peaks, "rows": rows}, indent=1)
        )
    for worker in workers.values():
        worker.pipe.send(None)


if __name__ == "__main__":
    main()
