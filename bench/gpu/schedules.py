"""Microseconds a step of every schedule that a size has, beside the cost model's: what the model's constants are to be
fitted to. LSTM, few inputs, so that their product counts for little; forward, and forward with all gradients."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import torch

from bench.gpu.timing import Case, measure_ours
from elman.stack import gpu

KINDS = ("block", "cluster", "push", "grid", "launch")
SIZES = (64, 128, 256, 512, 768, 1024)
ROWS = (1, 8, 64, 256)
STEPS, INPUTS = 256, 16


def run(out: pathlib.Path) -> bool:
    if not torch.cuda.is_available() or gpu.find()[0] is None:
        print("  no GPU, or no CUDA kernels in this build")
        return False
    rows = []
    for dtype in ("bf16", "fp32"):
        for H in SIZES:
            for B in ROWS:
                row = {"dtype": dtype, "H": H, "B": B} | _schedules(dtype, H, B)
                rows.append(row)
                print("  " + "  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    (out / "schedules.json").write_text(json.dumps(rows, indent=1))
    return True


def _schedules(dtype: str, H: int, B: int) -> dict[str, str]:
    """For each kind: forward, the model's forward, and training, in microseconds a step."""
    scans, found = gpu.find()[0], {}
    name = {"bf16": "bfloat16", "fp32": "float32"}[dtype]
    for kind in KINDS:
        try:
            model = scans.schedule("lstm", False, name, H, B, 1, kind).microseconds
            scans.schedule("lstm", True, name, H, B, 1, kind)
        except ValueError:
            continue  # no such schedule for this size
        with _forced(kind):
            forward, train = (
                measure_ours(Case(kind, "lstm", INPUTS, H, 1, 1, B, STEPS, 1, train, dtype)) / STEPS
                for train in (False, True)
            )
        found[kind] = f"{forward:.2f} ({model:.2f}) {train:.2f}"
    return found


@contextlib.contextmanager
def _forced(kind: str) -> Iterator[Any]:
    os.environ["ELMAN_CUDA_SCHEDULE"] = kind
    try:
        yield
    finally:
        del os.environ["ELMAN_CUDA_SCHEDULE"]
