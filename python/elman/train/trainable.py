"""What can be trained, and its loss over data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from ..data import Batch, Data, as_data
from .checkpoint import Arrays
from .ranks import Ranks


class Step(Protocol):
    """What a model's `loss` returns: its mean over `count` targets, the state after the batch, and `backward()`, which
    adds to the gradients (None where they are not wanted). Where targets have weights, `count` is the sum of them."""

    @property
    def value(self) -> float: ...
    @property
    def count(self) -> float: ...
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


def data_for(model: Trainable, name: str, data: Any, begin: bool = False) -> Data:
    """What `fit` was given, as data: (x, y), Sequences, or another that gives batches. With `begin` the model may look
    at it once, as training on it begins.

    Raises:
        ValueError: it is none of these, or the model says that it does not suit.
    """
    found = as_data(name, data, getattr(model, "vocabulary", None))
    expect = getattr(model, "expect_data", None)
    if expect is not None:
        expect(name, found)
    look = getattr(model, "begin", None)
    if begin and look is not None:
        look(found)
    return found


Check = Callable[[float, Batch, int], None]


def mean_loss(
    model: Trainable, data: Data, batch_size: int, check: Check | None = None, ranks: Ranks | None = None
) -> float:
    """The model's mean loss over all targets of the data. `check` gets each batch's loss, the batch and its number. Of
    several processes each computes its share."""
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
            "y: expected at least one target that counts, got none: all are NaN or beyond the lengths"
        )
    return count
