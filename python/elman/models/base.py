"""What all models share: a loss to train on, predictions in the order of the data, one file to save to."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .. import _check
from .._extras import need
from ..layers.parameters import Composite
from ..train.data import Batch, Sequences
from ..train.losses import Loss


@dataclass(frozen=True)
class Step:
    """The loss over a batch: its mean over `count` targets, the state after it, and `backward()`, which adds to the
    gradients (None where they are not wanted)."""

    value: float
    count: int
    state: Any
    backward: Callable[[], Any] | None


class Model(Composite):
    """A composition of layers that knows its loss.

    Attributes:
        config: the constructor's arguments, as JSON can hold them.
        notes: anything JSON can hold that belongs to the model (class names, a vocabulary, scales); it is saved
            with it.
    """

    _kinds: ClassVar[dict[str, type[Model]]] = {}
    config: dict[str, Any]
    notes: dict[str, Any]

    def __init_subclass__(cls) -> None:
        Model._kinds[cls.__name__] = cls

    def _describe(self, **config: Any) -> None:
        if "dtype" in config:
            config["dtype"] = np.dtype(config["dtype"]).name
        config.pop("seed", None)
        plain = {
            name: value.item() if isinstance(value, np.generic) else value for name, value in config.items()
        }
        self.config, self.notes = plain, {}

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.config.items())})"
        )

    # What a model defines. `train` asks for what backward needs, and for dropout.

    def run(self, batch: Batch, state: Any = None, train: bool = False) -> tuple[Any, Any, Any]:
        """(prediction, state, backward): `backward(d_prediction)` adds to the gradients; None without `train`."""
        raise NotImplementedError

    def criterion(self, prediction: Any, batch: Batch, gradient: bool) -> Loss:
        """The loss of a prediction against the batch's targets."""
        raise NotImplementedError

    # What follows from that.

    def loss(self, batch: Batch, state: Any = None, train: bool = True) -> Step:
        """The loss over a batch, as `fit` uses it."""
        batch.targets()
        prediction, state, backward = self.run(batch, state, train)
        loss = self.criterion(prediction, batch, gradient=train)
        if backward is None:
            return Step(loss.value, loss.count, state, None)
        return Step(loss.value, loss.count, state, lambda: backward(loss.gradient))

    def _batches(self, x: Any, batch_size: int, future: Any = None) -> Iterator[Batch]:
        return Sequences(x, future=future).batches(_check.whole_number("batch_size", batch_size, 1))

    def _predict_rows(self, x: Any, batch_size: int, future: Any = None) -> np.ndarray:
        """Predictions with one row for each sequence, in the order of x."""
        rows: np.ndarray | None = None
        for batch in self._batches(x, batch_size, future):
            prediction = self.run(batch)[0]
            if rows is None:
                rows = np.empty((len(x), *prediction.shape[1:]), prediction.dtype)
            rows[batch.index] = prediction
        assert rows is not None
        return rows

    def _predict_steps(self, x: Any, batch_size: int) -> list[np.ndarray]:
        """Predictions [t_i, ...] for each step of each sequence, in the order of x."""
        found: list[Any] = [None] * len(x)
        for batch in self._batches(x, batch_size):
            prediction = self.run(batch)[0]
            for b, i in enumerate(batch.index):
                end = len(prediction) if batch.lengths is None else batch.lengths[b]
                found[i] = prediction[:end, b]
        return found

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write parameters, constructor arguments and notes to one safetensors file (extra: save).

        Raises:
            ValueError: an argument or a note is not what JSON can hold.
        """
        numpy = need("safetensors.numpy", "save", "saving a model")
        content = {"model": type(self).__name__, "config": self.config, "notes": self.notes}
        try:
            text = json.dumps(content)
        except TypeError as error:
            raise ValueError(f"notes: expected what JSON can hold, got: {error}") from error
        numpy.save_file(self.parameters, path, {"elman": text})


def load(path: str | os.PathLike[str]) -> Any:
    """The model that `save` wrote to `path` (extra: save).

    Raises:
        ValueError: the file was not written by a model's `save`.
    """
    safetensors = need("safetensors", "save", "loading a model")
    with safetensors.safe_open(path, framework="numpy") as file:
        content = json.loads((file.metadata() or {}).get("elman", "{}"))
        parameters = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if content.get("model") not in Model._kinds:
        raise ValueError(f"path: expected a file written by a model's save(), got {os.fspath(path)!r}")
    model = Model._kinds[content["model"]](**content["config"])
    model.load_state_dict(parameters)
    model.notes = content["notes"]
    return model
