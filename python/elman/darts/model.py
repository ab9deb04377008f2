"""The model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from darts import TimeSeries

from .. import _check
from ..forecast import Series, SeriesForecaster
from .described import Described
from .paths import expect_covered, listed, parameters_of, paths, placed, said_of

LOSSES = {None: "squared", "gaussian": "gaussian", "quantile": "quantile"}


class RecurrentModel(Described):
    """elman's recurrent forecaster as a global forecasting model of darts.

    It takes one or several series, of any length and number of components; past, future and static covariates;
    encoders; and gaps (NaN). The future of a series beyond `output_chunk_length` is forecast from its own forecasts.

    Args:
        input_chunk_length: steps to read before each forecast.
        output_chunk_length: steps to predict at once.
        likelihood: None (numbers), "gaussian" or "quantile". With one of these, `num_samples` and
            `predict_likelihood_parameters` work; a single sample is the mean or median.
        quantiles: of the likelihood "quantile".
        scale: what targets are measured in, as for `elman.forecast.SeriesForecaster`: "all", "context", "last",
            "series" or None.
        residual, season, members: as for `elman.sklearn.RecurrentForecaster`.
        use_static_covariates: whether to read them, if there are any.
        cell, hidden_size, num_layers, dropout, recurrent_dropout: of the networks.
        n_epochs, batch_size, optimizer, learning_rate, weight_decay, clip_norm, patience: of their training.
        validation_fraction: share of the origins, the last in time, that chooses the best epoch.
        calibration_fraction: share of the origins, the last in time, on which the quantiles of the likelihood
            "quantile" are calibrated; they are not trained on.
        add_encoders: as for every model of darts.
        verbose: show a progress bar.
        random_state: of weights, order and samples.

    Raises:
        ValueError: an argument does not fit.
    """

    def __init__(
        self,
        input_chunk_length: int,
        output_chunk_length: int,
        *,
        likelihood: str | None = None,
        quantiles: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95),
        scale: str | None = "all",
        residual: str | None = None,
        season: int = 1,
        members: int = 1,
        use_static_covariates: bool = True,
        cell: str = "gru",
        hidden_size: int = 32,
        num_layers: int = 1,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        n_epochs: int = 20,
        batch_size: int = 32,
        optimizer: str = "adam",
        learning_rate: float = 0.005,
        weight_decay: float | None = None,
        clip_norm: float | None = 1.0,
        validation_fraction: float = 0.0,
        calibration_fraction: float = 0.0,
        patience: int | None = None,
        add_encoders: dict[str, Any] | None = None,
        verbose: bool = False,
        random_state: int | None = None,
    ):
        super().__init__(add_encoders=add_encoders)
        if likelihood not in LOSSES:
            raise ValueError(f"likelihood: expected None, 'gaussian' or 'quantile', got {likelihood!r}")
        if calibration_fraction and likelihood != "quantile":
            raise ValueError(
                f"calibration_fraction: expected likelihood='quantile' with it, got {likelihood!r}"
            )
        network = {
            "cell": cell, "hidden_size": hidden_size, "num_layers": num_layers, "dropout": dropout,
            "recurrent_dropout": recurrent_dropout, "loss": LOSSES[likelihood],
        }  # fmt: skip
        if likelihood == "quantile":
            network["quantiles"] = tuple(quantiles)
        self._new = SeriesForecaster(
            output_chunk_length, input_chunk_length, scale=scale, residual=residual, season=season, members=members,
            validation=validation_fraction, calibration=calibration_fraction, network=network,
            training={
                "epochs": n_epochs, "batch_size": batch_size, "optimizer": optimizer, "learning_rate": learning_rate,
                "weight_decay": weight_decay, "clip_norm": clip_norm, "patience": patience,
            },
        )  # fmt: skip
        self.input_chunk_length = self._new.contexts[0]
        self._kind, self._levels, self._verbose = likelihood, tuple(quantiles), verbose
        if random_state is not None:
            _check.whole_number("random_state", random_state, 0)
        self._random = np.random.default_rng(random_state)
        self._considers_static_covariates = use_static_covariates

    # Training.

    def fit(
        self,
        series: Any,
        past_covariates: Any = None,
        future_covariates: Any = None,
        verbose: bool | None = None,
    ) -> RecurrentModel:
        """Train a new network on every window of the series.

        Args:
            series: an object of darts, a TimeSeries, or several.
            past_covariates, future_covariates: None, or those of each series; missing steps are not known.
            verbose: show a progress bar.

        Returns:
            The model.

        Raises:
            ValueError: a series is too short, or static covariates are not numbers.
        """
        targets, past, future = listed(series), listed(past_covariates), listed(future_covariates)
        self.encoders = self.initialize_encoders()
        if self.encoders.encoding_available:
            past, future = self.generate_fit_encodings(
                series=targets, past_covariates=past, future_covariates=future
            )
        if self.supports_static_covariates and self.considers_static_covariates:
            self._verify_static_covariates(targets[0].static_covariates)
        super().fit(series, past_covariates, future_covariates, verbose)
        self._uses_past_covariates, self._uses_future_covariates = past is not None, future is not None
        for i, one in enumerate(targets):
            if len(one) < self.min_train_series_length:
                want = f"at least {self.min_train_series_length} steps"
                raise ValueError(f"series[{i}]: expected {want} to train on, got {len(one)}")
        found = [
            self._series(one, past and past[i], future and future[i], 0, f"series {i}")
            for i, one in enumerate(targets)
        ]
        seed = int(self._random.integers(2**31))
        self._core = self._new.fresh().fit(found, seed, self._verbose if verbose is None else verbose)
        return self

    def _series(self, target: Any, past: Any, future: Any, steps: int, name: Any = None) -> Series:
        """A series, and its covariates on its own steps and `steps` ahead."""
        fixed = target.static_covariates if self.uses_static_covariates else None
        return Series(
            target.values(copy=False).astype(np.float64),
            placed(target, past, len(target) + max(0, steps - self.output_chunk_length)),
            placed(target, future, len(target) + steps),
            np.zeros(0) if fixed is None else fixed.to_numpy(float).reshape(-1),
            name,
        )

    # Forecasts.

    def predict(
        self,
        n: int,
        series: Any = None,
        past_covariates: Any = None,
        future_covariates: Any = None,
        num_samples: int = 1,
        verbose: bool | None = None,
        predict_likelihood_parameters: bool = False,
        show_warnings: bool = True,
        random_state: int | None = None,
    ) -> Any:
        """The n steps after the end of each series (of `fit`'s, if there was one and none is given).

        Args:
            n: steps.
            series: an object of darts, a TimeSeries, or several; None: that of `fit`.
            past_covariates, future_covariates: None, or those of each, for its last `input_chunk_length` steps; future
                ones for n steps more, past ones for n - `output_chunk_length` more.
            num_samples: samples of the predicted distribution; 1: its mean or median.
            verbose: not used.
            predict_likelihood_parameters: mean and deviation, or quantiles, as components.
            show_warnings: warn where later steps need past covariates of the steps ahead.
            random_state: of the samples.

        Returns:
            A TimeSeries, or a list of them.

        Raises:
            ValueError: series or covariates are missing or too short, or there is no distribution to draw from.
        """
        series = self.training_series if series is None else series
        if series is None:
            raise ValueError(
                "series: expected a series, as the model was trained on several or saved without its own, got None"
            )
        single, targets = isinstance(series, TimeSeries), listed(series)
        past, future = self._covariates(n, targets, past_covariates, future_covariates)
        super().predict(
            n, targets, past, future, num_samples, verbose, predict_likelihood_parameters, show_warnings, random_state
        )  # fmt: skip
        if not self.uses_past_covariates:
            past = None
        if not self.uses_future_covariates:
            future = None
        found = [
            self._checked(i, one, past and past[i], future and future[i], n) for i, one in enumerate(targets)
        ]
        random = self._random if random_state is None else np.random.default_rng(random_state)
        if predict_likelihood_parameters:
            values = parameters_of(said_of(self._core, found))[:, :n]
        else:
            values = paths(self._core, found, n, num_samples, random)
        names = None
        if self.likelihood is not None and predict_likelihood_parameters:
            names = self.likelihood.component_names
        made = [
            self._build_forecast_series(
                points_preds=rows,
                input_series=one,
                custom_components=None if names is None else names(series=one),
                with_static_covs=names is None,
                with_hierarchy=names is None,
            )
            for rows, one in zip(values, targets, strict=True)
        ]
        return made[0] if single else made

    def _covariates(self, n: int, targets: list[Any], past: Any, future: Any) -> tuple[Any, Any]:
        """Past and future covariates of each series: those that are given, or else kept, and those of encoders."""
        stored = ((past, self.past_covariate_series), (future, self.future_covariate_series))
        past, future = (
            [kept] * len(targets) if given is None and kept is not None else listed(given)
            for given, kept in stored
        )
        if self.uses_static_covariates:
            self._verify_static_covariates(targets[0].static_covariates)
        if self.encoders is None or not self.encoders.encoding_available:
            return past, future
        return self.generate_predict_encodings(
            n=n, series=targets, past_covariates=past, future_covariates=future
        )

    def _checked(self, i: int, one: Any, past: Any, future: Any, n: int) -> Series:
        """The series to forecast from, which must be long enough, as must its covariates."""
        L, S = self.input_chunk_length, self.output_chunk_length
        if len(one) < L:
            raise ValueError(f"series[{i}]: expected at least {L} steps, got {len(one)}")
        expect_covered(f"past_covariates[{i}]", one, past, L, max(0, n - S))
        expect_covered(f"future_covariates[{i}]", one, future, L, n)
        return self._series(one, past, future, max(n, S))
