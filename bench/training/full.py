"""python -m bench.training.full text|translate|speech: an example's whole training, by elman and by PyTorch.

The same data, weights at the start, batches, sizes, optimiser and schedule; the same dropout but for recurrent
dropout, which PyTorch has not. Epochs go in turns. The figure at the end is the example's own, of both sets of
weights (PyTorch's copied back into elman's model).
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

import elman
from bench.training import twins
from bench.training.__main__ import elman_epoch
from bench.training.tasks import Task
from elman.sequence import Standardizer
from elman.train import Adam, Run, Settings, evaluate

sys.path.append(str(pathlib.Path(__file__).parents[2] / "examples"))


class Whole(NamedTuple):
    """A task, the example that it is from, and the figures of a model."""

    task: Task
    example: Any
    score: Callable[[Any], dict[str, float]]


def text() -> Whole:
    import text as example

    alphabet, data = example.streams(example.king_james(), steps=100)
    batch = example.TRAINING["batch_size"]
    task = Task(
        lambda: example.build_model(len(alphabet), example.HIDDEN, 0), data["train"], twins.Language, batch
    )
    score = lambda model: {"bits per character": evaluate(model, data["test"], 1) / np.log(2)}  # noqa: E731
    return Whole(task, example, score)


def translate() -> Whole:
    import translate as example

    parts = example.split(example.load_data(), seed=0)
    english, spanish = (
        example.Pieces.learn(side, example.PIECES) for side in zip(*parts["train"], strict=True)
    )
    data = example.Resampled(parts["train"], english, spanish)
    batch = example.TRAINING["batch_size"]
    task = Task(
        lambda: example.build_model(english, spanish, example.HIDDEN, 0), data, twins.Translator, batch
    )
    texts, references = (list(side) for side in zip(*parts["test"], strict=True))
    score = lambda model: example.scores(example.translate(model, texts), references)  # noqa: E731
    return Whole(task, example, score)


def speech() -> Whole:
    import speech as example
    from support.spelling import error_rate

    train, _, test = example.load_data()
    scale = Standardizer().fit(np.concatenate(train.frames))
    data = example.Augmented([scale.transform(frames) for frames in train.frames], train.labels())
    task = Task(
        lambda: example.build_model(streaming=False), data, twins.Recognizer, example.TRAINING["batch_size"]
    )
    x = [example.stack(scale.transform(frames)) for frames in test.frames]
    score = lambda model: {"letters wrong, best path, %": error_rate(example.read(model, x), test.texts)}  # noqa: E731
    return Whole(task, example, score)


WHOLES: dict[str, Callable[[], Whole]] = {f.__name__: f for f in (text, translate, speech)}


def torch_epoch(twin: Any, optimizer: Any, task: Task, rate: Callable[[float], float], epoch: int) -> float:
    """One epoch of the twin, as `elman.train.fit` does it; `rate`: the learning rate after so many epochs."""
    data = task.data
    total, count, state = 0.0, 0, None
    twin.train()
    for batch in data.batches(task.batch_size, [0, epoch]):
        optimizer.param_groups[0]["lr"] = rate(epoch + batch.done / len(data))
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
    task, example, score = WHOLES[options.example]()
    epochs = options.epochs or example.TRAINING["epochs"]
    learning_rate, schedule = example.TRAINING["learning_rate"], example.schedule(epochs)
    model, other = task.model(), task.model()
    twin = task.twin(other)
    twin.copy_weights()
    run = Run(model, Adam(model, learning_rate), Settings(batch_size=task.batch_size, schedule=schedule))
    optimizer = torch.optim.Adam(twin.parameters(), lr=learning_rate, fused=True)
    times = []
    for epoch in range(epochs):
        begin = time.perf_counter()
        ours = elman_epoch(run, task)
        middle = time.perf_counter()
        theirs = torch_epoch(twin, optimizer, task, lambda done: learning_rate * schedule(done), epoch)
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
        print(name, ", ".join(f"{metric} {value:.4g}" for metric, value in score(one).items()))


if __name__ == "__main__":
    main()
