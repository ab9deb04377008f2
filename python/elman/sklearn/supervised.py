"""A classifier and a regressor of sequences."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from .. import _check
from .._arrays import has_axes
from .._plain import plain
from ..data.vocabulary import is_text
from ..models import Model, SequenceClassifier, SequenceRegressor
from ..models.reading import cast
from ..sequence import Standardizer
from ..train import Sequences
from .base import FLOAT32, RecurrentEstimator, numbers
from .files import Saved
from .tokens import known_tokens, vocabulary_of


def _needed(y: Any) -> Any:
    if y is None:
        raise ValueError(
            "y: expected targets; this estimator requires y to be passed, but the target y is None"
        )
    return y


class Supervised(Saved, RecurrentEstimator):
    """What a classifier and a regressor share: sequences of numbers or of tokens, and their files."""

    _size: int
    _scaler: Any

    def _sequences(self, X: Any, reset: bool) -> Any:
        """X, checked: numbers, or tokens where there is a vocabulary."""
        if reset:
            self.vocabulary_ = vocabulary_of(self.vocabulary, X)
            self._by_tokens = self.vocabulary is not None
        if not self._by_tokens:
            if is_text(X):
                raise ValueError("X: expected numbers, got texts; vocabulary='learn' reads them")
            if reset and _like_tokens(X):
                warnings.warn(
                    "X: lists of whole numbers are taken as one feature, which is scaled; if they are tokens, "
                    "vocabulary= says how many there are",
                    stacklevel=3,
                )
            return super()._sequences(X, reset)
        if reset:
            self._size = len(self.vocabulary_) if self.vocabulary_ else int(self.vocabulary)
        return known_tokens(X, self.vocabulary_, self._size)

    def _fit_scale(self, sequences: Any) -> None:
        if self._by_tokens:
            self._scaler = None
        else:
            super()._fit_scale(sequences)

    def _scaled(self, sequences: Any) -> Any:
        return sequences if self._by_tokens else super()._scaled(sequences)

    def _options(self, seed: int) -> dict[str, Any]:
        """Arguments of the model."""
        reads: dict[str, Any] = {"input_size": self._size}
        if self._by_tokens:
            reads = {"vocabulary": self.vocabulary_ or self._size, "embedding_size": self.embedding_size}
        return self._network_options() | reads | {"pooling": self.pooling, "seed": seed}

    def _begin(self, model: Model, seed: int) -> None:
        model.notes |= self._learnt()
        super()._begin(model, seed)

    def _learnt(self) -> dict[str, Any]:
        """What belongs to the model beside its parameters; its notes have it too: [mean, deviation] as "scale"."""
        return {} if self._scaler is None else {"scale": self._scaler.as_plain()}

    # Files.

    def state_dict(self) -> dict[str, np.ndarray]:
        """The arrays that it has learnt, by name."""
        return self.model_.state_dict()

    def load_state_dict(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Put back what `state_dict` gave."""
        self.model_.load_state_dict(arrays)

    def _state(self) -> dict[str, Any]:
        names = getattr(self, "feature_names_in_", None)
        return self._learnt() | {
            "config": self.model_.config, "size": self._size, "columns": getattr(self, "_columns", None),
            "by_tokens": self._by_tokens, "vocabulary": self.vocabulary_,
            "features": getattr(self, "n_features_in_", None), "names": None if names is None else list(names),
        }  # fmt: skip

    def _restore(self, state: dict[str, Any]) -> None:
        self._size, self._columns, self._by_tokens = state["size"], state["columns"], state["by_tokens"]
        self.vocabulary_ = vocabulary_of(state["vocabulary"], None)
        if isinstance(self.vocabulary, dict):  # a Vocabulary, as files have it
            self.vocabulary = self.vocabulary_
        self._scaler = _scaler_of(state.get("scale"))
        if state["features"] is not None:
            self.n_features_in_ = state["features"]
        if state["names"] is not None:
            self.feature_names_in_ = np.array(state["names"], object)


def _like_tokens(X: Any) -> bool:
    """Whether X is a list of lists of whole numbers."""
    if not isinstance(X, (list, tuple)) or not len(X) or not all(map(has_axes, X)):
        return False
    return all(np.ndim(x) == 1 and np.asarray(x).dtype.kind in "iu" and len(x) for x in X)


def _scaler_of(plain: Any) -> Standardizer | None:
    return None if plain is None else Standardizer.from_plain(plain)


class RecurrentClassifier(ClassifierMixin, Supervised):
    """Classifies sequences with a recurrent network: a softmax over the pooled outputs of its layers.

    X is a list of arrays [t_i, d], an array [n, t, d], or [n, t] of one feature; or texts and tokens, with vocabulary=.

    Attributes:
        classes_: the labels, sorted.
        model_: the `elman.models.SequenceClassifier`.
        history_: the `elman.train.History`.
    """

    def fit(self, X: Any, y: Any) -> RecurrentClassifier:
        """Train a new network on X with labels y [n]."""
        sequences = self._sequences(X, reset=True)
        labels = self._labels(sequences, y)
        self.classes_ = np.unique(labels)
        seed = self._seed()
        train, held = self._apart(len(sequences), seed)
        self._make([sequences[i] for i in train], seed)
        self._train(self._data(sequences, labels), train, held, seed)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> RecurrentClassifier:
        """Train for one more epoch, on X with labels y [n] alone; `classes` names all labels there will be, in the
        first call."""
        first = not hasattr(self, "model_")
        sequences = self._sequences(X, reset=first)
        labels = self._labels(sequences, y)
        if first:
            self.classes_ = np.unique(labels if classes is None else classes)
            self._make(sequences, self._seed())
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
        return super()._state() | {"classes": self.classes_, "type": self.classes_.dtype.str}

    def _restore(self, state: dict[str, Any]) -> None:
        super()._restore(state)
        self.classes_ = np.array(state["classes"], state["type"])
        self.model_ = SequenceClassifier(**state["config"])
        self.model_.notes |= self._learnt()

    def _labels(self, sequences: Any, y: Any) -> np.ndarray:
        labels = column_or_1d(numbers("y", _needed(y)), warn=True)
        check_classification_targets(labels)
        check_consistent_length(sequences, labels)
        return labels

    def _make(self, sequences: Any, seed: int) -> None:
        """A new model, and the scales of these sequences."""
        if len(self.classes_) < 2:
            raise ValueError(f"y: expected at least 2 classes, got 1 class: {self.classes_[0]}")
        self._fit_scale(sequences)
        self._begin(SequenceClassifier(len(self.classes_), **self._options(seed)), seed)

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
        self._flat, self._target_scaler = state["flat"], _scaler_of(state.get("target_scale"))
        self.model_ = SequenceRegressor(**state["config"])
        self.model_.notes |= self._learnt()

    def _checked(self, X: Any, y: Any, reset: bool) -> tuple[Any, np.ndarray]:
        sequences = self._sequences(X, reset)
        y = check_array(numbers("y", _needed(y)), dtype=np.float64, ensure_2d=False, input_name="y")
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
