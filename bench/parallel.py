"""Two processes by MPI, with one thread each, beside one process with two threads: seconds of an epoch of `fit`, and
how far the losses are apart.

python -m bench.parallel [--rounds 3]

The two take turns, round by round, and the best round of each counts. The whole machine should be idle.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
from typing import NamedTuple

import numpy as np

ROOT = pathlib.Path(__file__).parents[1]
PROCESSES = 2


class Case(NamedTuple):
    """A classifier by an LSTM of H units over n sequences of T steps, B of them in a batch."""

    I: int  # noqa: E741
    H: int
    T: int
    B: int
    n: int


CASES = {
    "small": Case(8, 32, 50, 32, 4096),
    "middle": Case(32, 128, 100, 64, 2048),
    "large": Case(64, 512, 100, 64, 512),
}


def train(case: Case) -> None:
    """One process: two epochs, of which the second counts; it prints seconds and losses."""
    import elman
    from elman.models import SequenceClassifier
    from elman.train import fit

    communicator = None
    if "PMI_SIZE" in os.environ:
        from mpi4py import MPI

        communicator = MPI.COMM_WORLD
    elman.set_num_threads(PROCESSES if communicator is None else 1)
    x = np.random.default_rng(0).standard_normal((case.n, case.T, case.I)).astype(np.float32)
    y = (x.sum((1, 2)) > 0).astype(np.int64)
    model = SequenceClassifier(2, input_size=case.I, hidden_size=case.H, seed=0)
    history = fit(
        model, (x, y), epochs=2, batch_size=case.B, seed=0, progress=False, communicator=communicator
    )
    if communicator is None or communicator.rank == 0:
        print(json.dumps({"seconds": history.seconds[-1], "losses": history.train_loss}))


def measured(name: str, before: list[str]) -> tuple[float, list[float]]:
    """Seconds and losses of one run of a case."""
    command = [*before, sys.executable, "-m", "bench.parallel", "--train", name]
    out = subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout
    result = json.loads(out.splitlines()[-1])
    return result["seconds"], result["losses"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--train", choices=CASES)
    given = parser.parse_args()
    if given.train:
        return train(CASES[given.train])
    mpiexec = shutil.which("mpiexec", path=f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}")
    if mpiexec is None:
        raise SystemExit("mpiexec: expected one, got none; pip install mpich mpi4py")
    print(
        f"| case | one process, {PROCESSES} threads | {PROCESSES} processes | speed-up | losses differ by |"
    )
    print("| --- | --- | --- | --- | --- |")
    for name in CASES:
        one, two = [], []
        for _ in range(given.rounds):
            one.append(measured(name, []))
            two.append(measured(name, [mpiexec, "-n", str(PROCESSES)]))
        alone, together = min(one)[0], min(two)[0]
        apart = max(abs(a / b - 1) for a, b in zip(one[0][1], two[0][1], strict=True))
        print(
            f"| {name} | {alone:.2f} s | {together:.2f} s | {alone / together:.2f} | {apart:.1e} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
