"""What darts asks of a model."""

from __future__ import annotations

from typing import Any

from darts.models.forecasting.forecasting_model import GlobalForecastingModel
from darts.utils.likelihood_models.base import Likelihood, LikelihoodType

from ..forecast import SeriesForecaster


class Described(GlobalForecastingModel):
    """A global model that reads windows of all kinds of covariates."""

    _new: SeriesForecaster
    _kind: str | None
    _levels: tuple[float, ...]
    input_chunk_length: int

    @property
    def likelihood(self) -> Likelihood | None:
        """What is predicted of the distribution, or None."""
        if self._kind is None:
            return None
        if self._kind == "gaussian":
            return Likelihood(LikelihoodType.Gaussian, ["mu", "sigma"])
        return Likelihood(LikelihoodType.Quantile, [f"q{level:.3f}" for level in self._levels])

    @property
    def supports_probabilistic_prediction(self) -> bool:
        """Whether it predicts a distribution."""
        return self._kind is not None

    @property
    def supports_multivariate(self) -> bool:
        """True."""
        return True

    @property
    def supports_past_covariates(self) -> bool:
        """True."""
        return True

    @property
    def supports_future_covariates(self) -> bool:
        """True."""
        return True

    @property
    def supports_static_covariates(self) -> bool:
        """True."""
        return True

    @property
    def supports_sample_weight(self) -> bool:
        """False."""
        return False

    @property
    def supports_optimized_historical_forecasts(self) -> bool:
        """False: they are made one after another."""
        return False

    @property
    def output_chunk_length(self) -> int:
        """Steps that are predicted at once."""
        return self._new.horizon

    @property
    def min_train_samples(self) -> int:
        """Windows that are needed to train."""
        return 1

    @property
    def _target_window_lengths(self) -> tuple[int, int]:
        return self.input_chunk_length, self.output_chunk_length

    @property
    def extreme_lags(self) -> Any:
        """First and last step of targets, past and future covariates that a forecast uses, from its first step."""
        L, S = self.input_chunk_length, self.output_chunk_length
        past = (-L, -1) if self.uses_past_covariates else (None, None)
        future = (-L, S - 1) if self.uses_future_covariates else (None, None)
        return (-L, S - 1, *past, *future, 0)

    @property
    def _model_encoder_settings(self) -> Any:
        return self.input_chunk_length, self.output_chunk_length, True, True, None, None
