"""One update of the parameters: gradients of one or more batches, clipping, and the optimiser's step."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np

from .. import _check
from ..data import Batch
from ..optim import Optimizer, clip_value, make_optimizer
from .ranks import GOES_ON, STOPS, Ranks
from .settings import Settings
from .trainable import Check, Trainable


class Update:
    """Collects the gradients of some batches, and then changes the parameters once.

    The gradient is that of the mean over all targets of the batches, as if they were one. Each batch adds the gradient
    of its own mean, over n targets. So before it does, what is there is multiplied by the n of the batch before over
    its own: then the gradients are a sum over all targets so far, divided by the last n. One batch costs nothing.

    Attributes:
        batches, count, total: how many batches there have been since the last update, their targets, and the sum of
            their losses.
        state: after the last batch.
    """

    def __init__(
        self, model: Trainable, optimizer: Optimizer, settings: Settings, ranks: Ranks | None = None
    ):
        self._model, self._optimizer, self._settings = model, optimizer, settings
        self._ranks = Ranks() if ranks is None else ranks
        self._only = optimizer.only if optimizer.frozen_of(model) else nullcontext
        self.state: Any = None
        self.begin()

    def begin(self) -> None:
        """Begin to collect anew."""
        self.batches, self.count, self.total = 0, 0.0, 0.0
        self._divided = 0.0  # what the gradients are divided by

    def add(self, batch: Batch | None, state: Any, check: Check, number: int) -> float:
        """Add the gradients of a batch; of None there are none. `check` gets its loss, the batch and its number, before
        there are any."""
        if not self.batches:
            self._model.zero_grad()
        if batch is None:
            self.state = None
            self.batches += 1
            return 0.0
        with self._only():
            step = self._model.loss(batch, state)
            value = float(step.value)
            check(value, batch, number)
            assert step.backward is not None
            if step.count and self._divided:
                self._multiply(self._divided / step.count)
            step.backward()
        self._divided = step.count or self._divided
        self.state = step.state
        self.batches += 1
        self.count += step.count
        self.total += value * step.count
        return value

    def finish(self, stops: bool = False) -> float:
        """Make the gradients those of the mean over all targets, of all processes. `stops`: whether this one wants to
        stop after the update.

        Returns:
            Their joint norm.
        """
        with self._ranks.together():
            self.count, self.total = self._ranks.joined(
                self.count, self.total, mark=STOPS if stops else GOES_ON
            )
            if self.count:
                self._multiply(self._divided / self.count)
            if self._ranks.size > 1:
                self._ranks.add_up(self._model.grads)
        return self._optimizer.norm()

    def apply(self, norm: float) -> None:
        """Clip the gradients, whose joint norm is `norm`, and let the optimiser change the parameters."""
        clip_norm, clip = self._settings.clip_norm, self._settings.clip
        if clip is not None:
            clip_value(self._model, clip)
            norm = self._optimizer.norm()
        scale = 1.0
        if clip_norm is not None and norm > clip_norm:
            scale = clip_norm / norm
        self._optimizer.step(scale)

    def _multiply(self, factor: float) -> None:
        if factor != 1:
            for grad in self._model.grads.values():
                np.multiply(grad, grad.dtype.type(factor), out=grad)


def optimizer_of(
    optimizer: Any, model: Trainable, rate: Any, weight_decay: Any, groups: Any, frozen: Any
) -> Optimizer:
    """The optimiser of this name, or this one, which must be of the model."""
    if isinstance(optimizer, str):
        return make_optimizer(optimizer, model, rate, weight_decay, groups, frozen)
    if not isinstance(optimizer, Optimizer):
        raise ValueError(f"optimizer: expected a name or an Optimizer, got {_check.describe(optimizer)}")
    given = {"learning_rate": rate, "weight_decay": weight_decay, "groups": groups, "frozen": frozen or None}
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"{name}: expected none beside an Optimizer, which has its own, got {_check.describe(value)}"
            )
    optimizer.expect_of(model)
    return optimizer
