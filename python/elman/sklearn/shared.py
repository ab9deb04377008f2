"""What a classifier and a regressor share."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._arrays import has_axes
from ..data.vocabulary import is_text
from ..models import Model
from ..sequence import Standardizer
from .base import RecurrentEstimator
from .files import Saved
from .tokens import known_tokens, vocabulary_of


def needed(y: Any) -> Any:
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

    def _take(self, model: Any) -> None:
        """Take the model of a file, which must read what the file says that it reads."""
        parts = model.network.parts
        reads = parts["embedding"].num_embeddings if self._by_tokens else parts["recurrent"].input_size
        if self._size != reads:
            raise ValueError(f"size: expected {reads}, which the model reads, got {self._size!r}")
        for name in ("by_steps", "multi_label"):  # no estimator makes such a model
            if getattr(model, name, False):
                raise ValueError(f"config: expected a model of one target for each sequence, got {model!r}")
        self.model_ = model
        model.notes |= self._learnt()

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
        if isinstance(self.vocabulary, dict) and "words" in self.vocabulary:  # a Vocabulary, as files have it
            self.vocabulary = self.vocabulary_
        self._scaler = scaler_of("scale", state.get("scale"), self._size)
        if state["features"] is not None:
            self.n_features_in_ = state["features"]
        if state["names"] is not None:
            self.feature_names_in_ = np.array(state["names"], object)


def _like_tokens(X: Any) -> bool:
    """Whether X is a list of lists of whole numbers."""
    if not isinstance(X, (list, tuple)) or not len(X) or not all(map(has_axes, X)):
        return False
    return all(np.ndim(x) == 1 and np.asarray(x).dtype.kind in "iu" and len(x) for x in X)


def scaler_of(name: str, plain: Any, features: int) -> Standardizer | None:
    """The scales that a file has under this name, of so many features."""
    if plain is None:
        return None
    try:
        return Standardizer.from_plain(plain, features)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
