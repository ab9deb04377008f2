"""Stages that check results and gradients against the engine in float64."""

from __future__ import annotations

import itertools
import os
import random
import re
from collections.abc import Iterator
from typing import Any

import torch

from bench.gpu.place import Place, forced, rounded
from bench.gpu.worker import Case, Row
from elman.stack.cells import COMPILED
from tests.support import gpu_cases

TYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32, "tf32": torch.float32}
BOTH = (False, True)


def smoke(place: Place) -> Iterator[Case]:
    """Every cell, type and schedule: a small shape, and a ragged one with resets in both directions."""
    wanted = re.compile(os.environ.get("ELMAN_SMOKE", ""))
    for cell, dtype, kind in itertools.product(COMPILED, TYPES, ("", *gpu_cases.KINDS)):
        if dtype != "fp32" and cell in gpu_cases.CORNERED:
            continue  # rounding may bring a unit to the corner's other side
        name = f"{cell} {dtype} {kind}"
        if wanted.search(name):
            yield name, lambda c=cell, d=dtype, k=kind: _smoke(place, c, d, k)


def _smoke(place: Place, cell: str, dtype: str, kind: str) -> Row:
    plain = gpu_cases.make(cell, 4, 9, 6, place.size(72, 40))
    both = gpu_cases.make(cell, 6, 11, 4, 20, backwards=BOTH)
    ragged = gpu_cases.ragged(6, 11)["all"]
    return {
        "plain": check(place, plain, gpu_cases.TIME_FIRST, dtype, kind),
        "ragged": check(place, both, ragged, dtype, kind),
    }


def shapes(place: Place, count: int = 10_000, seed: int = 0, units: int = 300) -> Iterator[Case]:
    """Random shapes, plans, cells, types and schedules."""
    draw = random.Random(seed)
    units = place.size(units, 60)
    for number in range(count):
        case = _draw(draw, units)
        yield f"{number} of seed {seed}", lambda case=case: _shape(place, case)


def _shape(place: Place, case: dict[str, Any]) -> Row:
    layout = gpu_cases.TIME_FIRST
    if case["plan"]:
        layout = gpu_cases.ragged(case["T"], case["B"], case["seed"])[case["plan"]]
    sizes = [case[name] for name in ("cell", "T", "B", "I", "H", "layers", "backwards", "bias")]
    return case | check(place, gpu_cases.make(*sizes), layout, case["dtype"], case["kind"])


def _draw(draw: random.Random, units: int) -> dict[str, Any]:
    cell, kind = draw.choice(list(COMPILED)), draw.choice(["", *gpu_cases.KINDS])
    dtypes = list(TYPES) if cell not in gpu_cases.CORNERED else ["fp32"]
    return {
        "cell": cell, "kind": kind, "dtype": draw.choice(dtypes), "T": draw.randint(1, 12),
        "B": draw.choice([1, 2, 3, 5, 8, 9, 17, 40]), "I": draw.randint(1, 40),
        "H": draw.choice([draw.randint(1, min(70, units)), draw.randint(1, units)]), "layers": draw.randint(1, 2),
        "backwards": draw.choice([(False,), (True,), BOTH]), "bias": draw.random() < 0.8,
        "plan": draw.choice(["", "lengths", "mask", "reset", "all"]), "seed": draw.randrange(1000),
    }  # fmt: skip


def check(place: Place, case: Any, layout: Any, dtype: str, kind: str) -> Row:
    """The largest error as a part of what is allowed; or that a size has no such schedule."""
    tolerance = gpu_cases.TF32 if dtype == "tf32" else None
    with forced(kind), rounded(dtype == "tf32"):
        try:
            error = gpu_cases.check(case, layout, TYPES[dtype], device=place.device, tolerance=tolerance)
        except ValueError as impossible:
            if "on this GPU" not in str(impossible):
                raise
            return {"refused": True}
    return {"worst": round(error, 3)}
