"""Runs stages' cases one after the other, and writes each row when it is there: python -m bench.gpu starts it."""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
Case = tuple[str, Callable[[], Row]]

NO_GPU = 3  # exit status: the GPU answers this process no more
NOW = "now.json"  # what is being done: stage, case, since when


def rows(out: pathlib.Path, stage: str) -> dict[str, Row]:
    """What is done of a stage: the rows by the names of their cases."""
    path = out / f"{stage}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return {row.pop("case"): row for row in map(json.loads, lines)}


def add_row(out: pathlib.Path, stage: str, case: str, row: Row) -> None:
    with open(out / f"{stage}.jsonl", "a") as file:
        file.write(json.dumps({"case": case} | row) + "\n")


def main() -> None:
    from bench.gpu.place import Place
    from bench.gpu.stages import STAGES

    parser = argparse.ArgumentParser(prog="python -m bench.gpu.worker")
    parser.add_argument("stages", nargs="+", help="name=seconds")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--played", action="store_true")
    options = parser.parse_args()
    _now(options.out, "", "")
    place = Place(options.played)
    for name, seconds in (one.split("=") for one in options.stages):
        _run(place, name, STAGES[name](place), options.out, time.monotonic() + float(seconds))


def _run(place: Any, stage: str, cases: Any, out: pathlib.Path, until: float) -> None:
    done = rows(out, stage)
    for case, work in cases:
        if case in done:
            continue
        if time.monotonic() > until:
            return
        begin = _now(out, stage, case)
        try:
            row = work()
        except Exception as error:
            row = {
                "error": f"{type(error).__name__}: {error}",
                "where": traceback.format_exc().splitlines()[-4:],
            }
        add_row(out, stage, case, row | {"seconds": round(time.time() - begin, 3)})
        if "error" in row and not place.works():
            sys.exit(NO_GPU)


def _now(out: pathlib.Path, stage: str, case: str) -> float:
    begin = time.time()
    part = out / (NOW + ".part")
    part.write_text(json.dumps({"stage": stage, "case": case, "since": begin}))
    part.replace(out / NOW)
    return begin


if __name__ == "__main__":
    main()
