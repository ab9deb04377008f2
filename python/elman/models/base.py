"""What all models share: a loss to train on, predictions in the order of the data, and a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check, files
from .._plain import plain
from ..data import Batch, Sequences
from ..layers import arguments, kinds
from ..layers.parameters import Composite
from ..losses import Loss
from ..sequence.marks import whole_lengths


@dataclass(frozen=True)
class Step:
    """The loss over a batch: its mean over `count` targets, the state after the batch, and `backward()`, which adds to
    the gradients (None if they are not wanted)."""

    value: float
    count: int
    state: Any
    backward: Callable[[], Any] | None


class Model(Composite):
    """A composition of layers that knows its loss.

    Its file keeps the arguments of its constructor, so they must be what JSON can hold, or types of numbers; NumPy's
    numbers and arrays become numbers and lists. An argument that cannot be kept is refused before the constructor runs,
    unless the class names it in `unsaved`; such a one needs a default, which a loaded model has.

    Attributes:
        config: the arguments that are kept: all but those of `unsaved`, and but the seed.
        notes: a dict of what belongs to the model (class names, a vocabulary, scales). It is saved with the model, so
            it must be what JSON can hold. NumPy's numbers and arrays come back as numbers and lists, and tuples as
            lists. Keys must be text.
    """

    _seed: Any = None  # the seed that was given, if it was a whole number
    config: dict[str, Any]
    notes: dict[str, Any]

    def _keep(self, bound: Mapping[str, Any]) -> None:
        self.config, self.notes = arguments.saved(type(self), bound), {}
        seed = arguments.flat(type(self), bound).get("seed")
        self._seed = int(seed) if isinstance(seed, (int, np.integer)) else None

    def _config(self) -> dict[str, Any]:
        return self.config

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.config.items())})"
        )

    # What a model defines.

    def flow(self, batch: Batch, state: Any = None, keep: bool = False) -> tuple[Any, Any, Any]:
        """(prediction, state, backward): how the batch flows through the layers, in training and in inference.

        Args:
            keep: whether to keep what the gradients need, with dropout at work. Layers take it on:
                `layer.apply(..., keep=keep)`.

        `backward(d_prediction)` adds to the gradients. It is called only after `keep`.
        """
        raise NotImplementedError

    def criterion(self, prediction: Any, batch: Batch, gradient: bool) -> Loss:
        """The loss of a prediction against the batch's targets."""
        raise NotImplementedError

    # What follows from that.

    def loss(self, batch: Batch, state: Any = None, train: bool = True) -> Step:
        """The loss over a batch, as `fit` uses it."""
        batch.targets()
        prediction, state, backward = self.flow(batch, state, keep=train)
        loss = self.criterion(prediction, batch, gradient=train)
        if not train:
            return Step(loss.value, loss.count, state, None)
        return Step(loss.value, loss.count, state, lambda: backward(loss.gradient))

    def _batches(self, x: Any, batch_size: int, future: Any = None) -> Iterator[Batch]:
        return Sequences(x, future=future).batches(_check.whole_number("batch_size", batch_size, 1))

    def _predict_rows(self, x: Any, batch_size: int, future: Any = None) -> np.ndarray:
        """Predictions with one row for each sequence, in the order of x."""
        rows: np.ndarray | None = None
        for batch in self._batches(x, batch_size, future):
            prediction = self.flow(batch)[0]
            if rows is None:
                rows = np.empty((len(x), *prediction.shape[1:]), prediction.dtype)
            rows[batch.index] = prediction
        assert rows is not None
        return rows

    def _predict_steps(self, x: Any, batch_size: int) -> list[np.ndarray]:
        """Predictions [t_i, ...] for each step of each sequence, in the order of x."""
        found: list[Any] = [None] * len(x)
        for batch in self._batches(x, batch_size):
            prediction = self.flow(batch)[0]
            ends = whole_lengths("lengths", batch.lengths, len(prediction), batch.size)
            for b, i in enumerate(batch.index):
                found[i] = prediction[: ends[b], b]
        return found

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write parameters, constructor arguments and notes to one safetensors file (extra: save).

        Raises:
            ValueError: notes are not a dict of what JSON can hold.
        """
        if not isinstance(self.notes, dict):
            raise ValueError(f"notes: expected a dict, got {_check.describe(self.notes)}")
        content = {
            "model": kinds.name_of(type(self)),
            "config": self.config,
            "notes": plain("notes", self.notes),
        }
        files.write(path, content, self.parameters, "saving a model")
