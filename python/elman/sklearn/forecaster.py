"""A forecaster of series."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from .. import _check
from ..forecast import Backtest, backtest
from ..forecast.tables import forecast_frame
from .intake import ragged
from .series import SeriesEstimator


class RecurrentForecaster(SeriesEstimator):
    """Predicts the next steps of series from the steps before.

    X is one series [n, d] (rows are steps, as TimeSeriesSplit cuts them), or a list of series [n_i, d]. Or it is a
    frame of pandas: with `target=`, `series=`, `time=` and so on given to `fit`, or with dates as its index.

    Args:
        horizon: steps to predict.
        context: steps to read before each forecast; several numbers make a network for each, whose forecasts are
            averaged.
        loss: "squared", "absolute", "huber", or "gaussian" and "quantile", which predict a distribution.
        quantiles: levels that are trained (loss "quantile") and given by default (also loss "gaussian", calibration).
        scale: True: mean and deviation over all series; of frames, those of each series. Or "all", "series", or
            "context": each forecast is made in the mean and deviation of its own context (reversible instance
            normalisation); or "last": relative to its last value, which is an input too. False: not at all.
        residual: what the networks improve: None (nothing), "last" (the last value), "seasonal" (that of `season` steps
            before) or "linear" (ridge regression).
        blend: what their forecasts are mixed with, of the same names: for each step ahead with the share that was best
            on the validation origins. None: nothing.
        season: steps after which a season begins again.
        members: networks of different seeds whose forecasts are averaged, for each context.
        validation_fraction: share of the origins, the last in time, that chooses the best epoch.
        calibration_fraction: share of the origins, the last in time, on which quantiles are calibrated (conformal
            prediction); with it any loss gives intervals. Neither share is trained on.
        cell: "lstm", "gru", "rnn", one of `elman.cells`, or your own (`elman.cell`).
        hidden_size, num_layers, heads, bidirectional, dropout, recurrent_dropout, checkpoint_every: of the recurrent
            layers.
        epochs, batch_size, optimizer, learning_rate, weight_decay, clip_norm: of `elman.train.fit`.
        patience: epochs without a lower validation loss after which it stops; needs validation_fraction.
        verbose: show a progress bar.
        random_state: None, a number or a generator of scikit-learn's, for initial weights, dropout and order.

    Attributes:
        model_: the `elman.models.Forecaster` (the first one). history_: its `elman.train.History`.
        core_: the `elman.forecast.SeriesForecaster`, which has all of them.
    """

    def __init__(
        self,
        *,
        horizon: int = 1,
        context: int | Sequence[int] = 24,
        loss: str = "squared",
        quantiles: Sequence[float] = (0.05, 0.5, 0.95),
        residual: str | None = None,
        blend: str | None = None,
        season: int = 1,
        members: int = 1,
        calibration_fraction: float = 0.0,
        cell: str = "gru",
        hidden_size: int = 32,
        num_layers: int = 1,
        heads: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        checkpoint_every: int | None = None,
        epochs: int = 20,
        batch_size: int = 32,
        optimizer: str = "adam",
        learning_rate: float = 0.005,
        weight_decay: float | None = None,
        clip_norm: float | None = 1.0,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        scale: bool | str = True,
        verbose: bool = False,
        random_state: Any = None,
    ):
        super().__init__(
            cell=cell, hidden_size=hidden_size, num_layers=num_layers, heads=heads, bidirectional=bidirectional,
            dropout=dropout, recurrent_dropout=recurrent_dropout, checkpoint_every=checkpoint_every,
            epochs=epochs, batch_size=batch_size,
            optimizer=optimizer, learning_rate=learning_rate, weight_decay=weight_decay, clip_norm=clip_norm,
            validation_fraction=validation_fraction, patience=patience, scale=scale, verbose=verbose,  # type: ignore[arg-type]
            random_state=random_state,
        )  # fmt: skip
        self.horizon = horizon
        self.context = context
        self.loss = loss
        self.quantiles = quantiles
        self.residual = residual
        self.blend = blend
        self.season = season
        self.members = members
        self.calibration_fraction = calibration_fraction

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        target: Any = None,
        series: Any = None,
        time: Any = None,
        known: Any = None,
        past: Any = None,
        static: Any = None,
        calendar: bool | Sequence[str] = True,
        holidays: Iterable[Any] | None = None,
        freq: Any = None,
        columns: str = "variables",
    ) -> RecurrentForecaster:
        """Train new networks on every window of the series; y is not used. All but X is for frames.

        Args:
            X: series [n, d], or a list of them; or a frame.
            y: None; not used.
            target: the column (or columns) to forecast; all that have no other role, if None.
            series: None, or the column (or columns) that tell series apart, in a long frame.
            time: the column of times; None: the index. Missing rows are steps that are not known.
            known: columns known ahead, such as promotions: numbers, booleans or categories.
            past: None, or columns known once they are past.
            static: None, or columns that do not change in a series.
            calendar: True for waves of hour, weekday and month, as far as steps are short enough; or names among
                "minute", "hour", "weekday", "day", "month", "quarter"; False for none.
            holidays: dates.
            freq: the time from step to step, such as "D"; found if None.
            columns: of a wide frame: "variables" of one series, or "series" of one variable.

        Returns:
            The estimator.

        Raises:
            ValueError: an argument does not fit, a column is missing or not what its role needs, or series are short.
        """
        given = dict(
            target=target, series=series, time=time, known=known, past=past, static=static, calendar=calendar,
            holidays=holidays, freq=freq, columns=columns,
        )  # fmt: skip
        self.reader_, found = self._read_first(X, given)
        seed = self._seed()
        self._take(self._core(self.reader_ is not None).fit(found, seed, self.verbose))
        self._frame = None if self.reader_ is None else X.copy()
        return self

    def partial_fit(self, X: Any, y: Any = None) -> RecurrentForecaster:
        """Train for one more epoch, on the series X alone (y is not used); the first call is like `fit` with one
        epoch."""
        if not hasattr(self, "model_"):
            epochs, self.epochs = self.epochs, 1
            try:
                return self.fit(X)
            finally:
                self.epochs = epochs
        self.core_.train_epoch(self._read(X, least=self._least()))
        self._take(self.core_)
        return self

    def predict(
        self,
        X: Any = None,
        future: Any = None,
        *,
        quantiles: Sequence[float] | None = None,
        interval: float | None = None,
    ) -> Any:
        """The `horizon` steps after the end of X: [horizon, d]; for a list of series [n, horizon, d]; for a frame one.

        Args:
            X: series or a frame like that of `fit`; None: the frame of `fit`.
            future: None, or a frame with the `known` columns for the steps ahead. Rows of X after the last known target
                do as well.
            quantiles: levels, for columns of their own such as sales_q0.05; None: those of the estimator, if it can
                say. For frames; see `predict_quantiles` for arrays.
            interval: the bounds of a central interval instead, such as 0.9.

        Returns:
            Forecasts: float64, or a frame in the form of X.

        Raises:
            ValueError: X is not like that of `fit`, or a column that is known ahead has gaps in the steps ahead.
        """
        check_is_fitted(self, "model_")
        found = self._read_ahead(X, future)
        said = self.core_.forecast(found)
        levels = self._levels(quantiles, interval)
        if self.reader_ is not None:
            values = said.quantiles(levels, self.core_.calibration) if levels else None
            return forecast_frame(self.reader_, found, said.centre, values, levels)
        if quantiles is not None or interval is not None:
            raise ValueError("quantiles, interval: expected None for arrays; predict_quantiles gives them")
        return said.centre if ragged(X) is not None else said.centre[0]

    def predict_quantiles(
        self, X: Any = None, quantiles: Sequence[float] | None = None, future: Any = None
    ) -> Any:
        """Quantiles of the steps that `predict(X, future)` gives: [horizon, d, Q], [n, horizon, d, Q]; for a frame its
        frame. `quantiles` None: those of the estimator."""
        check_is_fitted(self, "model_")
        levels = tuple(self.quantiles if quantiles is None else quantiles)
        if self.reader_ is not None:
            return self.predict(X, future, quantiles=levels)
        found = self.core_.forecast(self._read_ahead(X, future)).quantiles(levels, self.core_.calibration)
        return found if ragged(X) is not None else found[0]

    def score(self, X: Any, y: Any = None) -> float:
        """R^2 of the forecasts of every window in X; y is not used."""
        check_is_fitted(self, "model_")
        found = self._read(X, least=self._least())
        origins = [self.core_.origins(one) for one in found]
        truth = self.core_.truth(found, origins).reshape(sum(map(len, origins)), -1)
        said = self.core_.forecast(found, origins).centre.reshape(len(truth), -1)
        known = ~np.isnan(truth).any(axis=1)
        return float(r2_score(truth[known], said[known]))

    def calibrate(self, X: Any) -> RecurrentForecaster:
        """Calibrate quantiles on every window of the series X, which were not trained on (conformal prediction)."""
        check_is_fitted(self, "model_")
        self.core_.calibrate(self._read(X, least=self._least()))
        return self

    def observe(self, X: Any) -> RecurrentForecaster:
        """Take the errors of forecasts whose truth is known by now into the calibration of quantiles. Networks stay.

        Args:
            X: series or a frame like that of `fit`. Of a frame those origins count that are after all that were trained
                on, calibrated with or observed before, so that rows may be given again; of arrays all do.

        Returns:
            The estimator.

        Raises:
            ValueError: X is not like that of `fit`, or the estimator was not calibrated.
        """
        check_is_fitted(self, "model_")
        self.core_.observe(self._read(X, least=self._least()))
        return self

    def backtest(
        self,
        X: Any,
        *,
        start: Any = 0.8,
        stride: int | None = None,
        refit: int | None = None,
        window: int | None = None,
        fit: bool = True,
        quantiles: Sequence[float] | None = None,
        baselines: Sequence[str] = (),
        **roles: Any,
    ) -> Backtest:
        """Forecast X from origins that roll through it, with nothing known after them but what is known ahead.

        Args:
            X: arrays [n, d] or a frame, as for `fit`.
            roles: None, or the further arguments of `fit`; those that it had, if the estimator is fitted and none are
                given.
            start: the first origin: a number between 0 and 1, which is a share of all times, or a time.
            stride: steps from one origin to the next; `horizon` if None.
            refit: origins after which new networks are trained on all that is known then; None: they are trained once,
                before the first origin.
            window: steps before an origin to train on (a sliding window); None: all.
            fit: False: forecast with the estimator as it is; it should not have seen what comes after `start`.
            quantiles: levels; None: those of the estimator, if it can say.
            baselines: plain forecasts to make beside, of the same origins, names among "last", "seasonal" (the value
                `season` steps before) and "linear" (ridge regression on what the networks read).

        Returns:
            The forecasts, whose `frame`, `summary()` and `plot()` tell more. The estimator stays as it is.

        Raises:
            ValueError: an argument does not fit, or there is no origin with a context before and a horizon after it.
        """
        if not _check.flag("fit", fit):
            check_is_fitted(self, "model_")
        if roles or not hasattr(self, "model_"):
            reader, found = self._read_first(X, roles)
        else:
            reader, found = self.reader_, self._read(X, least=self._least())
        core, seed = self._core(reader is not None), self._seed()
        levels = self._levels(quantiles, None)
        return backtest(
            (lambda known: core.fresh().fit(known, seed)) if fit else (lambda known: self.core_),
            found, core.horizon, 1 if core.short else max(core.contexts), start=start, stride=stride, refit=refit,
            window=window, season=core.season, quantiles=levels, reader=reader,
            targets=reader.roles.target if reader is not None else None, baselines=baselines,
        )  # fmt: skip
