"""python -m bench.training: five kinds of model trained by elman and by PyTorch, epoch by epoch in turns.

The same initial weights, batches in the same order, Adam and clipping in both; the losses of every epoch must agree.
Prints the ratio of the epochs' times (medians), and the share of elman's time that is not in its recurrent kernels.
"""

from __future__ import annotations

import argparse
import time
from statistics import geometric_mean, median
from typing import Any

import numpy as np
import torch

import elman
from bench.training.tasks import TASKS, Task
from elman import _core
from elman.stack import processor
from elman.train import Adam, Run, Settings

AGREE = 0.02  # losses of an epoch may differ by this share: rounding grows along a run


class KernelClock:
    """Adds up the time spent in the engine's recurrent processor."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> KernelClock:
        self._kept = _core.forward, _core.backward

        def timed(call: Any) -> Any:
            def run(*arguments: Any) -> None:
                begin = time.perf_counter()
                call(*arguments)
                self.seconds += time.perf_counter() - begin

            return run

        processor._core.forward, processor._core.backward = map(timed, self._kept)
        return self

    def __exit__(self, *_: Any) -> None:
        processor._core.forward, processor._core.backward = self._kept


def torch_epoch(twin: Any, optimizer: Any, task: Task, epoch: int) -> float:
    total, count, state = 0.0, 0, None
    for batch in task.data.batches(task.batch_size, [0, epoch]):
        optimizer.zero_grad()
        loss, state = twin.loss(batch, state if batch.continues else None)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(twin.parameters(), 1.0)
        optimizer.step()
        weight = twin.weight(batch)
        total += loss.item() * weight
        count += weight
    return total / count


def elman_epoch(run: Run, task: Task) -> float:
    for _ in run.train_epoch(task.data):
        pass
    run.end_epoch()
    return run.history.train_loss[-1]


def race(task: Task, epochs: int) -> tuple[list[float], list[float], list[tuple[float, float]], float]:
    """Seconds of each epoch of elman and of torch, their losses, and elman's time outside the kernels."""
    model = task.model()
    twin = task.twin(model)
    twin.copy_weights()
    run = Run(model, Adam(model), Settings(batch_size=task.batch_size))
    optimizer = torch.optim.Adam(twin.parameters(), fused=True)  # the fastest there is
    ours, theirs, losses = [], [], []
    outside = []
    for epoch in range(epochs):
        begin = time.perf_counter()
        with KernelClock() as clock:
            loss = elman_epoch(run, task)
        middle = time.perf_counter()
        other = torch_epoch(twin, optimizer, task, epoch)
        end = time.perf_counter()
        ours.append(middle - begin)
        theirs.append(end - middle)
        outside.append(1 - clock.seconds / ours[-1])
        losses.append((loss, other))
    return ours, theirs, losses, median(outside)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.training")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--only", help="tasks, separated by commas")
    parser.add_argument("--threads", type=int, default=elman.num_threads())
    options = parser.parse_args()
    elman.set_num_threads(options.threads)
    torch.set_num_threads(options.threads)
    ratios = []
    print("| model | epoch, ms | PyTorch, ms | ratio | not in kernels | first loss | last loss | PyTorch's |")
    print("|---|---|---|---|---|---|---|---|")
    for name in options.only.split(",") if options.only else TASKS:
        ours, theirs, losses, outside = race(TASKS[name](), options.epochs)
        for epoch, (loss, other) in enumerate(losses):
            if not np.isclose(loss, other, rtol=AGREE):
                raise SystemExit(
                    f"{name}: losses differ in epoch {epoch + 1}: {loss:.6f} and PyTorch's {other:.6f}"
                )
        ratios.append(median(t / o for o, t in zip(ours[1:], theirs[1:], strict=True)))
        print(
            f"| {name} | {1e3 * median(ours[1:]):.0f} | {1e3 * median(theirs[1:]):.0f} | {ratios[-1]:.2f} "
            f"| {outside:.0%} | {losses[0][0]:.4f} | {losses[-1][0]:.4f} | {losses[-1][1]:.4f} |",
            flush=True,
        )
    print(f"geometric mean {geometric_mean(ratios):.2f}")


if __name__ == "__main__":
    main()
