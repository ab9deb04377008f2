"""One process of a training on several: `fit_on_ranks.py mpi|gloo DIRECTORY EPOCHS [wait] [samples]`. It prints what it
has trained as JSON, and with `wait` a line after each update, with pauses, so that somebody can end it. With `samples`
the data is a source that is read in windows.

Under mpiexec, or with the environment that torch.distributed asks for.
"""

import datetime
import json
import sys
import time

import numpy as np

import elman
from elman.data import Samples
from elman.train import Callback
from tests.support.runs import data, regressor, run


class Waits(Callback):
    def on_batch(self, run):
        print(f"update {run.epoch} {run.updates}", flush=True)
        time.sleep(0.05)


def samples(x: np.ndarray, y: np.ndarray) -> Samples:
    """Two shards of unknown size, in windows of 12."""
    return Samples(
        [lambda part=part: zip(x[part], y[part], strict=True) for part in (slice(23), slice(23, None))],
        window=12,
    )


def main() -> None:
    kind, directory, epochs, *words = sys.argv[1:]
    if kind == "mpi":
        from mpi4py import MPI

        communicator = MPI.COMM_WORLD
    elif kind == "gloo":
        from torch import distributed

        distributed.init_process_group("gloo", timeout=datetime.timedelta(seconds=600))
        communicator = distributed.group.WORLD
    else:
        communicator = None
    elman.set_num_threads(1)
    model = regressor(dropout=0.3, num_layers=2)
    history = run(
        model, directory, samples(*data(n=40)) if "samples" in words else data(n=40), data(1), epochs=int(epochs),
        communicator=communicator, callbacks=[Waits()] if "wait" in words else [],
    )  # fmt: skip
    total = float(sum(np.abs(value).sum(dtype=np.float64) for value in model.parameters.values()))
    print(json.dumps({"losses": history.train_loss, "parameters": total}), flush=True)
    if kind == "gloo":
        distributed.destroy_process_group()  # else its threads may still run when the process ends


if __name__ == "__main__":
    main()
