"""`python -m bench.compare OLD NEW`: the grid with elman of two trees, side by side in one run.

Each tree's elman runs in a process of its own; the two take turns, and the one that begins changes with the round. The
shape of a sequence is run both ways, forward alone and with all gradients. A line gives the two times (medians), how
many times as long NEW takes (the median over the rounds), and whether all results have the same bits.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import os
import pathlib
import sys
from typing import Any

import numpy as np

from bench import shapes
from bench.arguments import add_timing, only
from bench.report import geometric_mean
from bench.shapes import Shape
from bench.worker import Worker, timed


def serve(pipe: Any, tree: str, threads: int) -> None:
    """Requests: ("set", (shape, weights)) -> a digest of each result; ("time", seconds) -> ns of a call; None: end."""
    use_tree(tree)
    from bench.contenders.elman import prepare

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    run = None
    while (request := pipe.recv()) is not None:
        kind, value = request
        if kind == "set":
            shape, weights = value
            run, results = prepare(shape, shapes.make_data(shape), weights, threads)
            pipe.send({name: digest(array) for name, array in results().items()})
        else:
            pipe.send(timed(run, value))


def use_tree(tree: str) -> None:
    """Let this process import that tree's elman; it must not have imported one."""
    sys.path.insert(0, tree + "/python")
    import elman

    if not elman.__file__.startswith(tree):
        raise SystemExit(f"{tree}: expected its own elman, got {elman.__file__}")


def digest(array: np.ndarray) -> str:
    array = np.ascontiguousarray(array)
    return hashlib.sha256(f"{array.shape} {array.dtype}".encode() + array.tobytes()).hexdigest()


def rows(wanted: str | None) -> list[Shape]:
    """The grid's shapes, of sequences one for each mode."""
    grid = shapes.read(pathlib.Path(__file__).with_name("shapes.csv"))
    modes = {shape.id: ("step",) if shape.mode == "step" else ("infer", "train") for shape in grid}
    return only([dataclasses.replace(s, mode=mode) for s in grid for mode in modes[s.id]], wanted)


def race(old: Worker, new: Worker, shape: Shape, rounds: int, seconds: float) -> tuple[list[Any], list[str]]:
    """[old ns, new ns] of each round, and the results whose bits differ."""
    weights = shapes.make_weights(shape)
    was, now = (worker.ask("set", (shape, weights)) for worker in (old, new))
    times = []
    for k in range(rounds):
        order = (old, new) if k % 2 == 0 else (new, old)
        found = {worker: worker.ask("time", seconds) for worker in order}
        times.append([found[old], found[new]])
    return times, sorted(name for name in was.keys() | now.keys() if was.get(name) != now.get(name))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("old", type=pathlib.Path, help="a tree whose python/ holds a built elman")
    parser.add_argument("new", type=pathlib.Path)
    parser.add_argument("--only", help="ids or modes, separated by commas")
    add_timing(parser, rounds=7, seconds=0.2)
    options = parser.parse_args()
    trees = [str(tree.resolve()) for tree in (options.old, options.new)]
    sys.path.insert(0, trees[1] + "/python")  # for the sizes of weights
    import elman

    old, new = (Worker(tree, options.threads or elman.num_threads(), serve) for tree in trees)
    print(f"{'shape':16}{'mode':6}{'old us':>12}{'new us':>12}{'new/old':>9}  bits")
    ratios, others = [], 0
    for shape in rows(options.only):
        times, differ = race(old, new, shape, options.rounds, options.seconds)
        ns = np.median(times, axis=0) / 1e3
        ratios.append(float(np.median([after / before for before, after in times])))
        others += bool(differ)
        print(
            f"{shape.id:16}{shape.mode:6}{ns[0]:12,.1f}{ns[1]:12,.1f}{ratios[-1]:9.3f}  "
            + ("equal" if not differ else "DIFFERENT: " + ", ".join(differ)),
            flush=True,
        )
    print(f"geometric mean {geometric_mean(ratios):.4f}, largest {max(ratios):.3f}, of {len(ratios)} rows; "
          f"{others or 'none'} with other bits")  # fmt: skip
    for worker in (old, new):
        worker.end()


if __name__ == "__main__":
    main()
