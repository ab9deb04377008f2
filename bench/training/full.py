"""python -m bench.training.full text|translate|speech: an example's whole training, by elman and by PyTorch.

The same data, weights at the start, batches, sizes, dropout rates, optimiser and schedule; epochs in turns. The figure
at the end is the example's own, of both sets of weights (PyTorch's copied back into elman's model).
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from bench.training import twins
from bench.training.__main__ import elman_epoch
from bench.training.tasks import Task

import elman
from elman.train import Adam, Cosine, evaluate
from elman.train.run import Run

sys.path.append(str(pathlib.Path(__file__).parents[2] / "examples"))


class Whole(NamedTuple):
    """A task with what its example adds: epochs, learning rate, where its schedule ends, and the figure of a model."""

    task: Task
    epochs: int
    learning_rate: float
    floor: float
    score: Callable[[Any], dict[str, float]]


def text() -> Whole:
    import text as example

    alphabet, data = example.streams(example.king_james(), steps=100)
    task = Task(lambda: example.build_model(len(alphabet), 384, 0), data["train"], twins.Language, 64)
    score = lambda model: {"bits per character": evaluate(model, data["test"], 1) / np.log(2)}  # noqa: E731
    return Whole(task, 5, 3e-3, 0.02, score)


WHOLES: dict[str, Callable[[], Whole]] = {"text": text}


def torch_epoch(twin: Any, optimizer: Any, whole: Whole, epoch: int) -> float:
    """One epoch of the twin, as `elman.train.fit` does it."""
    data, schedule = whole.task.data, Cosine(whole.epochs, floor=whole.floor)
    total, count, state = 0.0, 0, None
    twin.train()
    for batch in data.batches(whole.task.batch_size, [0, epoch]):
        optimizer.param_groups[0]["lr"] = whole.learning_rate * schedule(epoch + batch.done / len(data))
        optimizer.zero_grad()
        loss, state = twin.loss(batch, state if batch.continues else None)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(twin.parameters(), 1.0)
        optimizer.step()
        total += loss.item() * twin.weight(batch)
        count += twin.weight(batch)
    return total / count


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.training.full")
    parser.add_argument("example", choices=sorted(WHOLES))
    parser.add_argument("--epochs", type=int)
    options = parser.parse_args()
    torch.set_num_threads(elman.num_threads())
    whole = WHOLES[options.example]()
    whole = whole._replace(epochs=options.epochs or whole.epochs)
    model, other = whole.task.model(), whole.task.model()
    twin = whole.task.twin(other)
    twin.copy_weights()
    run = Run(model, Adam(model, whole.learning_rate), Cosine(whole.epochs, floor=whole.floor), clip_norm=1.0)
    optimizer = torch.optim.Adam(twin.parameters(), lr=whole.learning_rate, fused=True)
    times = []
    for epoch in range(whole.epochs):
        begin = time.perf_counter()
        ours = elman_epoch(run, whole.task)
        middle = time.perf_counter()
        theirs = torch_epoch(twin, optimizer, whole, epoch)
        times.append((middle - begin, time.perf_counter() - middle))
        took, other_took = times[-1]
        print(
            f"epoch {epoch + 1}: loss {ours:.4f} in {took:.1f} s; PyTorch {theirs:.4f} in {other_took:.1f} s",
            flush=True,
        )
    twin.copy_weights(back=True)
    elman_time, torch_time = (median(column) for column in zip(*times, strict=True))
    print(f"epoch: elman {elman_time:.1f} s, PyTorch {torch_time:.1f} s, ratio {torch_time / elman_time:.2f}")
    for name, one in (("elman", model), ("PyTorch", other)):
        print(name, ", ".join(f"{metric} {value:.4g}" for metric, value in whole.score(one).items()))


if __name__ == "__main__":
    main()
