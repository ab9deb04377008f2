"""The state of a training run, and its steps."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from .checkpoint import Arrays, flatten, under, unflatten, within
from .data import Batch, Data
from .gradients import clip_value
from .history import History
from .optim import Optimizer
from .schedules import Schedule

# A loss this many times as large as the run's first one (or 1) counts as exploded.
EXPLODED = 1e6


class Step(Protocol):
    """What a model's `loss` returns: its mean over `count` targets, the state after the batch, and `backward()`, which
    adds to the gradients (None where they are not wanted)."""

    @property
    def value(self) -> float: ...
    @property
    def count(self) -> int: ...
    @property
    def state(self) -> Any: ...
    @property
    def backward(self) -> Callable[[], Any] | None: ...


class Trainable(Protocol):
    """What is trained: any of elman's models, or a Composite of your own with a `loss` like theirs."""

    @property
    def parameters(self) -> Mapping[str, np.ndarray]: ...
    @property
    def grads(self) -> Mapping[str, np.ndarray]: ...
    def zero_grad(self) -> None: ...
    def state_dict(self) -> Arrays: ...
    def load_state_dict(self, state_dict: Arrays) -> None: ...
    def random_state(self) -> dict[str, Any]: ...
    def set_random_state(self, state: dict[str, Any]) -> None: ...
    def loss(self, batch: Batch, state: Any = None, train: bool = True) -> Step: ...


def mean_loss(model: Trainable, data: Data, batch_size: int) -> float:
    """The model's mean loss over all targets of the data."""
    total, count, state = 0.0, 0, None
    for batch in data.batches(batch_size):
        step = model.loss(batch, state if batch.continues else None, train=False)
        state = step.state
        total += step.value * step.count
        count += step.count
    return total / max(count, 1)


class Run:
    """A run of `fit`, as its callbacks see it.

    Attributes:
        model, optimizer, history: as they are now.
        epoch: how many have been completed.
        stop: set it to a reason to end after this epoch.
    """

    def __init__(
        self,
        model: Trainable,
        optimizer: Optimizer,
        schedule: Schedule,
        clip_norm: float | None = None,
        clip: float | None = None,
        seed: int = 0,
    ):
        self.model, self.optimizer, self.schedule, self.seed = model, optimizer, schedule, seed
        self.clip_norm, self.clip = clip_norm, clip
        self.base_rate = optimizer.learning_rate
        self.history = History()
        self.best: Arrays = {}  # parameters of the best epoch, where there is validation
        self.first: float | None = None  # the run's first loss
        self.epoch = 0
        self.stop = ""
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        """Of the epoch in progress: batches taken, targets counted, sums of losses and norms, the carried state."""
        self.batches = self.count = 0
        self.total = self.norms = self.seconds = 0.0
        self.loss = self.norm = 0.0  # of the last batch
        self.state: Any = None

    def train_epoch(self, data: Data, batch_size: int) -> Iterator[int]:
        """What is left of the epoch, batch by batch; gives how much of the data has been read."""
        begin = time.perf_counter() - self.seconds
        order = data.batches(batch_size, seed=[self.seed, self.epoch])
        for batch in itertools.islice(order, self.batches, None):
            rate = self.schedule(self.epoch + batch.done / len(data))
            self.optimizer.learning_rate = self.base_rate * rate
            self._train(batch)
            self.batches += 1
            self.seconds = time.perf_counter() - begin
            yield batch.done

    def _train(self, batch: Batch) -> None:
        self.model.zero_grad()
        step = self.model.loss(batch, self.state if batch.continues else None)
        self.loss = step.value
        self.first = max(1.0, step.value) if self.first is None else self.first
        if not np.isfinite(step.value) or step.value > EXPLODED * self.first:
            raise self._failure("loss", batch)
        assert step.backward is not None
        step.backward()
        self.norm = self.optimizer.norm()
        if not np.isfinite(self.norm):
            raise self._failure("gradient norm", batch)
        norm = self.norm
        if self.clip is not None:
            clip_value(self.model, self.clip)
            norm = self.optimizer.norm()
        scale = 1.0
        if self.clip_norm is not None and norm > self.clip_norm:
            scale = self.clip_norm / norm
        self.optimizer.step(scale)
        self.state = step.state
        self.total += step.value * step.count
        self.count += step.count
        self.norms += self.norm

    def _failure(self, what: str, batch: Batch) -> FloatingPointError:
        value = self.norm if what == "gradient norm" else self.loss
        if batch.x.dtype.kind == "f" and not np.isfinite(batch.x).all():
            advice = "x holds values that are not finite numbers: fill the gaps, or leave those steps out by lengths"
        else:
            advice = "try a lower learning_rate, a lower clip_norm, or x and targets scaled to mean 0 and deviation 1"
        return FloatingPointError(
            f"{what}: expected a finite number of a usual size, got {value:.4g} in epoch {self.epoch + 1}, "
            f"batch {self.batches + 1}; {advice}"
        )

    def end_epoch(self, validation: Data | None, batch_size: int, patience: int | None) -> None:
        """Record the epoch, and keep its parameters if they are the best so far."""
        history = self.history
        history.train_loss.append(self.total / max(self.count, 1))
        history.gradient_norm.append(self.norms / max(self.batches, 1))
        history.learning_rate.append(self.optimizer.learning_rate)
        history.seconds.append(self.seconds)
        if validation is None:
            history.best_epoch = self.epoch
        else:
            history.validation_loss.append(mean_loss(self.model, validation, batch_size))
            if history.validation_loss[-1] <= min(history.validation_loss):
                history.best_epoch = self.epoch
                self.best = self.model.state_dict()
        self.schedule.observe(history.watched[-1])
        if patience is not None and self.epoch - history.best_epoch >= patience:
            self.stop = f"no lower validation loss in {patience} epochs"
        self.epoch += 1
        self._begin_epoch()

    _numbers = (
        "seed",
        "epoch",
        "batches",
        "count",
        "total",
        "norms",
        "seconds",
        "base_rate",
        "first",
        "stop",
    )

    def snapshot(self) -> tuple[dict[str, Any], Arrays]:
        """All that the rest of the run depends on, as numbers and arrays."""
        state: Arrays = {}
        optimizer = self.optimizer.state_dict()
        numbers = {name: getattr(self, name) for name in self._numbers} | {
            "history": self.history.as_dict(),
            "random": self.model.random_state(),
            "optimizer": {name: value for name, value in optimizer.items() if name != "arrays"},
            "schedule": self.schedule.state_dict(),
            "state": flatten(self.state, state),
        }
        arrays = under("parameters", self.model.state_dict()) | under("best", self.best)
        return numbers, arrays | under("optimizer", optimizer["arrays"]) | under("state", state)

    def restore(self, numbers: dict[str, Any], arrays: Arrays) -> None:
        """Go on from a snapshot."""
        self.model.load_state_dict(within("parameters", arrays))
        self.model.set_random_state(numbers["random"])
        self.optimizer.load_state_dict(numbers["optimizer"] | {"arrays": within("optimizer", arrays)})
        self.schedule.load_state_dict(numbers["schedule"])
        for name in self._numbers:
            setattr(self, name, numbers[name])
        self.history = History(**numbers["history"])
        self.best = within("best", arrays)
        self.state = unflatten(numbers["state"], within("state", arrays))
