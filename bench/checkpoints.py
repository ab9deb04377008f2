"""`python -m bench.checkpoints`: what `checkpoint_every` saves of the memory of a training step, and what it costs.
Each row runs in a process of its own, without PyTorch; gradients are compared bit for bit."""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np

import elman


def measure(cell: str, T: int, H: int, every: int | None) -> dict[str, Any]:
    """Peak memory beyond that before the step, the time of one, and the digits of its gradients."""
    layer = elman.Recurrent(cell, H, H, checkpoint_every=every, seed=0)
    x = np.random.default_rng(0).standard_normal((T, 1, H)).astype(np.float32)
    dy = np.ones((T, 1, H), np.float32)
    layer(x[:10])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    for _ in range(3):
        layer.zero_grad()
        begin = time.perf_counter()
        _, _, backward = layer.forward(x)
        backward(dy)
        times.append(time.perf_counter() - begin)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    digits = hashlib.sha256(b"".join(grad.tobytes() for grad in layer.grads.values())).hexdigest()
    return {"MB": peak / 1024, "seconds": min(times), "digits": digits}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.checkpoints", description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--every", type=int, default=1000)
    given = parser.parse_args()
    T, H = given.steps, given.units
    print(f"| training, T {T:,}, H {H}, B 1 | peak MB | with checkpoints | time | with checkpoints |")
    print("|---|---|---|---|---|")
    for cell in ("lstm", "gru"):
        found = []
        for every in (None, given.every):
            call = f"measure({cell!r}, {T}, {H}, {every})"
            code = f"import json; from bench.checkpoints import measure; print(json.dumps({call}))"
            run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            found.append(json.loads(run.stdout))
        whole, few = found
        if whole["digits"] != few["digits"]:
            raise SystemExit(f"{cell}: gradients differ")
        print(
            f"| {cell} | {whole['MB']:.0f} | {few['MB']:.0f} | {whole['seconds']:.2f} s | {few['seconds']:.2f} s |",
            flush=True,
        )


if __name__ == "__main__":
    main()
