"""A forecaster of series."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import _check
from ..models import Forecaster
from ..sequence import sliding_windows
from ..train import Sequences
from .base import WIDE, RecurrentEstimator, numbers, ragged


class RecurrentForecaster(RecurrentEstimator):
    """Predicts the next steps of a series from the steps before.

    X is one series [n, d] (rows are steps, as TimeSeriesSplit cuts them), or a list of series [n_i, d].

    Args:
        horizon: steps to predict.
        context: steps to read before each forecast.

    Further arguments are those of every estimator of `elman.sklearn`, but `pooling`.
    """

    def __init__(
        self,
        *,
        horizon: int = 1,
        context: int = 24,
        cell: str = "gru",
        hidden_size: int = 32,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        epochs: int = 20,
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
    ):
        super().__init__(
            cell=cell, hidden_size=hidden_size, num_layers=num_layers, bidirectional=bidirectional,
            dropout=dropout, recurrent_dropout=recurrent_dropout, epochs=epochs, batch_size=batch_size,
            optimizer=optimizer, learning_rate=learning_rate, weight_decay=weight_decay, clip_norm=clip_norm,
            validation_fraction=validation_fraction, patience=patience, scale=scale, verbose=verbose,
            random_state=random_state,
        )  # fmt: skip
        self.horizon = horizon
        self.context = context

    def fit(self, X: Any, y: Any = None) -> RecurrentForecaster:
        """Train a new network on every window of the series; y is not used."""
        series = self._series(X, reset=True)
        self._fit_scale(series)
        seed = self._seed()
        model = Forecaster(
            self.horizon, targets=self._size, input_size=self._size, seed=seed, **self._network_options()
        )
        self._begin(model, seed)
        self._train(self._windows(series), seed)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> RecurrentForecaster:
        """Train for one more epoch, on these series alone; the first call is like `fit` with one epoch."""
        if not hasattr(self, "model_"):
            epochs, self.epochs = self.epochs, 1
            try:
                return self.fit(X)
            finally:
                self.epochs = epochs
        self._train_epoch(self._windows(self._series(X, reset=False)))
        return self

    def predict(self, X: Any) -> Any:
        """The `horizon` steps after the end of X: [horizon, d], for a list of series [n, horizon, d]."""
        check_is_fitted(self, "model_")
        series = self._series(X, reset=False)
        last = np.stack([self._to_scale(one[-self.context :]) for one in series])
        found = self.model_.predict(last).astype(np.float64)
        if self._scaler is not None:
            found = self._scaler.inverse_transform(found)
        return found if ragged(X) is not None else found[0]

    def score(self, X: Any, y: Any = None) -> float:
        """R^2 of the forecasts of every window in X."""
        check_is_fitted(self, "model_")
        windows = self._windows(self._series(X, reset=False))
        truth = np.asarray(windows.y).reshape(len(windows), -1)
        return float(r2_score(truth, self.model_.predict(windows.x).reshape(len(windows), -1)))

    def _series(self, X: Any, reset: bool) -> list[np.ndarray]:
        context = _check.whole_number("context", self.context, 1)
        horizon = _check.whole_number("horizon", self.horizon, 1)
        several = self._several(X, reset)
        series = several or [validate_data(self, numbers("X", X), dtype=WIDE, reset=reset)]
        size = series[0].shape[1]
        if reset:
            self._size = size
        least = context + horizon if reset else context
        for i, one in enumerate(series):
            if one.shape[1] != self._size or len(one) < least:
                want = f"[n, {self._size}] with at least {least} steps"
                raise ValueError(
                    f"X: expected series {want}, got {_check.describe(one)} as series {i} (n_samples = {len(one)})"
                )
        return series

    def _windows(self, series: list[np.ndarray]) -> Sequences:
        x, y = [], []
        for one in series:
            if len(one) < self.context + self.horizon:
                want = f"at least {self.context + self.horizon} steps"
                raise ValueError(f"X: expected series of {want}, got {_check.describe(one)}")
            scaled = self._to_scale(one)
            x.append(sliding_windows(scaled[: len(one) - self.horizon], self.context))
            y.append(sliding_windows(scaled[self.context :], self.horizon))
        if len(x) == 1:
            return Sequences(x[0], y[0])
        return Sequences(np.concatenate(x), np.concatenate(y))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = False
        return tags
