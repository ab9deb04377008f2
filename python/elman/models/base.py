"""What all models share: a loss to train on, predictions in the order of the data, and a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from .. import _check, files
from .._plain import plain
from ..data import Batch, Data, NamedSequences, Sequences, Stream, Vocabulary
from ..data.intake import in_file
from ..layers import arguments, kinds
from ..layers.parameters import Composite, Parameters, constructs
from ..losses import Loss
from ..losses.outcome import Outcome
from ..sequence.marks import whole_lengths
from ..tracing.definition import CellDefinition
from .network import OPTIONS, Network, cell_of, network
from .noted import expect_noted, noting
from .reading import all_targets, cast, expect_steps, expect_x, known_targets, read_x


@dataclass(frozen=True)
class Step:
    """The loss over a batch.

    Attributes:
        value: its mean over the targets.
        count: how many targets there were; with weights their sum.
        state: after the batch, for one that goes on from it.
        backward: a function without arguments that adds to the gradients; None if they are not wanted.
        outcome: a function of whether scores are wanted, which gives what metrics are of; None with gradients.
    """

    value: float
    count: float
    state: Any
    backward: Callable[[], Any] | None
    outcome: Callable[[bool], Any] | None = None


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
        vocabulary, target_vocabulary: of the texts that the model reads and gives, if it was made with one.
        by_steps: whether there is a target for each step of x.
        predicts: "classes" or "numbers", of which there are metrics; "" for anything else. Of a model of several
            outputs a dict of these by name.
    """

    # Arguments that may come in several words: the constructor itself keeps one of them in `config`, by `_word`.
    _own_words: ClassVar[tuple[str, ...]] = ("cell",)
    _worded: Set[str] = frozenset()  # those of them that this model was given
    _seed: Any = None  # the seed that was given, if it was a whole number
    config: dict[str, Any]
    notes: dict[str, Any]
    vocabulary: Vocabulary | None = None
    target_vocabulary: Vocabulary | None = None
    predicts: str | Mapping[str, str] = ""
    by_steps: bool = False
    _reader: Network | None = None  # what reads x, if it is known

    def _keep(self, bound: Mapping[str, Any]) -> None:
        kind: Any = type(self)
        given = arguments.flat(kind, bound).keys()
        # What a derived class gives to the constructors of elman's is not an argument, and its own mean what it says.
        named = () if kinds.is_ours(kind) else arguments.taken_by(kind)
        self._worded = {name for name in self._own_words if name in given and name not in named}
        self.config, self.notes = arguments.saved(kind, bound, self._worded), {}
        seed = arguments.flat(type(self), bound).get("seed")
        self._seed = int(seed) if isinstance(seed, (int, np.integer)) else None

    def _word(self, name: str, value: Any) -> None:
        """Keep an argument of `_own_words` in the constructor's words."""
        if name in self._worded:
            self.config[name] = value

    def _config(self) -> dict[str, Any]:
        return self.config if constructs(type(self)) else super()._config()

    def _network(self, outputs: int | None, pooling: str | None, options: dict[str, Any]) -> Network:
        """The network that reads x, of the options that were given to the model.

        Raises:
            TypeError: there is no such option.
        """
        kind: Any = type(self)
        taken = arguments.taken_by(kind)
        arguments.refuse_unknown(kind.__name__, options, [*taken, *OPTIONS])
        if "cell" in options:
            self._word("cell", plain("cell", cell_of(options["cell"])))
        self._reader = network(outputs, pooling, **options)
        return self._reader

    def __repr__(self) -> str:
        shown = dict(self.config)
        for name, value in shown.items():
            if isinstance(value, dict) and "words" in value:  # of a Vocabulary, as files have it
                shown[name] = Vocabulary(**value)
            if isinstance(value, dict) and CellDefinition.tag in value:
                shown[name] = CellDefinition.from_data(value[CellDefinition.tag])
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    # What a model defines.

    def flow(self, batch: Batch, state: Any = None, keep: bool = False) -> tuple[Any, Any, Any]:
        """How the batch flows through the layers, in training and in inference.

        Args:
            batch: what the model reads, as `read` gives it.
            state: of the layers before the batch, if it goes on from the one before; None for zeros.
            keep: whether to keep what the gradients need, with dropout at work. Layers take it on:
                `layer.apply(..., keep=keep)`.

        Returns:
            (prediction, state, backward): `backward(d_prediction)` adds to the gradients; it is called only after
            `keep`.

        Raises:
            ValueError: the batch does not fit the model.
        """
        raise NotImplementedError

    def criterion(self, prediction: Any, batch: Batch, gradient: bool) -> Loss:
        """The loss of a prediction against the targets of `batch`; without `gradient` its value alone.

        Raises:
            ValueError: the targets do not fit.
        """
        raise NotImplementedError

    def outcome(self, prediction: Any, batch: Batch, scores: bool) -> Outcome | dict[str, Outcome]:
        """What was true and what was predicted, for metrics; of a model that says what it `predicts`.

        Args:
            prediction: [B, ...] or [T, B, ...], as `flow` gives it.
            batch: the Batch it is of, as `read` gives it.
            scores: whether the probabilities of classes are wanted.

        Returns:
            An `elman.train.Outcome` of the targets that count. Of a model of several outputs a dict of these by name.

        Raises:
            NotImplementedError: the model has none.
        """
        raise NotImplementedError

    # What follows from that.

    def loss(self, batch: Batch, state: Any = None, train: bool = True) -> Step:
        """The loss over a batch that goes on from `state`, as `fit` uses it; with `train` what backward needs is kept,
        and dropout is at work."""
        batch.targets()
        batch = noting(self.read(batch))
        prediction, state, backward = self.flow(batch, state, keep=train)
        loss = self.criterion(prediction, batch, gradient=train)
        expect_noted(batch, type(self).__name__)
        if not train:
            return Step(loss.value, loss.count, state, None, partial(self._outcome, prediction, batch))
        return Step(loss.value, loss.count, state, lambda: backward(loss.gradient))

    def _outcome(self, prediction: Any, batch: Batch, scores: bool) -> Outcome | dict[str, Outcome]:
        found = self.outcome(prediction, batch, scores)
        if batch.weights is not None and isinstance(found, Outcome) and found.weights is None:
            raise ValueError(
                f"weights: expected an outcome with weights, as the batch has some, got none of {type(self).__name__}"
            )
        return found

    def read(self, batch: Batch) -> Batch:
        """The batch as the layers and the loss take it: features in the model's type, targets as numbers of classes,
        or shaped as the model has them. `loss` and predictions begin with it.

        Raises:
            ValueError: something does not fit.
        """
        dtype = self._dtype()
        x = read_x(batch, self._reader, dtype)
        future = None if batch.future is None else cast("future", batch.future, dtype)
        y = batch.y
        if y is not None:
            y = self._read_targets(y, known_targets(batch), _check.Described(y))
        return batch.but(x=x, future=future, y=y)

    def _read_targets(self, y: np.ndarray, known: np.ndarray | None, got: object) -> np.ndarray:
        """y [B, ...] as the criterion takes it. `known` [B, S]: what counts; `got`: what was given, in words."""
        return y

    def _dtype(self) -> np.dtype:
        """The type of what the layers compute with."""
        found = _some_parameter(self)
        return np.dtype(np.float32) if found is None else found.dtype

    @property
    def vocabularies(self) -> dict[str, Any]:
        """What makes tokens of texts, as `Sequences` takes them."""
        return {"vocabulary": self.vocabulary, "target_vocabulary": self.target_vocabulary}

    def expect_data(self, name: str, data: Data) -> None:
        """Refuse data that this model cannot learn from, before any work; the message begins with `name`.

        Raises:
            ValueError: x or y of `Sequences`, or y of a `Stream`, does not fit. Of other data each batch is looked at
                when it comes.
        """
        try:
            if isinstance(data, NamedSequences) and self._reader is not None:
                shown = f"inputs by name: {', '.join(data.x)}"
                raise ValueError(f"x: expected one input for {type(self).__name__}, got {shown}")
            if isinstance(data, Sequences):
                if self._reader is not None:
                    expect_x(data, self._reader)
                if data.y is not None:
                    self._read_targets(*all_targets(data.y, data.mask))
                    if self.by_steps:
                        expect_steps(data)
            elif isinstance(data, Stream) and not in_file(data.y):
                self._read_targets(data.y[None], None, _check.describe(data.y))
        except ValueError as error:
            raise ValueError(f"{name}: {error}" if name else str(error)) from error

    def _data(self, x: Any, future: Any = None, mask: Any = None) -> Sequences:
        """What to predict from."""
        data = Sequences(x, future=future, mask=mask, **self.vocabularies)
        self.expect_data("", data)
        return data

    def _predict_rows(self, data: Sequences, batch_size: int) -> np.ndarray:
        """Predictions with one row for each sequence, in the order of the data."""
        rows: np.ndarray | None = None
        for batch in data.batches(_check.whole_number("batch_size", batch_size, 1)):
            prediction = self.flow(self.read(batch))[0]
            if rows is None:
                rows = np.empty((len(data), *prediction.shape[1:]), prediction.dtype)
            rows[batch.index] = prediction
        assert rows is not None
        return rows

    def _predict_steps(self, data: Sequences, batch_size: int) -> list[np.ndarray]:
        """Predictions [t_i, ...] for each step of each sequence, in the order of the data; NaN at masked steps."""
        found: list[Any] = [None] * len(data)
        for batch in data.batches(_check.whole_number("batch_size", batch_size, 1)):
            prediction = self.flow(self.read(batch))[0]
            if batch.mask is not None:
                prediction[~batch.mask] = np.nan
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
            "config": self._config(),
            "notes": plain("notes", self.notes),
        }
        files.write(path, content, self.parameters, "saving a model")


def _some_parameter(part: Parameters) -> np.ndarray | None:
    """One of its parameters, without a look at all of them; None where there is none."""
    if not isinstance(part, Composite):
        return next(iter(part.parameters.values()), None)
    for inner in part.parts.values():
        found = _some_parameter(inner)
        if found is not None:
            return found
    return None
