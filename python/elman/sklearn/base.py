"""What the estimators share: their parameters and their training."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import _check
from .._arrays import columns
from ..models import Model
from ..models.reading import cast
from ..sequence import Standardizer
from ..train import Run, Sequences, Settings, fit, make_optimizer
from .intake import FLOAT32, WIDE, numbers, ragged


class RecurrentEstimator(BaseEstimator):
    """Parameters of every estimator here.

    Attributes:
        model_: the `elman.models` model.
        history_: the `elman.train.History`.
    """

    model_: Any
    history_: Any

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
    ):
        """Keep the parameters; `fit` looks at them.

        Args:
            cell: "lstm", "gru", "rnn", one of `elman.cells`, or your own (`elman.cell`).
            hidden_size, num_layers, heads, bidirectional, dropout, recurrent_dropout, checkpoint_every: of the
                recurrent layers.
            pooling: "last", "mean" or "max" over time.
            vocabulary: None: X are numbers. "learn": X are texts or lists of words, and `fit` makes an
                `elman.train.Vocabulary` of them (`vocabulary_`); or a dict of arguments of `Vocabulary.of`, to learn it
                with: {"min_count": 2, "split": "plain"}. Such a Vocabulary, for texts, lists of words, or their
                numbers. A whole number V: X are tokens 0 to V - 1.
            embedding_size: of a token's vector; hidden_size if None.
            epochs, batch_size, optimizer, learning_rate, weight_decay, clip_norm: of `elman.train.fit`.
            validation_fraction: share of the sequences set apart to choose the best epoch; 0: none.
            patience: epochs without a lower validation loss after which it stops; needs validation_fraction.
            scale: bring every feature (and a regressor's targets) to mean 0 and standard deviation 1, in float64.
                Without it they are cast to float32 as they are.
            verbose: show a progress bar.
            random_state: of initial weights, dropout, order and validation share: a whole number or a RandomState; None
                for a new one.
        """
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.heads = heads
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.checkpoint_every = checkpoint_every
        self.pooling = pooling
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.scale = scale
        self.verbose = verbose
        self.random_state = random_state
        self.vocabulary = vocabulary
        self.embedding_size = embedding_size

    def _network_options(self) -> dict[str, Any]:
        names = (
            "cell", "hidden_size", "num_layers", "heads", "bidirectional", "dropout", "recurrent_dropout",
            "checkpoint_every",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def _several(self, X: Any, reset: bool) -> list[np.ndarray] | None:
        """`ragged(X)`; DataFrames must have the columns of those given to `fit`, in their order."""
        found = ragged(X)
        names = None if found is None else columns("X", X, None if reset else getattr(self, "_columns", None))
        if reset:
            self._columns = names
        return found

    def _sequences(self, X: Any, reset: bool) -> Any:
        """X, checked, as [n, t, d], or as a list of [t_i, d]; float32 or float64. `reset`: X is that of `fit`."""
        found: Any = self._several(X, reset)
        if found is None:
            X = validate_data(self, numbers("X", X), dtype=WIDE, allow_nd=True, reset=reset)
            found = X[:, :, None] if X.ndim == 2 else X
            if found.ndim != 3 or found.shape[1] == 0:
                raise ValueError(
                    f"X: expected [n, t], [n, t, d] or a list of [t_i, d], got {_check.describe(X)}"
                )
        size = found[0].shape[-1]
        if reset:
            self._size = size
        elif size != self._size:
            raise ValueError(f"X: expected {self._size} features in a step, as in fit, got {size}")
        return found

    def _fit_scale(self, sequences: Any) -> None:
        # Whether to scale is decided here, once: set_params does not change a fitted estimator.
        self._scaler = Standardizer().fit(np.concatenate(list(sequences))) if self.scale else None

    def _to_scale(self, values: np.ndarray) -> np.ndarray:
        """[..., d] scaled, if the estimator scales, then as float32."""
        return cast("X", values if self._scaler is None else self._scaler.transform(values), FLOAT32)

    def _scaled(self, sequences: Any) -> Any:
        if isinstance(sequences, np.ndarray):
            return self._to_scale(sequences)
        return [self._to_scale(x) for x in sequences]

    def _begin(self, model: Model, seed: int) -> None:
        """Take a new model, with an optimiser for `partial_fit` to go on with."""
        self.model_ = model
        optimizer = make_optimizer(self.optimizer, model, self.learning_rate, self.weight_decay)
        self._run = Run(model, optimizer, Settings(clip_norm=self.clip_norm), seed)

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _apart(self, n: int, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Which of n sequences are trained on, and which are set apart for validation; None for none."""
        if not self.validation_fraction:
            return np.arange(n), None
        apart = max(1, round(n * _check.fraction("validation_fraction", self.validation_fraction)))
        if apart >= n:
            raise ValueError(f"validation_fraction: expected to leave sequences to train on, got {n} in all")
        order = np.random.default_rng(seed).permutation(n)
        return order[apart:], order[:apart]

    def _train(self, data: Sequences, train: np.ndarray, held: np.ndarray | None, seed: int) -> None:
        """A whole training run."""
        validation = None
        if held is not None:
            validation, data = data.subset(held), data.subset(train)
        self.history_ = fit(
            self.model_, data, validation, epochs=self.epochs, batch_size=self.batch_size,
            optimizer=self._run.optimizer, clip_norm=self.clip_norm, patience=self.patience, seed=seed,
            progress=self.verbose,
        )  # fmt: skip

    def _train_epoch(self, data: Sequences) -> None:
        """One more epoch."""
        if not hasattr(self, "_run"):
            raise ValueError("partial_fit: expected an estimator fitted in this program, got one from a file")
        self._run.settings.batch_size = self.batch_size
        for _ in self._run.train_epoch(data):
            pass
        self._run.end_epoch()
        self.history_ = self._run.history

    def _ready(self, X: Any) -> Any:
        """X for a fitted model to predict from."""
        check_is_fitted(self, "model_")
        return self._scaled(self._sequences(X, reset=False))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.non_deterministic = False
        return tags
