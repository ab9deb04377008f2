"""A classifier and a regressor of sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from .. import _check
from .._plain import plain
from ..data.intake import is_missing
from ..models import SequenceClassifier, SequenceRegressor
from ..models.reading import cast
from ..sequence import Standardizer
from ..train import Sequences
from .intake import FLOAT32, numbers
from .shared import Supervised, needed, scaler_of


class RecurrentClassifier(ClassifierMixin, Supervised):
    """Classifies sequences with a recurrent network: a softmax over the pooled outputs of its layers.

    X is a list of arrays [t_i, d], an array [n, t, d], or [n, t] of one feature; or texts and tokens, with vocabulary=.

    Attributes:
        classes_: the labels, sorted.
        model_: the `elman.models.SequenceClassifier`.
        history_: the `elman.train.History`.
    """

    def __init__(
        self,
        *,
        cell: str = "gru",
        hidden_size: int = 32,
        num_layers: int = 1,
        heads: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        checkpoint_every: int | None = None,
        pooling: str = "last",
        epochs: int = 50,
        batch_size: int = 32,
        optimizer: str = "adam",
        learning_rate: float = 0.005,
        weight_decay: float | None = None,
        clip_norm: float | None = 1.0,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        scale: bool = True,
        verbose: bool = False,
        random_state: Any = None,
        vocabulary: Any = None,
        embedding_size: int | None = None,
        class_weight: Any = None,
    ):
        """Keep the parameters; `fit` looks at them. They are those of every estimator, and one more.

        Args:
            cell, hidden_size, num_layers, heads, bidirectional: of the network.
            dropout, recurrent_dropout, checkpoint_every, pooling: of it, too.
            epochs, batch_size, optimizer, learning_rate, weight_decay, clip_norm: of `elman.train.fit`.
            validation_fraction, patience: what chooses the best epoch, as for `RecurrentRegressor`.
            scale, verbose: as for `RecurrentRegressor`.
            random_state: a whole number or a RandomState; None for a new one.
            vocabulary, embedding_size: of texts and tokens, as for `RecurrentRegressor`.
            class_weight: how much each class counts: "balanced" (all classes together alike), or a dict by label, where
                those that it does not name have 1. None: all sequences count alike.
        """
        super().__init__(
            cell=cell, hidden_size=hidden_size, num_layers=num_layers, heads=heads, bidirectional=bidirectional,
            dropout=dropout, recurrent_dropout=recurrent_dropout, checkpoint_every=checkpoint_every,
            pooling=pooling, epochs=epochs,
            batch_size=batch_size, optimizer=optimizer, learning_rate=learning_rate, weight_decay=weight_decay,
            clip_norm=clip_norm, validation_fraction=validation_fraction, patience=patience, scale=scale,
            verbose=verbose, random_state=random_state, vocabulary=vocabulary, embedding_size=embedding_size,
        )  # fmt: skip
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any) -> RecurrentClassifier:
        """Train a new network on X with labels y [n]."""
        sequences = self._sequences(X, reset=True)
        labels = self._labels(sequences, y)
        self.classes_ = np.unique(labels)
        seed = self._seed()
        train, held = self._apart(len(sequences), seed)
        self._make([sequences[i] for i in train], labels, seed)
        self._train(self._data(sequences, labels), train, held, seed)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> RecurrentClassifier:
        """Train for one more epoch, on X with labels y [n] alone; `classes` names all labels there will be, in the
        first call.

        Raises:
            ValueError: X or y does not fit, or class_weight is "balanced".
        """
        first = not hasattr(self, "model_")
        if first and isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight: expected a dict or None with partial_fit, which does not see all labels at once, got "
                f"{self.class_weight!r}"
            )
        sequences = self._sequences(X, reset=first)
        labels = self._labels(sequences, y)
        if first:
            self.classes_ = np.unique(labels if classes is None else classes)
            self._make(sequences, labels, self._seed())
        self._train_epoch(self._data(sequences, labels))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities [n, classes] for X, in the order of `classes_`."""
        x = self._ready(X)
        return self.model_.predict_proba(x)

    def predict(self, X: Any) -> np.ndarray:
        """Labels [n] for X."""
        x = self._ready(X)
        return self.classes_[self.model_.predict(x)]

    def _learnt(self) -> dict[str, Any]:
        try:
            return super()._learnt() | {"classes": plain("classes", self.classes_)}
        except ValueError:  # labels that no file can hold: `save` says so
            return super()._learnt()

    def _state(self) -> dict[str, Any]:
        found = super()._state() | {"classes": self.classes_, "type": self.classes_.dtype.str}
        if isinstance(self.class_weight, dict):  # its keys may be numbers, which those of JSON are not
            found["class_weight"] = list(self.class_weight.items())
        return found

    def _restore(self, state: dict[str, Any]) -> None:
        super()._restore(state)
        self.classes_ = np.array(state["classes"], state["type"])
        if "class_weight" in state:
            self.class_weight = dict(state["class_weight"])
        model = SequenceClassifier._from_config(state["config"])
        if self.classes_.shape != (model.labels.count,):
            raise ValueError(
                f"classes: expected [{model.labels.count}], got {_check.describe(self.classes_)}"
            )
        self._take(model)

    def _labels(self, sequences: Any, y: Any) -> np.ndarray:
        labels = column_or_1d(numbers("y", needed(y)), warn=True)
        if labels.dtype == object:
            missing = [i for i, label in enumerate(labels) if is_missing(label)]
            if missing:
                raise ValueError(
                    f"y[{missing[0]}]: expected a label, got {_check.describe(labels[missing[0]])}"
                )
        check_classification_targets(labels)
        check_consistent_length(sequences, labels)
        return labels

    def _class_weight(self, labels: np.ndarray) -> list[float] | None:
        if self.class_weight is None:
            return None
        if not isinstance(self.class_weight, dict):
            _check.choice("class_weight", self.class_weight, ("balanced",))
        try:
            return compute_class_weight(self.class_weight, classes=self.classes_, y=labels).tolist()
        except ValueError as error:
            raise ValueError(f"class_weight: {error}") from error

    def _make(self, sequences: Any, labels: np.ndarray, seed: int) -> None:
        """A new model, and the scales of these sequences; the weights of classes are those of all labels."""
        if len(self.classes_) < 2:
            raise ValueError(f"y: expected at least 2 classes, got 1 class: {self.classes_[0]}")
        self._fit_scale(sequences)
        options = self._options(seed) | {"class_weight": self._class_weight(labels)}
        self._begin(SequenceClassifier(len(self.classes_), **options), seed)

    def _data(self, sequences: Any, labels: np.ndarray) -> Sequences:
        unknown = np.setdiff1d(labels, self.classes_)
        if unknown.size:
            raise ValueError(f"y: expected labels among {list(self.classes_)}, got {list(unknown)}")
        return Sequences(self._scaled(sequences), np.searchsorted(self.classes_, labels))


