"""The forecaster."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sktime.forecasting.base import BaseForecaster

from ..sklearn import RecurrentForecaster as _Estimator


class RecurrentForecaster(BaseForecaster):
    """`elman.sklearn.RecurrentForecaster` as a forecaster of sktime.

    One network learns from all series of a panel or hierarchy, and from all variables of each together. X is what is
    known ahead. NaN in y or X are steps that are not known. The horizon is the last step of `fh`. With loss "gaussian"
    or calibration there are quantiles and intervals. `update(y, update_params=False)` goes on with the calibration.

    Args:
        context: steps to read before each forecast. All arguments are those of `elman.sklearn.RecurrentForecaster`.
        loss: "squared", "absolute", "huber", "gaussian" or "quantile".
        quantiles: levels that the loss "quantile" trains; no others can be asked for then.
        residual, blend, season: of plain forecasts that it improves or is mixed with.
        members: networks of different seeds whose forecasts are averaged.
        calibration_fraction: share of the origins, the last in time, on which quantiles are calibrated.
        calendar: True, False or names, as for `elman.sklearn.RecurrentForecaster.fit`.
        cell, hidden_size, num_layers, dropout, recurrent_dropout: of the recurrent layers.
        epochs, batch_size, optimizer, learning_rate, weight_decay, clip_norm: of the training.
        validation_fraction, patience: share of the origins that chooses the epoch; epochs without a better one.
        scale: True, False, "all", "series", "context" or "last": what the targets are measured in.
        verbose: show a progress bar.
        random_state: None, a number or a generator of scikit-learn's.

    Examples:
        >>> from sktime.datasets import load_airline
        >>> from elman.sktime import RecurrentForecaster
        >>> y = load_airline()
        >>> forecaster = RecurrentForecaster(context=12, epochs=2, random_state=0)
        >>> forecaster.fit(y, fh=[1, 2, 3])
        RecurrentForecaster(...)
        >>> forecaster.predict().index[0]
        Period('1961-01', 'M')
    """

    _tags = {  # noqa: RUF012
        "authors": ["elman"],
        "maintainers": ["elman"],
        "y_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "X_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "capability:multivariate": True,
        "capability:exogenous": True,
        "capability:insample": False,
        "capability:pred_int": True,
        "capability:pred_int:insample": False,
        "capability:missing_values": True,
        "capability:random_state": True,
        "capability:update": True,
        "property:randomness": "derandomized",
        "requires-fh-in-fit": True,
        "X-y-must-have-same-index": False,
    }

    def __init__(
        self,
        context: int | Sequence[int] = 24,
        loss: str = "gaussian",
        quantiles: Sequence[float] = (0.05, 0.5, 0.95),
        residual: str | None = None,
        blend: str | None = None,
        season: int = 1,
        members: int = 1,
        calibration_fraction: float = 0.0,
        calendar: bool | Sequence[str] = True,
        cell: str = "gru",
        hidden_size: int = 32,
        num_layers: int = 1,
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
        scale: bool | str = True,
        verbose: bool = False,
        random_state: Any = None,
    ):
        self.context = context
        self.loss = loss
        self.quantiles = quantiles
        self.residual = residual
        self.blend = blend
        self.season = season
        self.members = members
        self.calibration_fraction = calibration_fraction
        self.calendar = calendar
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # its default will change, and is set here
            super().__init__()
        self.set_config(remember_data=True)  # forecasts go on from all that is known
        if loss not in ("gaussian", "quantile") and not calibration_fraction:
            self.set_tags(**{"capability:pred_int": False})

    def _fit(self, y: Any, X: Any, fh: Any) -> RecurrentForecaster:
        steps = self._steps(fh)
        options = self.get_params(deep=False)
        calendar = options.pop("calendar")
        self.estimator_ = _Estimator(horizon=int(steps.max()) + 1, **options)
        frame, roles = self._frame(y, X)
        self.estimator_.fit(frame, calendar=calendar, **roles)
        return self

    def _update(self, y: Any, X: Any = None, update_params: bool = True) -> RecurrentForecaster:
        """Train anew, or go on with the calibration alone."""
        if update_params:
            self._fit(self._y, self._X, self._fh)
        elif self.estimator_.core_.calibration is not None:
            self.estimator_.observe(self._frame(self._y, self._X)[0])
        return self

    def _predict(self, fh: Any, X: Any) -> Any:
        series, steps, said = self._said(fh, X)
        return self._indexed(series, steps, said.centre[:, steps], self._y.columns)

    def _predict_quantiles(self, fh: Any, X: Any, alpha: Sequence[float]) -> Any:
        series, steps, said = self._said(fh, X)
        values = said.quantiles(alpha, self.estimator_.core_.calibration)[:, steps]
        columns = pd.MultiIndex.from_product([self._get_varnames(), list(alpha)])
        return self._indexed(series, steps, values.reshape(*values.shape[:2], -1), columns)

    def _steps(self, fh: Any) -> np.ndarray:
        """The steps of `fh` after the last one that is known, from 0."""
        steps = np.asarray(fh.to_relative(self.cutoff)._values, np.int64) - 1
        if steps.min() < 0:
            raise NotImplementedError("fh: expected steps after the end of y, got steps of it")
        return steps

    def _said(self, fh: Any, X: Any) -> Any:
        """The series, the steps of `fh`, and the distribution of all steps."""
        steps, reader = self._steps(fh), self.estimator_.reader_
        assert reader is not None
        if steps.max() >= self.estimator_.horizon:
            raise ValueError(
                f"fh: expected steps up to {self.estimator_.horizon}, as in fit, got {int(steps.max()) + 1}"
            )
        frame, _ = self._frame(self._y, self._X)
        ahead = None
        if X is not None and self._X is not None:
            ahead, _ = self._frame(None, X)
        series = reader.read(frame, ahead)
        return series, steps, self.estimator_.core_.forecast(series)

    def _frame(self, y: Any, X: Any) -> tuple[Any, dict[str, Any]]:
        """y beside X as a long frame with columns named by role, and these."""
        parts = []
        for letter, values in (("y", y), ("x", X)):
            if values is not None:
                parts.append(values.set_axis([f"{letter}{i}" for i in range(values.shape[1])], axis=1))
        frame = (
            parts[0] if len(parts) == 1 else parts[0].join(parts[1], how="left" if y is not None else "outer")
        )
        levels = frame.index.nlevels
        names = [f"s{i}" for i in range(levels - 1)] + ["t"]
        frame = frame.rename_axis(names if levels > 1 else "t").reset_index()
        roles = {
            "target": [c for c in frame if c[0] == "y"], "known": [c for c in frame if c[0] == "x"],
            "series": names[:-1], "time": "t",
        }  # fmt: skip
        return frame, roles

    def _indexed(self, series: Any, steps: np.ndarray, values: np.ndarray, columns: Any) -> Any:
        """[W, steps, columns] as a frame with the index that sktime expects."""
        reader = self.estimator_.reader_
        assert reader is not None
        names = self._y.index.names
        parts = []
        for one, rows in zip(series, values, strict=True):
            index = reader.grid.times(one.times[len(one) + steps])
            if len(names) > 1:
                own = one.name if isinstance(one.name, tuple) else (one.name,)
                index = pd.MultiIndex.from_tuples([(*own, time) for time in index], names=names)
            else:
                index = index.rename(names[0])
            parts.append(pd.DataFrame(rows, index=index, columns=columns))
        return pd.concat(parts)

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Parameters for sktime's own checks, for any `parameter_set`."""
        fast = {"context": 4, "hidden_size": 4, "epochs": 1, "random_state": 0}
        return [fast, fast | {"loss": "squared", "residual": "last", "members": 2, "context": [3, 4]}]
