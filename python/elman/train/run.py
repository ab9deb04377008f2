"""A training run: its state, and the updates it makes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from .._plain import plain
from ..data import Batch, Data
from ..optim import Optimizer, Schedule, clip_value
from .checkpoint import Arrays, flatten, under, unflatten, within
from .history import History

# A loss this many times as large as the run's first one (or 1) has exploded.
EXPLODED = 1e6
# No checkpoint is written where the loss is this many times as large: from there no lower rate could save the run.
HEALTHY = 1e3


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
    """What can be trained: any of elman's models, or a Composite of your own with a `loss` like theirs."""

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


Check = Callable[[float, Batch, int], None]


def mean_loss(model: Trainable, data: Data, batch_size: int, check: Check | None = None) -> float:
    """The model's mean loss over all targets of the data. `check` gets each batch's loss, the batch and its number."""
    total, count, state = 0.0, 0, None
    for number, batch in enumerate(data.batches(batch_size)):
        step = model.loss(batch, state if batch.continues else None, train=False)
        state = step.state
        value = float(step.value)
        if check is not None:
            check(value, batch, number)
        total += value * step.count
        count += step.count
    return total / counted(count)


def counted(count: int) -> int:
    """`count`, if there is any.

    Raises:
        ValueError: no target counted, so that a loss of 0 would say nothing.
    """
    if not count:
        raise ValueError(
            "y: expected at least one target that counts, got none: all are NaN or beyond the lengths"
        )
    return count


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
        self.given_rate = self.base_rate = optimizer.learning_rate
        self.history = History()
        self.best: Arrays = {}  # parameters of the best epoch, if there is validation data
        self.safe: Arrays = model.state_dict()  # until then: parameters before the epoch in progress
        self.first: float | None = None  # the run's first loss
        self.epoch = 0
        self.batch_size = 0  # of the epoch in progress
        self.patient_since = 0  # the epoch from which patience counts
        self.stop = ""
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        """Start counting an epoch: batches read, targets, sums of losses and norms, and the carried state."""
        self.batches = self.count = 0
        self.total = self.norms = self.seconds = 0.0
        self.loss = self.norm = 0.0  # of the last batch
        self.state: Any = None

    def train_epoch(self, data: Data, batch_size: int) -> Iterator[int]:
        """Train what is left of the epoch, batch by batch. Gives how much of the data has been read."""
        if not self.batches:
            self.batch_size = batch_size
        begin = time.perf_counter() - self.seconds
        order = data.batches(self.batch_size, seed=[self.seed, self.epoch])
        for batch in itertools.islice(order, self.batches, None):
            rate = float(self.schedule(self.epoch + batch.done / len(data)))
            self.optimizer.learning_rate = self.base_rate * rate
            self._train(batch)
            self.batches += 1
            self.seconds = time.perf_counter() - begin
            yield batch.done

    def _train(self, batch: Batch) -> None:
        self.model.zero_grad()
        step = self.model.loss(batch, self.state if batch.continues else None)
        self.loss = float(step.value)
        self.first = max(1.0, self.loss) if self.first is None else self.first
        if not np.isfinite(self.loss) or self.loss > EXPLODED * self.first:
            raise self._failure("loss", self.loss, batch, self.batches)
        assert step.backward is not None
        step.backward()
        self.norm = self.optimizer.norm()
        if not np.isfinite(self.norm):
            raise self._failure("gradient norm", self.norm, batch, self.batches)
        norm = self.norm
        if self.clip is not None:
            clip_value(self.model, self.clip)
            norm = self.optimizer.norm()
        scale = 1.0
        if self.clip_norm is not None and norm > self.clip_norm:
            scale = self.clip_norm / norm
        self.optimizer.step(scale)
        self.state = step.state
        self.total += self.loss * step.count
        self.count += step.count
        self.norms += self.norm

    def _failure(self, what: str, value: float, batch: Batch, number: int) -> FloatingPointError:
        advice = (
            "try a lower learning_rate, a lower clip_norm, or x and targets scaled to mean 0 and deviation 1"
        )
        if batch.x.dtype.kind == "f" and not np.isfinite(batch.x).all():
            advice = "x holds values that are not finite numbers: fill the gaps, or leave those steps out by lengths"
        elif batch.y is not None and batch.y.dtype.kind == "f" and np.isinf(batch.y).any():
            advice = "y holds infinite values: a target that is not known is NaN"
        return FloatingPointError(
            f"{what}: expected a finite number of a usual size, got {value:.4g} in epoch {self.epoch + 1}, "
            f"batch {number + 1}; {advice}"
        )

    def _check_validation(self, value: float, batch: Batch, number: int) -> None:
        if not np.isfinite(value):
            raise self._failure("validation loss", value, batch, number)

    def end_epoch(self, validation: Data | None, batch_size: int, patience: int | None) -> None:
        """Record the epoch, and keep its parameters if they are the best so far.

        Raises:
            FloatingPointError: the validation loss is not a finite number.
        """
        history, train_loss = self.history, self.total / counted(self.count)
        if validation is not None:
            loss = mean_loss(self.model, validation, batch_size, self._check_validation)
            history.validation_loss.append(loss)
        history.train_loss.append(train_loss)
        history.gradient_norm.append(self.norms / max(self.batches, 1))
        history.learning_rate.append(self.optimizer.learning_rate)
        history.seconds.append(self.seconds)
        if validation is None:
            history.best_epoch, self.safe = self.epoch, self.model.state_dict()
        elif history.validation_loss[-1] <= min(history.validation_loss):
            history.best_epoch, self.best, self.safe = self.epoch, self.model.state_dict(), {}
        self.schedule.observe(history.watched[-1])
        self.epoch += 1
        self._begin_epoch()
        self.stop = self.stop or self.impatience(patience)

    def impatience(self, patience: int | None) -> str:
        """Why to stop, if `patience` epochs have brought nothing better."""
        waited = self.epoch - max(self.history.best_epoch + 1, self.patient_since)
        if patience is None or waited < patience:
            return ""
        return f"no lower validation loss in {patience} epochs"

    def healthy(self, loss: float) -> bool:
        """Whether a run could go on from parameters with this loss."""
        return self.first is not None and loss <= HEALTHY * self.first

    def fall_back(self, exploded: bool) -> None:
        """Give the model the parameters of the best epoch. If there is none, it keeps its own; if those have exploded,
        it gets those from before the epoch in progress."""
        if self.best or exploded:
            self.model.load_state_dict(self.best or self.safe)

    _numbers = (
        "seed",
        "epoch",
        "batches",
        "count",
        "total",
        "norms",
        "seconds",
        "given_rate",
        "base_rate",
        "first",
        "batch_size",
        "patient_since",
        "stop",
    )

    def snapshot(self) -> tuple[dict[str, Any], Arrays]:
        """All that the rest of the run depends on, as numbers and arrays.

        Raises:
            ValueError: the state of something of your own (a learning-rate schedule, a model) cannot be saved.
        """
        state: Arrays = {}
        optimizer = dict(self.optimizer.state_dict())
        moments = optimizer.pop("arrays")
        numbers = {name: plain(name, getattr(self, name)) for name in self._numbers} | {
            "history": plain("history", self.history.as_dict()),
            "random": plain("random_state", self.model.random_state()),
            "optimizer": plain("optimizer", optimizer),
            "schedule": plain("schedule", self.schedule.state_dict()),
            "state": flatten("state", self.state, state),
        }
        arrays = under("parameters", self.model.state_dict()) | under("best", self.best)
        return numbers, arrays | under("optimizer", moments) | under("state", state)

    def restore(self, numbers: dict[str, Any], arrays: Arrays) -> None:
        """Go on from a snapshot of this model, or of one like it. Rates, clipping and the learning-rate schedule stay
        those of this run."""
        self.model.load_state_dict(within("parameters", arrays))
        self.model.set_random_state(numbers["random"])
        self.optimizer.load_state_dict(numbers["optimizer"] | {"arrays": within("optimizer", arrays)})
        self.history = History(**numbers["history"])
        if numbers["schedule"].keys() == self.schedule.state_dict().keys():
            self.schedule.load_state_dict(numbers["schedule"])
        else:  # another learning-rate schedule: it is told the losses so far
            for loss in self.history.watched:
                self.schedule.observe(loss)
        given, base = self.given_rate, self.base_rate
        for name in self._numbers:
            setattr(self, name, numbers[name])
        if self.given_rate != given:  # this call asks for another rate
            self.given_rate, self.base_rate = given, base
        self.best = within("best", arrays)
        self.safe = {} if self.best else self.model.state_dict()
        self.state = unflatten(numbers["state"], within("state", arrays))
