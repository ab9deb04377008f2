"""What a forecaster reads and is made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import _check
from ..forecast import FrameReader, Roles, Series, SeriesForecaster
from ..forecast.files import arrays_of, described, load_arrays, made_of
from ..forecast.plots import plot_forecast
from .base import RecurrentEstimator
from .files import Saved
from .intake import WIDE, numbers

TRAINING = ("epochs", "batch_size", "optimizer", "learning_rate", "weight_decay", "clip_norm", "patience")


class SeriesEstimator(Saved, RecurrentEstimator):
    """An estimator that reads series, in arrays or frames."""

    horizon: Any
    context: Any
    loss: Any
    quantiles: Any
    residual: Any
    blend: Any
    season: Any
    members: Any
    calibration_fraction: Any
    reader_: FrameReader | None
    core_: SeriesForecaster

    def _core(self, frames: bool) -> SeriesForecaster:
        scale: Any = self.scale
        if isinstance(scale, (bool, np.bool_)):
            scale = ("series" if frames else "all") if scale else None
        network = self._network_options() | {"loss": self.loss}
        if self.loss == "quantile":
            network["quantiles"] = tuple(self.quantiles)
        return SeriesForecaster(
            self.horizon, self.context, members=self.members, scale=scale, residual=self.residual, blend=self.blend,
            season=self.season, validation=self.validation_fraction, calibration=self.calibration_fraction,
            short=frames, network=network, training={name: getattr(self, name) for name in TRAINING},
        )  # fmt: skip

    def _take(self, core: SeriesForecaster) -> None:
        self.core_, self.model_ = core, core.members[0].model
        self.history_ = core.members[0].history

    def _levels(self, quantiles: Any, interval: Any) -> tuple[float, ...]:
        """The levels that are meant; none where nothing can say them and none are asked for."""
        if interval is not None:
            if quantiles is not None:
                raise ValueError("interval: expected None beside quantiles")
            share = _check.fraction("interval", interval)
            return (round((1 - share) / 2, 10), round((1 + share) / 2, 10))
        if quantiles is not None:
            return tuple(quantiles)
        core = getattr(self, "core_", None)
        calibrated = self.calibration_fraction or (core is not None and core.calibration is not None)
        return tuple(self.quantiles) if self.loss in ("quantile", "gaussian") or calibrated else ()

    def _least(self) -> int:
        return max(self.core_.contexts) + self.core_.horizon

    def _read_first(self, X: Any, roles: dict[str, Any]) -> tuple[FrameReader | None, list[Series]]:
        """The series of the X of `fit`, and what has read them if it is a frame."""
        usual = {"calendar": True, "columns": "variables"}
        asked = any(value is not None and value != usual.get(name) for name, value in roles.items())
        if not asked and not _dated(X):
            column = _no_numbers(X)
            if column is not None:
                raise ValueError(
                    f"X: expected numbers, or to be told what columns are for (target=, series=, time=, ...), got the "
                    f"column {column!r} of {X[column].dtype}"
                )
            core = self._core(False)
            return None, self._arrays(X, max(core.contexts) + core.horizon, reset=True)
        reader = FrameReader(Roles.of(**roles), _check.whole_number("horizon", self.horizon, 1))
        return reader, reader.fit(X)

    def _read(self, X: Any, least: int) -> list[Series]:
        """The series of an X like that of `fit`."""
        if self.reader_ is not None:
            return self.reader_.read(X)
        return self._arrays(X, least, reset=False)

    def _read_ahead(self, X: Any, future: Any) -> list[Series]:
        """The series to forecast from the end of."""
        if self.reader_ is None:
            if future is not None:
                raise ValueError("future: expected None for arrays")
            return self._arrays(X, max(self.core_.contexts), reset=False)
        if X is None:
            if self._frame is None:
                raise ValueError("X: expected a frame, as that of fit is not in the file, got None")
            X = self._frame
        return self.reader_.read(X, future, ahead=True)

    def _arrays(self, X: Any, least: int, reset: bool) -> list[Series]:
        several = self._several(X, reset)
        series = several or [validate_data(self, numbers("X", X), dtype=WIDE, reset=reset)]
        if reset:
            self._size = series[0].shape[1]
        for i, one in enumerate(series):
            if one.shape[1] != self._size or len(one) < least:
                want = f"[n, {self._size}] with at least {least} steps"
                raise ValueError(
                    f"X: expected series {want}, got {_check.describe(one)} as series {i} (n_samples = {len(one)})"
                )
        return [Series(one, past=np.zeros((len(one), 0)), known=np.zeros((len(one), 0))) for one in series]

    def plot(
        self,
        X: Any = None,
        future: Any = None,
        *,
        path: Any = None,
        series: Any = None,
        steps: int | None = None,
        most: int = 6,
    ) -> Any:
        """Draw the end of the series and the forecasts after it, with a band for each interval (extra: plot).

        Args:
            X: None or a frame, as for `predict`.
            future: None or a frame, as for `predict`.
            path: a file to write; None leaves the figure open.
            series: the name of the one to draw; None: the first ones.
            steps: how many of the last steps are drawn; 4 horizons if None.
            most: how many series are drawn at most.

        Returns:
            The figure of matplotlib.

        Raises:
            ValueError: the estimator was fitted on arrays, there is no such series, or `predict` would refuse.
        """
        check_is_fitted(self, "model_")
        if self.reader_ is None:
            raise ValueError("X: expected an estimator fitted on a frame, got one fitted on arrays")
        found = self._read_ahead(X, future)
        if series is not None:
            names = [one.name for one in found]
            found = [one for one in found if one.name == series]
            if not found:
                raise ValueError(f"series: expected one of {names}, got {series!r}")
        found = found[:most]
        return plot_forecast(self.core_, self.reader_, found, self._levels(None, None), path, steps)

    # Files.

    def state_dict(self) -> dict[str, np.ndarray]:
        """The arrays that it has learnt, by name."""
        return arrays_of(self.core_)

    def load_state_dict(self, arrays: Any) -> None:
        """Put back what `state_dict` gave."""
        load_arrays(self.core_, arrays)

    def _state(self) -> dict[str, Any]:
        reader = None if self.reader_ is None else self.reader_.as_plain()
        names = getattr(self, "feature_names_in_", None)
        return {
            "core": described(self.core_), "reader": reader, "size": getattr(self, "_size", None),
            "columns": getattr(self, "_columns", None), "names": None if names is None else list(names),
        }  # fmt: skip

    def _restore(self, state: dict[str, Any]) -> None:
        self._take(made_of(state["core"]))
        self.reader_ = None if state["reader"] is None else FrameReader.from_plain(state["reader"])
        self._frame = None
        self._size, self._columns = state["size"], state["columns"]
        if self.reader_ is None:
            self.n_features_in_ = self._size
        if state["names"] is not None:
            self.feature_names_in_ = np.array(state["names"], object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = False
        return tags


def _no_numbers(X: Any) -> Any:
    """The first column of a frame that holds times or texts; None if there is none."""
    for column, kind in getattr(X, "dtypes", {}).items() if hasattr(X, "columns") else ():
        if kind.kind == "M" or (kind.kind in "OU" and any(isinstance(value, str) for value in X[column])):
            return column
    return None


def _dated(X: Any) -> bool:
    """Whether it is a pandas Series, or a frame with dates as its index."""
    kind = type(X).__module__.partition(".")[0] == "pandas"
    index = type(getattr(X, "index", None)).__name__
    return kind and (type(X).__name__ == "Series" or index in ("DatetimeIndex", "PeriodIndex"))
