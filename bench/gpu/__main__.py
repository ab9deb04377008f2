"""python -m bench.gpu [stage[=seconds] ...]: checks and times the GPU's scans, in the time that there is.

Stages, in order: `smoke` (every cell, type and schedule against the engine in float64), `rates` (what the hardware
takes for the pieces of a step), `schedules` (every schedule and the layouts next to the cheapest, beside the cost
model), `cudnn` (the scans beside torch.nn: the shapes that decide most, then a sweep), `drop_in` (elman.torch, which
chooses between the two, beside torch.nn), `shapes` (thousands of random shapes),
`sanitizer` (memcheck and racecheck of some). A stage stops when its seconds are over. Rows go to out/gpu/<stage>.jsonl
as they come; what has a row there is not done again. A case that does not end is killed, and so is what a wrong one
left of the GPU: the rest goes on in a new process.

`--played`: on the GPU that a processor plays, to rehearse. Needs torch with CUDA and elman built for the GPU; built
elsewhere it can be carried (docs/gpu.md).
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
import time

from bench.gpu.worker import NOW, add_row, rows

SECONDS = {
    "smoke": 60,
    "rates": 20,
    "schedules": 60,
    "cudnn": 90,
    "drop_in": 60,
    "shapes": 60,
    "sanitizer": 120,
}
CASE_SECONDS = 20
SLOW = {"sanitizer": 100}  # a case of it
START_SECONDS = 60


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.gpu", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("stages", nargs="*", metavar="stage[=seconds]", help=", ".join(SECONDS))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("out/gpu"))
    parser.add_argument("--played", action="store_true")
    options = parser.parse_args()
    left = {}
    for name, _, seconds in (one.partition("=") for one in options.stages or SECONDS):
        if name not in SECONDS:
            parser.error(f"stage: expected {', '.join(SECONDS)}, got {name}")
        left[name] = float(seconds or SECONDS[name])
    options.out.mkdir(parents=True, exist_ok=True)
    begin = time.time()
    names = list(left)
    while left:
        left = _attempt(left, options.out, options.played)
    print(f"{time.time() - begin:.0f} s")
    sys.exit(not _report(options.out, names))


def _attempt(left: dict[str, float], out: pathlib.Path, played: bool) -> dict[str, float]:
    """Runs a worker to its end, or to where it has to be killed; what is left then."""
    command = [sys.executable, "-m", "bench.gpu.worker", "--out", str(out), *(["--played"] if played else [])]
    (out / NOW).unlink(missing_ok=True)
    worker = subprocess.Popen([*command, *(f"{name}={seconds:.1f}" for name, seconds in left.items())])
    begun, begin = "", time.time()
    while worker.poll() is None:
        time.sleep(0.05)
        now = json.loads((out / NOW).read_text()) if (out / NOW).exists() else {"stage": "", "since": begin}
        if now["stage"] != begun:
            begun, begin = now["stage"], now["since"]
        allowed = SLOW.get(begun, CASE_SECONDS) if begun else START_SECONDS
        if time.time() - now["since"] > allowed:
            worker.kill()
            worker.wait()
    if worker.returncode == 0:
        return {}
    now = json.loads((out / NOW).read_text()) if (out / NOW).exists() else {"stage": "", "case": ""}
    print(f"ended with status {worker.returncode}: {now['stage']} {now['case']}", flush=True)
    begun = now["stage"]
    if not begun:
        return {}
    if now["case"] not in rows(out, begun):
        add_row(
            out,
            begun,
            now["case"],
            {"error": f"status {worker.returncode}: killed, if it is -9, after its time"},
        )
    later = list(left)[list(left).index(begun) :]
    rest = {name: left[name] for name in later}
    rest[begun] -= time.time() - begin
    return {name: seconds for name, seconds in rest.items() if seconds > 0}


def _report(out: pathlib.Path, names: list[str]) -> bool:
    right = True
    for name in names:
        found = rows(out, name)
        wrong = {case: row["error"] for case, row in found.items() if "error" in row}
        print(f"{name}: {len(found)} cases, {len(wrong)} wrong")
        for case, error in list(wrong.items())[:5]:
            print(f"  {case}: {error[:300]}")
        right &= bool(found) and not wrong
    return right


if __name__ == "__main__":
    main()
