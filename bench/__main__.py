"""`python -m bench`: elman and its peers over a grid of layer shapes, every result verified before it is timed.

Contenders run in processes of their own, in turns, so that drifts of the machine fall on all alike. The
machine's limits are measured in the same run.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import pathlib

import numpy as np

import elman
from bench import contenders, random_shapes, shapes
from bench.limits import Limits
from bench.report import Report, Row, processor
from bench.worker import Worker, race

HERE = pathlib.Path(__file__).parent


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--csv", type=pathlib.Path, default=HERE / "shapes.csv", help="shapes in a file of this form"
    )
    which.add_argument("--random", type=int, metavar="N", help="so many random shapes instead")
    parser.add_argument("--seed", type=int, help="of the random shapes, default 0; the same gives the same")
    parser.add_argument("--only", help="ids or modes, separated by commas")
    parser.add_argument(
        "--peers", help="peers to race, separated by commas (default: all that are installed)"
    )
    parser.add_argument("--threads", type=int, default=elman.num_threads())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="for each contender, shape and round")
    parser.add_argument("--out", type=pathlib.Path, help="write OUT.json, OUT.md and OUT.png")
    return parser.parse_args()


def choose_shapes(options: argparse.Namespace) -> list[shapes.Shape]:
    if options.random is None and options.seed is not None:
        raise SystemExit("--seed: expected --random with it, got none")
    if options.random is not None and options.random < 1:
        raise SystemExit(f"--random: expected a whole number of at least 1, got {options.random}")
    if options.random is None:
        try:
            grid = shapes.read(options.csv)
        except (OSError, ValueError) as error:
            raise SystemExit(f"--csv: {error}") from None
    else:
        grid = random_shapes.draw(options.random, options.seed or 0)
    if options.only is None:
        return grid
    wanted = options.only.split(",")
    chosen = [shape for shape in grid if shape.id in wanted or shape.mode in wanted]
    if not chosen:
        raise SystemExit(f"--only: expected ids or modes of the shapes, got {options.only!r}")
    return chosen


def choose_contenders(wanted: str | None) -> list[str]:
    installed = contenders.installed()
    if wanted is None:
        return installed
    peers = [name for name in wanted.split(",") if name]
    missing = [name for name in peers if name not in installed]
    if missing:
        raise SystemExit(f"--peers: expected some of {', '.join(installed[1:])}, got {', '.join(missing)}")
    return ["elman", *(name for name in peers if name != "elman")]


def describe_machine(names: list[str], limits: Limits) -> dict[str, object]:
    caches = elman.info()["caches"]  # a word where the system does not tell
    return {
        "processor": processor(),
        "caches": ", ".join(map(" ".join, caches.items())) if isinstance(caches, dict) else caches,
        "date": datetime.date.today().isoformat(),
        "threads": limits.threads,
        "isa": elman.info()["isa"],
        "peak": {
            "float32": limits.peak(np.float32),
            "float64": limits.peak(np.float64),
            "one_thread": Limits(1).peak(np.float32),
        },
        "gb_per_s": limits.levels(),
        "versions": {name: importlib.metadata.version(name) for name in names if name != "dropin"},
    }


def main() -> None:
    options = arguments()
    grid = choose_shapes(options)
    names = choose_contenders(options.peers)
    limits = Limits(options.threads)
    limits_of = {}
    for shape in grid:  # before any contender's threads exist
        flops = shape.flops(shapes.make_data(shape))
        limits_of[shape.id] = (flops, *limits.of(shape, flops))
    width = max([12, *(len(shape.id) for shape in grid)]) + 2
    report = Report(describe_machine(names, limits), [], names, width)
    workers = [Worker(name, options.threads) for name in names]
    print(report.heading(), report.line(report.titles()), sep="\n", flush=True)
    for shape in grid:
        times = race(workers, shape, options.rounds, options.seconds)
        flops, limit_ns, bound_by = limits_of[shape.id]
        report.rows.append(Row(shape.id, shape.mode, times, flops / times["elman"], limit_ns, bound_by))
        print(report.line(report.cells(report.rows[-1])), flush=True)
    print(*report.summary(), sep="\n")
    for n, row in enumerate(report.worst()):
        if n == 0:
            print("least ahead of PyTorch:")
        print(
            f"{row.mode}, {row.id}: {row.ratio('torch'):.2f}, at {row.of_limit:.0%} of its limit ({row.bound_by})"
        )
    if options.out:
        report.write(options.out)
    for worker in workers:
        worker.end()


if __name__ == "__main__":
    main()
