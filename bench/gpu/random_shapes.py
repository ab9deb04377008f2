"""Random shapes, plans, cells, types and schedules on the GPU, each against the engine in float64. A hang is a failure:
each case has a time limit."""

from __future__ import annotations

import os
import pathlib
import random
import signal
from typing import Any

from elman.stack.cells import COMPILED

COUNT = 10_000
SECONDS = 20  # for one case on a GPU
UNITS = 300  # of a layer, at most


def run(
    out: pathlib.Path,
    count: int = COUNT,
    device: str = "cuda",
    seed: int = 0,
    seconds: int = SECONDS,
    units: int = UNITS,
) -> bool:
    """Prints how many cases ran and the worst error of each type, in parts of the tests' tolerance."""
    from tests.support import gpu_cases as cases  # needs torch

    draw = random.Random(seed)
    done, refused, worst = 0, 0, {}
    for _ in range(count):
        case = _case(draw, cases, units)
        os.environ["ELMAN_CUDA_SCHEDULE"] = case["kind"]
        signal.signal(signal.SIGALRM, _late)
        signal.alarm(seconds)
        try:
            error = cases.check(cases.make(*case["sizes"]), case["layout"], case["dtype"], device=device)
        except ValueError as impossible:
            if "on this GPU" not in str(impossible):
                raise
            refused += 1
            continue
        except Exception:
            print(f"  case {done + refused + 1} of seed {seed}: {case}", flush=True)
            raise
        finally:
            signal.alarm(0)
            del os.environ["ELMAN_CUDA_SCHEDULE"]
        done += 1
        name = str(case["dtype"])
        worst[name] = max(worst.get(name, 0.0), error)
    text = (
        f"  {done} cases right, {refused} have no such schedule; worst errors, as parts of what is allowed: "
    )
    print(text + ", ".join(f"{name} {error:.2f}" for name, error in sorted(worst.items())))
    return True


def _case(draw: random.Random, cases: Any, units: int) -> dict[str, Any]:
    cell, kind = draw.choice(list(COMPILED)), draw.choice(["", *cases.KINDS])
    T, B = draw.randint(1, 12), draw.choice([1, 2, 3, 5, 8, 9, 17, 40])
    H = draw.choice([draw.randint(1, min(70, units)), draw.randint(1, units)])
    backwards = draw.choice([(False,), (True,), (False, True)])
    layout = draw.choice([cases.TIME_FIRST, *cases.ragged(T, B, draw.randrange(1000)).values()])
    if layout.batch_sizes is not None:
        layout = cases.TIME_FIRST
    sizes = (cell, T, B, draw.randint(1, 40), H, draw.randint(1, 2), backwards, draw.random() < 0.8)
    dtypes = list(cases.TOLERANCE) if cell not in cases.CORNERED else [cases.torch.float32]
    return {"kind": kind, "sizes": sizes, "layout": layout, "dtype": draw.choice(dtypes)}


def _late(*_: Any) -> None:
    raise TimeoutError("no result within the time of a case")
