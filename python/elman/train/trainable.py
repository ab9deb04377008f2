"""What can be trained, and its loss over data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from ..data import Batch, Data, as_data
from .checkpoint import Arrays
from .ranks import Ranks


class Step(Protocol):
    """What a model's `loss` returns for a batch. For metrics it also has an `outcome`, as `elman.models` give it."""

    @property
    def value(self) -> float:
        """The mean loss over the targets that count."""

    @property
    def count(self) -> float:
        """How many targets count; where they have weights, the sum of these."""

    @property
    def state(self) -> Any:
        """The state after the batch, for one that goes on from it."""

    @property
    def backward(self) -> Callable[[], Any] | None:
        """A function that adds to the gradients; None where they are not wanted."""


class Trainable(Protocol):
    """What can be trained: any of elman's models, or a Composite of your own with a `loss` like theirs."""

    @property
    def parameters(self) -> Mapping[str, np.ndarray]:
        """The arrays that training changes, by name."""

    @property
    def grads(self) -> Mapping[str, np.ndarray]:
        """The gradient of each, by the same name."""

    def zero_grad(self) -> None:
        """Set every gradient to zero, in place."""

    def state_dict(self) -> Arrays:
        """Copies of the parameters.

        Returns:
            A dict of arrays by name.
        """

    def load_state_dict(self, state_dict: Arrays) -> None:
        """Copy parameters in.

        Args:
            state_dict: a dict of arrays by name.
        """

    def random_state(self) -> dict[str, Any]:
        """Where the random streams stand.

        Returns:
            A dict of what JSON can hold.
        """

    def set_random_state(self, state: dict[str, Any]) -> None:
        """Go on drawing from where `random_state` was taken.

        Args:
            state: what it gave.
        """

    def loss(self, batch: Batch, state: Any = None, train: bool = True) -> Step:
        """The loss over a batch.

        Args:
            batch: a Batch of the data.
            state: that after the batch before, for one that goes on from it; None: the beginning.
            train: whether gradients are wanted, with dropout at work.

        Returns:
            A Step.
        """


def data_for(model: Trainable, name: str, data: Any) -> Data:
    """What `fit` was given, as data: (x, y), Sequences, or another that gives batches.

    Raises:
        ValueError: it is none of these, or the model says that it does not suit.
    """
    found = as_data(name, data, **getattr(model, "vocabularies", {}))
    expect = getattr(model, "expect_data", None)
    if expect is not None:
        expect(name, found)
    return found


def begin(model: Trainable, train: Data) -> None:
    """Let the model look at the data once, as training on it begins."""
    look = getattr(model, "begin", None)
    if look is not None:
        look(train)


Check = Callable[[float, Batch, int], None]


def mean_loss(
    model: Trainable,
    data: Data,
    batch_size: int,
    check: Check | None = None,
    ranks: Ranks | None = None,
    told: Callable[[Step], Any] | None = None,
) -> float:
    """The model's mean loss over all targets of the data. `check` gets each batch's loss, the batch and its number;
    `told` each step. Of several processes each computes its share."""
    total, count, state = 0.0, 0.0, None
    for number, whole in enumerate(data.batches(batch_size)):
        batch = whole if ranks is None else ranks.share(whole)
        if batch is None:
            continue
        step = model.loss(batch, state if batch.continues else None, train=False)
        state = step.state
        value = float(step.value)
        if check is not None:
            check(value, batch, number)
        if told is not None:
            told(step)
        total += value * step.count
        count += step.count
    if ranks is not None:
        total, count = ranks.joined(total, count)
    return total / counted(count)


def counted(count: float) -> float:
    """`count`, if there is any.

    Raises:
        ValueError: no target counted, so that a loss of 0 would say nothing.
    """
    if not count:
        raise ValueError(
            "y: expected at least one target that counts, got none: all are unknown (NaN), ignored, masked, of "
            "weight 0 or beyond the lengths"
        )
    return count
