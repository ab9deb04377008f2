"""python -m bench.gpu [stage ...]: checks and times the GPU's scans, all of it in one run.

Stages, in order: `resources` (registers and spills of every kernel), `tests` (the suite's GPU tests), `sanitizer`
(memcheck and racecheck of some of them), `random` (thousands of random shapes against the engine in float64),
`schedules` (every schedule that a size has, beside the cost model), `time` (beside torch.nn, which is cuDNN). A stage
that fails is told at the end; the others run all the same. Results go to out/gpu, the timing as a table and a chart.

Where elman has been built with nvcc and the GPU in sight (docs/gpu.md), this needs torch with CUDA, pytest and
matplotlib, and for two stages the CUDA toolkit's cuobjdump and compute-sanitizer.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable

import elman
from bench.gpu import random_shapes, resources

TESTS = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/gpu"]
# Each schedule, cell and type once, ragged ones too: the sanitizers slow kernels down a hundredfold.
FEW = ["-k", "every_schedule or (test_plans and both and all)"]


def tests(out: pathlib.Path) -> bool:
    return _run(TESTS, out / "tests.log")


def sanitizer(out: pathlib.Path) -> bool:
    done = True
    for tool in ("memcheck", "racecheck"):
        command = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "9", "--target-processes", "all"]
        done &= _run([*command, *TESTS, *FEW], out / f"{tool}.log")
    return done


def schedules(out: pathlib.Path) -> bool:
    from bench.gpu import schedules  # needs torch with CUDA

    return schedules.run(out)


def timing(out: pathlib.Path) -> bool:
    from bench.gpu import timing  # needs torch with CUDA

    return timing.run(out)


def _run(command: list[str], log: pathlib.Path) -> bool:
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=os.environ | {"ELMAN_TEST_GPU": "cuda"},
        )  # fmt: skip
    except FileNotFoundError:
        print(f"  no {command[0]} on this machine")
        return False
    log.write_text(done.stdout)
    print("  " + "\n  ".join(done.stdout.splitlines()[-4:]))
    return done.returncode == 0


STAGES: dict[str, Callable[[pathlib.Path], bool]] = {
    "resources": resources.run,
    "tests": tests,
    "sanitizer": sanitizer,
    "random": random_shapes.run,
    "schedules": schedules,
    "time": timing,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.gpu", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("stages", nargs="*", metavar="stage", help=", ".join(STAGES))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("out/gpu"))
    options = parser.parse_args()
    if unknown := set(options.stages) - set(STAGES):
        parser.error(f"stages: expected {', '.join(STAGES)}, got {', '.join(sorted(unknown))}")
    options.out.mkdir(parents=True, exist_ok=True)
    print(f"CUDA: {elman.info()['cuda']}")
    failed = []
    for stage in options.stages or STAGES:
        print(f"== {stage}", flush=True)
        begin = time.perf_counter()
        if not STAGES[stage](options.out):
            failed.append(stage)
        print(f"  {time.perf_counter() - begin:.0f} s", flush=True)
    print(f"failed: {', '.join(failed)}" if failed else "all passed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
