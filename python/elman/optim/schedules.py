"""Learning-rate schedules: factors on the base rate, as functions of the time in epochs."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from .. import _check


@runtime_checkable
class Schedule(Protocol):
    """A learning-rate schedule: called with the time in epochs (2.25 is a quarter through the third one), it returns a
    factor on the learning rate.

    A learning-rate schedule of your own is a subclass with `__call__`. The other methods are for those that watch the
    loss.
    """

    @abstractmethod
    def __call__(self, epoch: float) -> float:
        """The factor at `epoch`, which counts whole epochs and their parts from 0."""

    def observe(self, loss: float) -> None:
        """Told the `loss` after each epoch: the validation's, or else the training's."""
        return

    def state_dict(self) -> dict[str, float]:
        """What it learned from the losses, plain numbers."""
        return {}

    def load_state_dict(self, state_dict: Mapping[str, float]) -> None:
        """Take over what `state_dict` gave.

        Raises:
            ValueError: a number is missing, unknown or out of its range; then nothing is changed.
        """
        if state_dict.keys() != self.state_dict().keys():
            raise ValueError(
                f"state_dict: expected the names {list(self.state_dict())}, got {list(state_dict)}"
            )


@dataclass(frozen=True)
class Constant(Schedule):
    """1 at all times."""

    def __call__(self, epoch: float) -> float:
        return 1.0


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from 1 to `floor` over the first `epochs`, and `floor` from then on (Loshchilov & Hutter 2017):

    floor + (1 - floor) (1 + cos(pi t / epochs)) / 2 at time t.

    Args:
        epochs: how long it falls, above 0.
        floor: what it falls to, from 0 up to, not including, 1.

    Raises:
        ValueError: an argument has the wrong value.
    """

    epochs: float
    floor: float = 0.0

    def __post_init__(self) -> None:
        _check.positive("epochs", self.epochs)
        _check.fraction("floor", self.floor)

    def __call__(self, epoch: float) -> float:
        share = min(epoch / self.epochs, 1.0)
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * share))


@dataclass(frozen=True)
class Steps(Schedule):
    """Times `factor` after every `every` epochs: factor^floor(t / every) at time t.

    Args:
        every: epochs between two steps, above 0.
        factor: of each step, above 0.

    Raises:
        ValueError: an argument has the wrong value.
    """

    every: float
    factor: float = 0.1

    def __post_init__(self) -> None:
        _check.positive("every", self.every)
        _check.positive("factor", self.factor)

    def __call__(self, epoch: float) -> float:
        return self.factor ** (epoch // self.every)


@dataclass(frozen=True)
class Exponential(Schedule):
    """factor^t at time t.

    Args:
        factor: of each epoch, above 0.

    Raises:
        ValueError: factor is not above 0.
    """

    factor: float

    def __post_init__(self) -> None:
        _check.positive("factor", self.factor)

    def __call__(self, epoch: float) -> float:
        return self.factor**epoch


@dataclass(frozen=True)
class WarmUp(Schedule):
    """A straight line from `start` to where `then` begins over the first `epochs`, after which its time begins.

    Args:
        epochs: how long it rises, above 0.
        then: the learning-rate schedule that follows.
        start: the factor at the start, from 0 up to, not including, 1.

    Raises:
        ValueError: an argument has the wrong value.
    """

    epochs: float
    then: Schedule = field(default_factory=Constant)
    start: float = 0.0

    def __post_init__(self) -> None:
        _check.positive("epochs", self.epochs)
        _check.fraction("start", self.start)
        if not isinstance(self.then, Schedule):
            raise ValueError(f"then: expected a learning-rate schedule, got {_check.describe(self.then)}")

    def __call__(self, epoch: float) -> float:
        if epoch >= self.epochs:
            return self.then(epoch - self.epochs)
        return self.start + (self.then(0.0) - self.start) * epoch / self.epochs

    def observe(self, loss: float) -> None:
        self.then.observe(loss)

    def state_dict(self) -> dict[str, float]:
        return self.then.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, float]) -> None:
        self.then.load_state_dict(state_dict)


@dataclass
class Plateau(Schedule):
    """Times `factor`, down to `floor`, whenever the loss has not fallen for more than `patience` epochs.

    Fallen means below (1 - threshold) times the lowest loss so far; the count starts anew after each reduction.

    Args:
        factor: of each reduction, between 0 and 1.
        patience: epochs without a fall that are borne.
        threshold: the smallest fall that counts, as a share of the loss.
        floor: below which no reduction goes.

    Raises:
        ValueError: an argument has the wrong value.
    """

    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    floor: float = 0.0
    _current: float = field(default=1.0, init=False, repr=False)
    _best: float = field(default=math.inf, init=False, repr=False)
    _waited: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        if _check.positive("factor", self.factor) >= 1:
            raise ValueError(f"factor: expected a number below 1, got {self.factor!r}")
        _check.whole_number("patience", self.patience, 0)
        _check.fraction("threshold", self.threshold)
        _check.fraction("floor", self.floor)

    def __call__(self, epoch: float) -> float:
        return self._current

    def observe(self, loss: float) -> None:
        if loss < self._best * (1 - self.threshold):
            self._best, self._waited = float(loss), 0
        else:
            self._waited += 1
        if self._waited > self.patience:
            self._current, self._waited = max(self._current * self.factor, self.floor), 0

    def state_dict(self) -> dict[str, float]:
        return {"current": self._current, "best": self._best, "waited": self._waited}

    def load_state_dict(self, state_dict: Mapping[str, float]) -> None:
        super().load_state_dict(state_dict)
        current = _check.not_negative("current", state_dict["current"])
        waited = _check.whole_number("waited", state_dict["waited"], 0)
        self._current, self._best, self._waited = current, float(state_dict["best"]), waited
