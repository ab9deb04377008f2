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
from bench.arguments import add_timing, natural, only, whole
from bench.limits import Limits
from bench.report import Report, Row, processor
from bench.worker import Worker, race

HERE = pathlib.Path(__file__).parent
DISTURBED = (
    "WARNING: this machine is busy: {0} threads together compute less than three quarters of {0} times what one does. "
    "Peers that meet at barriers then take many times as long, and ratios to them mean nothing. Measure on an idle "
    "machine, or with --threads 1."
)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--csv", type=pathlib.Path, default=HERE / "shapes.csv", help="shapes in a file of this form"
    )
    which.add_argument("--random", type=whole, metavar="N", help="so many random shapes instead")
    parser.add_argument(
        "--seed", type=natural, help="of the random shapes, default 0; the same gives the same"
    )
    parser.add_argument("--only", help="ids or modes, separated by commas")
    parser.add_argument(
        "--peers", help="peers to race, separated by commas (default: all that are installed)"
    )
    add_timing(parser, rounds=5, seconds=0.3)
    parser.add_argument("--out", type=pathlib.Path, help="write OUT.json, OUT.md and OUT.png")
    options = parser.parse_args()
    options.threads = options.threads or elman.num_threads()
    return options


def choose_shapes(options: argparse.Namespace) -> list[shapes.Shape]:
    if options.random is None and options.seed is not None:
        raise SystemExit("--seed: expected --random with it, got none")
    if options.random is None:
        try:
            grid = shapes.read(options.csv)
        except (OSError, ValueError) as error:
            raise SystemExit(f"--csv: {error}") from None
    else:
        grid = random_shapes.draw(options.random, options.seed or 0)
    return only(grid, options.only)


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
    if limits.disturbed():
        print(DISTURBED.format(limits.threads), flush=True)
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
