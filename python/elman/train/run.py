"""A training run: its state, epoch after epoch."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np

from ..data import Batch, Data
from ..data.batch import arrays_of, batches_from, size_of
from ..optim import Optimizer
from .averaging import Averaged
from .checkpoint import Arrays
from .communicator import Communicator
from .guard import Guard
from .history import History
from .metrics import Collector, last_is_best
from .ranks import Ranks
from .settings import Settings
from .trainable import Trainable, counted, mean_loss
from .update import Update

# A loss this many times as large as the run's first one (or 1) has exploded.
EXPLODED = 1e6
# No checkpoint is written where the loss is this many times as large: from there no lower rate could save the run.
HEALTHY = 1e3


class Run:
    """A run of `fit`, as its callbacks see it.

    Args:
        model: what is trained.
        optimizer: an Optimizer of the model.
        settings: Settings; those of `fit` without arguments if None.
        seed: of the order of the sequences.
        communicator: the processes that train the model together; None: this one alone.

    Attributes:
        model, optimizer, history: as they are now.
        settings: what `fit` was asked for.
        epoch: how many epochs have been completed.
        batches, updates: how many there have been in the epoch in progress.
        done: how much of the data has been read in it, in the data's unit.
        loss, norm: of the last update: its loss, and the joint norm of its gradients before clipping.
        stop: set it to a reason, and the run ends, after a batch as after an epoch.
        error: the exception that has ended the run, if one has.
        ranks: the processes that train the model together.
    """

    def __init__(
        self,
        model: Trainable,
        optimizer: Optimizer,
        settings: Settings | None = None,
        seed: int = 0,
        communicator: Communicator | None = None,
    ):
        self.model, self.optimizer, self.seed = model, optimizer, seed
        self.settings = Settings() if settings is None else settings
        self.given_rate = self.base_rate = optimizer.learning_rate
        self.history = History(watch=self.settings.watched)
        self.best: Arrays = {}  # parameters of the best epoch, if there is validation data
        self.safe: Arrays = model.state_dict()  # until then: parameters before the epoch in progress
        self.average = Averaged(self.settings.average)
        self.first: float | None = None  # the run's first loss
        self.epoch = 0
        self.batch_size = 0  # of the epoch in progress
        self.patient_since = 0  # the epoch from which patience counts
        self.length: int | None = None  # what was read in the last epoch that was read to its end
        self.stop = ""
        self.error: BaseException | None = None
        self.loss = self.norm = 0.0
        self.rate = optimizer.learning_rate  # of the last update
        self.guard = Guard()
        self.ranks = Ranks(communicator, self.guard)
        self.update = Update(model, optimizer, self.settings, self.ranks)
        self._random: dict[str, Any] | None = None  # the random streams before an update that is not complete
        self._own: Arrays = {}  # the parameters, while the model has their average in their place
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        """Start counting an epoch: batches read, updates, targets, sums of losses and norms, and the carried state."""
        self.batches = self.updates = self.done = 0
        self.count = self.total = self.norms = self.seconds = 0.0
        self.state: Any = None

    @property
    def finished(self) -> bool:
        """Whether no epoch is left, or there is a reason to stop."""
        return self.epoch >= self.settings.epochs or bool(self.stop)

    def train_epoch(self, data: Data) -> Generator[int, None, None]:
        """Train what is left of the epoch, update by update. Gives how much of the data has been read."""
        if not self.batches:
            self.batch_size = self.settings.batch_size
        begin = time.perf_counter() - self.seconds
        order = batches_from(data, self.batch_size, [self.seed, self.epoch], self.batches)
        with contextlib.closing(order):  # it may have a thread
            yield from self._train_batches(order, data, begin)
        self.length = self.done

    def _train_batches(self, order: Iterator[Batch], data: Data, begin: float) -> Iterator[int]:
        batch, update = None, self.update
        update.begin()
        for batch in order:
            if not update.batches:
                self._random = self.model.random_state()
            state = update.state if update.batches else self.state
            number = self.batches + update.batches
            if self.ranks.size > 1:
                place = self.seed, self.epoch, number
                self.model.set_random_state(self.ranks.draw(self.model.random_state(), *place))
            update.add(self.ranks.share(batch), state if batch.continues else None, self._check, number)
            if update.batches == self.settings.accumulate:
                self._change(batch, data, begin)
                yield self.done
        if batch is not None and update.batches:  # fewer are left than an update takes
            self._change(batch, data, begin)
            yield self.done

    def _change(self, batch: Batch, data: Data, begin: float) -> None:
        """Update the parameters from the batches that `update` holds, of which `batch` is the last."""
        update = self.update
        norm = update.finish(bool(self.stop))
        if not math.isfinite(norm):
            raise self._failure("gradient norm", norm, batch, self.batches + update.batches - 1)
        whole = self.length_of(data)
        share = batch.done / whole if whole else 0.0
        rate = self.base_rate * float(self.settings.schedule(self.epoch + share))
        with self.guard:
            self.optimizer.learning_rate = self.rate = rate
            update.apply(norm)
            self.state, self.done = update.state, batch.done
            self.norm, self.loss = norm, update.total / update.count if update.count else 0.0
            self.batches += update.batches
            self.updates += 1
            self.total += update.total
            self.count += update.count
            self.norms += norm
            self.average.after_update(self.model, self.epoch)
            update.begin()
            self._random = None
            self.seconds = time.perf_counter() - begin

    def length_of(self, data: Data) -> int | None:
        """How much there is to read in an epoch. None before data of unknown size have been read once."""
        known = size_of(data)
        return self.length if known is None else known

    def rewind(self) -> None:
        """Go back to the last update: from one that an exception has ended before the parameters changed, or from the
        average of the parameters, which is validated."""
        if self._own:
            self.model.load_state_dict(self._own)
            self._own = {}
        if self._random is not None:
            self.model.set_random_state(self._random)
            self._random = None

    def _check(self, value: float, batch: Batch, number: int) -> None:
        """Refuse a training loss that has exploded."""
        self.first = max(1.0, value) if self.first is None else self.first
        if not math.isfinite(value) or value > EXPLODED * self.first:
            raise self._failure("loss", value, batch, number)

    def _failure(self, what: str, value: float, batch: Batch, number: int) -> FloatingPointError:
        advice = (
            "try a lower learning_rate, a lower clip_norm, or x and targets scaled to mean 0 and deviation 1"
        )
        if any(x.dtype.kind == "f" and not np.isfinite(x).all() for x in arrays_of(batch.x)):
            advice = "x holds values that are not finite numbers: fill the gaps, or leave those steps out by a mask"
        elif any(y.dtype.kind == "f" and np.isinf(y).any() for y in arrays_of(batch.y)):
            advice = "y holds infinite values: a target that is not known is NaN"
        return FloatingPointError(
            f"{what}: expected a finite number of a usual size, got {value:.4g} in epoch {self.epoch + 1}, "
            f"batch {number + 1}; {advice}"
        )

    def _check_validation(self, value: float, batch: Batch, number: int) -> None:
        if not math.isfinite(value):
            raise self._failure("validation loss", value, batch, number)

    def end_epoch(self, validation: Data | None = None) -> None:
        """Record the epoch, and keep its parameters if they are the best so far.

        Raises:
            FloatingPointError: the validation loss is not a finite number.
        """
        history, train_loss = self.history, self.total / counted(self.count)
        loss, average = None, self.average.after_epoch(self.model, self.epoch)
        found = Collector(self.settings.metrics)
        if validation is not None:
            if average.arrays:
                self._own = self.model.state_dict()
                self.model.load_state_dict(average.arrays)
            size = self.settings.batch_size
            loss = mean_loss(self.model, validation, size, self._check_validation, self.ranks, found.add)
            self.rewind()
        values = found.values(self.ranks)
        with self.guard:
            self.average = average
            history.train_loss.append(train_loss)
            if loss is not None:
                history.validation_loss.append(loss)
            for name, value in values.items():
                history.metrics.setdefault(name, []).append(value)
            history.gradient_norm.append(self.norms / max(self.updates, 1))
            history.learning_rate.append(self.rate)
            history.seconds.append(self.seconds)
            self._keep_best()
            self.settings.schedule.observe(history.losses[-1])
            self.epoch += 1
            self._begin_epoch()
            self.stop = self.stop or self.impatience(self.settings.patience)

    def _keep_best(self) -> None:
        """Keep the parameters, if this epoch is the best so far."""
        history = self.history
        if not history.validation_loss:
            history.best_epoch, self.safe = self.epoch, self.average.parameters_of(self.model)
        elif last_is_best(history.watched, self.settings.greater):
            history.best_epoch, self.best, self.safe = self.epoch, self.average.parameters_of(self.model), {}

    def impatience(self, patience: int | None) -> str:
        """Why to stop, if `patience` epochs have brought nothing better."""
        waited = self.epoch - max(self.history.best_epoch + 1, self.patient_since)
        if patience is None or waited < patience:
            return ""
        what = "validation loss" if self.history.watch == "loss" else self.history.watch
        return f"no {'higher' if self.settings.greater else 'lower'} {what} in {patience} epochs"

    def healthy(self, loss: float) -> bool:
        """Whether a run could go on from parameters with this loss."""
        return self.first is not None and loss <= HEALTHY * self.first

    def fall_back(self, exploded: bool) -> None:
        """Give the model the parameters of the best epoch. If there is none, it gets the average, or keeps its own; if
        those have exploded, it gets those from before the epoch in progress."""
        found = self.best or (self.safe if exploded else self.average.arrays)
        if found:
            self.model.load_state_dict(found)