class RecurrentRegressor(RegressorMixin, Supervised):
    """Predicts numbers from sequences with a recurrent network, by least squares.

    X is a list of arrays [t_i, d], an array [n, t, d], or [n, t] of one feature; or texts and tokens, with vocabulary=.

    Attributes:
        model_: the `elman.models.SequenceRegressor`.
        history_: the `elman.train.History`.
    """

    def fit(self, X: Any, y: Any) -> RecurrentRegressor:
        """Train a new network on X with targets y, [n] or [n, outputs]."""
        sequences, targets = self._checked(X, y, reset=True)
        seed = self._seed()
        train, held = self._apart(len(sequences), seed)
        self._make([sequences[i] for i in train], targets[train], seed)
        self._train(self._data(sequences, targets), train, held, seed)
        return self

    def partial_fit(self, X: Any, y: Any) -> RecurrentRegressor:
        """Train for one more epoch, on X with targets y alone. The scales are those of the first call."""
        first = not hasattr(self, "model_")
        sequences, targets = self._checked(X, y, reset=first)
        if first:
            self._make(sequences, targets, self._seed())
        self._train_epoch(self._data(sequences, targets))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Numbers [n] for X, or [n, outputs] if y was so."""
        x = self._ready(X)
        values = self.model_.predict(x).astype(np.float64)
        if self._target_scaler is not None:
            values = self._target_scaler.inverse_transform(values)
        return values[:, 0] if self._flat else values

    def _learnt(self) -> dict[str, Any]:
        found = super()._learnt() | {"flat": self._flat}
        if self._target_scaler is not None:
            found["target_scale"] = self._target_scaler.as_plain()
        return found

    def _restore(self, state: dict[str, Any]) -> None:
        super()._restore(state)
        model = SequenceRegressor._from_config(state["config"])
        self._flat = _check.flag("flat", state["flat"])
        if self._flat and model.outputs != 1:
            raise ValueError(f"flat: expected False of a model with {model.outputs} outputs, got True")
        self._target_scaler = scaler_of("target_scale", state.get("target_scale"), model.outputs)
        self._take(model)

    def _checked(self, X: Any, y: Any, reset: bool) -> tuple[Any, np.ndarray]:
        sequences = self._sequences(X, reset)
        y = check_array(numbers("y", needed(y)), dtype=np.float64, ensure_2d=False, input_name="y")
        if y.ndim > 1 and y.shape[1] == 1 and reset:
            y = column_or_1d(y, warn=True)
        check_consistent_length(sequences, y)
        targets = y[:, None] if y.ndim == 1 else y
        if reset:
            self._flat = y.ndim == 1
        elif targets.shape[1] != self.model_.outputs:
            raise ValueError(f"y: expected [n, {self.model_.outputs}], got {_check.describe(y)}")
        return sequences, targets

    def _make(self, sequences: Any, targets: np.ndarray, seed: int) -> None:
        """A new model, and the scales of these sequences and targets."""
        self._fit_scale(sequences)
        self._target_scaler = Standardizer().fit(targets) if self.scale else None
        self._begin(SequenceRegressor(targets.shape[1], **self._options(seed)), seed)

    def _data(self, sequences: Any, targets: np.ndarray) -> Sequences:
        if self._target_scaler is not None:
            targets = self._target_scaler.transform(targets)
        return Sequences(self._scaled(sequences), cast("y", targets, FLOAT32))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
