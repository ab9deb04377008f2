"""`python -m bench.bits OLD NEW`: whether two trees give the same bits, in thousands of small cases.

Each tree's elman runs in a process of its own. The cases are every cell, type, instruction set, number of threads and
schedule, sequences of all kinds there and back, steps, the layers and losses beside them, optimisers, short fits, and
PyTorch's modules where torch is there. The exit code is 0 only if all agree. `python -m bench.compare` looks at the
bits of the grid's shapes, and at their times.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from bench.bits.serve import FAILED, serve
from bench.worker import Worker

AT_ONCE = 50  # cases of one request


def everything(worker: Worker) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    while some := worker.ask("run", AT_ONCE):
        found.update(some)
    return found


def differences(was: dict[str, dict[str, str]], now: dict[str, dict[str, str]]) -> list[str]:
    """A line for each case that does not agree, or that did not run."""
    lines = []
    for name in was | now:
        old, new = was.get(name), now.get(name)
        if old is None or new is None:
            lines.append(f"{name}: only in {'NEW' if old is None else 'OLD'}")
        elif FAILED in old or FAILED in new:
            lines += [
                f"{name}: {tree} {of[FAILED]}" for tree, of in (("OLD", old), ("NEW", new)) if FAILED in of
            ]
        elif differ := sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key)):
            lines.append(f"{name}: {', '.join(differ)}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.bits", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", type=pathlib.Path, help="a tree whose python/ holds a built elman")
    parser.add_argument("new", type=pathlib.Path)
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    options = parser.parse_args()
    begin = time.perf_counter()
    workers = [Worker(str(tree.resolve()), options.only, serve) for tree in (options.old, options.new)]
    with ThreadPoolExecutor(2) as both:
        was, now = both.map(everything, workers)
    for worker in workers:
        worker.end()
    lines = differences(was, now)
    print(*lines, sep="\n", end="\n" if lines else "")
    count, seconds = len(was | now), time.perf_counter() - begin
    print(f"{count - len(lines)} of {count} cases have the same bits ({seconds:.0f} s)")
    sys.exit(1 if lines or not count else 0)


if __name__ == "__main__":
    main()
