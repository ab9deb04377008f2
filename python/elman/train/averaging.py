"""The average of a run's parameters, as it grows."""

from __future__ import annotations

from ..optim import Average
from ..optim.averages import move
from .checkpoint import Arrays
from .trainable import Trainable


class Averaged:
    """The average of a model's parameters so far.

    Args:
        rule: how they are averaged; None: they are not.
        arrays, count: the average, by name, and how many are in it.
    """

    def __init__(self, rule: Average | None, arrays: Arrays | None = None, count: int = 0):
        self._rule, self.arrays, self.count = rule, arrays or {}, count

    def copy(self) -> Averaged:
        return Averaged(self._rule, {name: value.copy() for name, value in self.arrays.items()}, self.count)

    def after_update(self, model: Trainable, epoch: int) -> None:
        """Take in the parameters after an update, if those count."""
        if self._counts(True, epoch):
            self._take(model)

    def after_epoch(self, model: Trainable, epoch: int) -> Averaged:
        """The average with the parameters after an epoch, if those count: another one, so that this stays as it is if
        the validation is interrupted."""
        if not self._counts(False, epoch):
            return self
        average = self.copy()
        average._take(model)
        return average

    def parameters_of(self, model: Trainable) -> Arrays:
        """A copy of the average; of the parameters themselves where there is none yet."""
        return self.copy().arrays or model.state_dict()

    def _counts(self, update: bool, epoch: int) -> bool:
        rule = self._rule
        return rule is not None and rule.of_updates == update and epoch >= rule.start

    def _take(self, model: Trainable) -> None:
        if not self.count:
            self.arrays = model.state_dict()
        elif self._rule is not None:
            new = model.parameters
            move([self.arrays[name] for name in new], new.values(), self._rule.share(self.count))
        self.count += 1
