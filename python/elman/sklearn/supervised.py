"""A classifier and a regressor of sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from .. import _check
from ..models import SequenceClassifier, SequenceRegressor
from ..sequence import Standardizer
from ..train import Sequences
from .base import RecurrentEstimator, narrow, numbers


def _needed(y: Any) -> Any:
    if y is None:
        raise ValueError(
            "y: expected targets; this estimator requires y to be passed, but the target y is None"
        )
    return y


class RecurrentClassifier(ClassifierMixin, RecurrentEstimator):
    __doc__ = "Classifies sequences with a recurrent network.\n\n    classes_: the labels, sorted.\n    " + (
        RecurrentEstimator.__doc__ or ""
    )

    def fit(self, X: Any, y: Any) -> RecurrentClassifier:
        """Train a new network on X with labels y [n]."""
        sequences = self._sequences(X, reset=True)
        labels = self._labels(sequences, y)
        self.classes_ = np.unique(labels)
        seed = self._make(sequences)
        self._train(self._data(sequences, labels), seed)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> RecurrentClassifier:
        """Train for one more epoch, on these sequences alone; `classes` names all labels there will be, in the first
        call."""
        first = not hasattr(self, "model_")
        sequences = self._sequences(X, reset=first)
        labels = self._labels(sequences, y)
        if first:
            self.classes_ = np.unique(labels if classes is None else classes)
            self._make(sequences)
        self._train_epoch(self._data(sequences, labels))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities [n, classes], in the order of `classes_`."""
        x = self._ready(X)
        return self.model_.predict_proba(x)

    def predict(self, X: Any) -> np.ndarray:
        """Labels [n]."""
        x = self._ready(X)
        return self.classes_[self.model_.predict(x)]

    def _labels(self, sequences: Any, y: Any) -> np.ndarray:
        labels = column_or_1d(numbers("y", _needed(y)), warn=True)
        check_classification_targets(labels)
        check_consistent_length(sequences, labels)
        return labels

    def _make(self, sequences: Any) -> int:
        if len(self.classes_) < 2:
            raise ValueError(f"y: expected at least 2 classes, got 1 class: {self.classes_[0]}")
        self._fit_scale(sequences)
        seed = self._seed()
        options = self._network_options() | {"pooling": self.pooling, "input_size": self._size, "seed": seed}
        self._begin(SequenceClassifier(len(self.classes_), **options), seed)
        return seed

    def _data(self, sequences: Any, labels: np.ndarray) -> Sequences:
        unknown = np.setdiff1d(labels, self.classes_)
        if unknown.size:
            raise ValueError(f"y: expected labels among {list(self.classes_)}, got {list(unknown)}")
        return Sequences(self._scaled(sequences), np.searchsorted(self.classes_, labels))


class RecurrentRegressor(RegressorMixin, RecurrentEstimator):
    __doc__ = "Predicts numbers from sequences with a recurrent network.\n    " + (
        RecurrentEstimator.__doc__ or ""
    )

    def fit(self, X: Any, y: Any) -> RecurrentRegressor:
        """Train a new network on X with targets y, [n] or [n, outputs]."""
        sequences, targets = self._checked(X, y, reset=True)
        seed = self._make(sequences, targets)
        self._train(self._data(sequences, targets), seed)
        return self

    def partial_fit(self, X: Any, y: Any) -> RecurrentRegressor:
        """Train for one more epoch, on these sequences alone. The scales are those of the first call."""
        first = not hasattr(self, "model_")
        sequences, targets = self._checked(X, y, reset=first)
        if first:
            self._make(sequences, targets)
        self._train_epoch(self._data(sequences, targets))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """[n], or [n, outputs] if y was so."""
        x = self._ready(X)
        values = self.model_.predict(x).astype(np.float64)
        if self._target_scaler is not None:
            values = self._target_scaler.inverse_transform(values)
        return values[:, 0] if self._flat else values

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

    def _make(self, sequences: Any, targets: np.ndarray) -> int:
        self._fit_scale(sequences)
        self._target_scaler = Standardizer().fit(targets) if self.scale else None
        seed = self._seed()
        options = self._network_options() | {"pooling": self.pooling, "input_size": self._size, "seed": seed}
        self._begin(SequenceRegressor(targets.shape[1], **options), seed)
        return seed

    def _data(self, sequences: Any, targets: np.ndarray) -> Sequences:
        if self._target_scaler is not None:
            targets = self._target_scaler.transform(targets)
        return Sequences(self._scaled(sequences), narrow("y", targets))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
