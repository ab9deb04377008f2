"""The stages, by name: python -m bench.gpu runs them in the order that it is given."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator

from bench.gpu import correct, cudnn, schedules
from bench.gpu.place import Place
from bench.gpu.worker import Case, Row

FEW = "lstm bf16|gru fp32|gru tf32 cluster"  # of smoke: the sanitizers slow kernels down a hundredfold


def rates(place: Place) -> Iterator[Case]:
    """What rates.cu measures, built before (`make cuda`)."""
    yield "all", lambda: _rates(place)


def _rates(place: Place) -> Row:
    if place.played:
        return {"skipped": "a processor that plays a GPU"}
    program = os.environ.get("ELMAN_CUDA_RATES", "build/cuda/cuda_rates")
    found = subprocess.run([program], capture_output=True, text=True, check=False)
    if found.returncode:
        raise RuntimeError(f"{program}: {found.stdout} {found.stderr}")
    return json.loads(found.stdout)


def sanitizer(place: Place) -> Iterator[Case]:
    for tool in ("memcheck", "racecheck"):
        yield tool, lambda tool=tool: _sanitized(place, tool)


def _sanitized(place: Place, tool: str) -> Row:
    out = pathlib.Path("out/gpu-sanitizer") / tool
    out.mkdir(parents=True, exist_ok=True)
    (out / "smoke.jsonl").unlink(missing_ok=True)
    command = [sys.executable, "-m", "bench.gpu.worker", "smoke=60", "--out", str(out)]
    if place.played:
        command.append("--played")
    else:
        command = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "9", *command]
    done = subprocess.run(
        command, env=os.environ | {"ELMAN_SMOKE": FEW}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{tool}: status {done.returncode}: {done.stdout[-1500:]} {done.stderr[-500:]}")
    cases = (out / "smoke.jsonl").read_text().splitlines()
    return {"cases": len(cases), "wrong": sum("error" in json.loads(line) for line in cases)}


STAGES: dict[str, Callable[[Place], Iterator[Case]]] = {
    "smoke": correct.smoke,
    "rates": rates,
    "schedules": schedules.cases,
    "cudnn": cudnn.scans,
    "drop_in": cudnn.drop_in,
    "shapes": correct.shapes,
    "sanitizer": sanitizer,
}
