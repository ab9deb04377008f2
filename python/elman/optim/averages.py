"""Averages of parameters over a training run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .. import _check, _core


class Average(ABC):
    """How parameters are averaged: average += share * (parameters - average), after each update or each epoch.

    Attributes:
        start: how many epochs are trained before the first parameters that count.
        of_updates: whether those after each update count; otherwise those after each epoch.
    """

    of_updates: ClassVar[bool]
    start: int

    @abstractmethod
    def share(self, count: int) -> float:
        """Of the newest parameters, where `count` others are in the average already, at least one."""


@dataclass(frozen=True)
class EMA(Average):
    """The exponential moving average of the parameters after each update (Polyak & Juditsky 1992 gave averages of
    iterates): the newest ones have the share 1 - decay.

    At first decay is at most (1 + n) / (10 + n), with n parameters in the average, so that it forgets the beginning
    (as in TensorFlow's ExponentialMovingAverage).

    Args:
        decay: how much of the average stays; the average is over about 1 / (1 - decay) updates.
        start: epochs before the average begins.
    """

    decay: float = 0.999
    start: int = 0
    of_updates: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "decay", _check.fraction("decay", self.decay))
        object.__setattr__(self, "start", _check.whole_number("start", self.start, 0))

    def share(self, count: int) -> float:
        return 1 - min(self.decay, (1 + count) / (10 + count))


@dataclass(frozen=True)
class SWA(Average):
    """Stochastic weight averaging: the mean of the parameters after each epoch but the first `start` (Izmailov et al.
    2018), where the learning rate should stay high: `Constant`, or a `Cosine` with a floor.

    Args:
        start: epochs before the first one that counts.
    """

    start: int
    of_updates: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", _check.whole_number("start", self.start, 0))

    def share(self, count: int) -> float:
        return 1 / (count + 1)


def move(average: Iterable[np.ndarray], towards: Iterable[np.ndarray], share: float) -> None:
    """average += share * (towards - average), in place."""
    # In one engine call, as a step of SGD: p -= rate * (scale * gradient + decay * p).
    _core.sgd([list(average), list(towards)], share, -1.0, 1.0, 0.0, False)
