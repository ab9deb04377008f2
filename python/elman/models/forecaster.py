"""Several steps ahead of a series."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _check, init
from ..data import Batch
from ..layers import Dropout, Linear
from ..losses import Loss
from .base import Model
from .network import network
from .targets import Targets


class Forecaster(Model):
    """Reads a window of a series and predicts the next steps at once.

    Without covariates of the future a linear map of the last h gives all steps; with them a second recurrent network
    goes on from the first one's state, reads what is known of each step ahead, and predicts it.

    Args:
        horizon: S, steps to predict.
        targets: F, values in each.
        future_size: C, covariates known ahead (calendar, plans); 0 for none.
        loss: "squared", "absolute", "huber", "gaussian" or "quantile" (the last two predict a distribution).
        quantiles: for the loss "quantile".
        options: of `elman.models.network`: input_size, hidden_size, cell, num_layers, ...

    Targets: [n, S, F]; NaN counts as unknown. Predictions: [B, S, F], with a last axis for "gaussian" (mean and log
    variance) and "quantile".
    """

    def __init__(
        self,
        horizon: int,
        *,
        targets: int = 1,
        future_size: int = 0,
        loss: str = "squared",
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
        **options: Any,
    ):
        self.horizon = _check.whole_number("horizon", horizon, 1)
        self.size = _check.whole_number("targets", targets, 1)
        self.future_size = _check.whole_number("future_size", future_size, 0)
        self.targets = Targets(loss, quantiles)
        width = self.size * self.targets.width
        if not self.future_size:
            self.encoder = network(self.horizon * width, "last", **options)
            self.parts = {"encoder": self.encoder}
        else:
            if options.get("bidirectional"):
                raise ValueError("bidirectional: expected False with future_size, got True")
            seeds = init.seeds(options.get("seed"), 4)
            self.encoder = network(None, **(options | {"seed": seeds[0]}))
            recurrent = self.encoder.recurrent
            self.decoder = type(recurrent)(
                self.future_size, recurrent.hidden_size, recurrent.num_layers, dropout=recurrent.dropout,
                recurrent_dropout=recurrent.recurrent_dropout, dtype=recurrent.dtype, seed=seeds[1],
            )  # fmt: skip
            self.head = Linear(recurrent.hidden_size, width, dtype=recurrent.dtype, seed=seeds[2])
            self.dropout = Dropout(options.get("dropout", 0.0), variational=True, seed=seeds[3])
            self.parts = {
                "encoder": self.encoder, "decoder": self.decoder, "dropout": self.dropout, "head": self.head
            }  # fmt: skip
        self._describe(horizon=horizon, targets=targets, future_size=future_size, loss=loss,
                       quantiles=list(quantiles), **options)  # fmt: skip

    def run(self, batch: Batch, state: Any = None, train: bool = False) -> tuple[Any, Any, Any]:
        if self.future_size:
            wide = self._run_decoder(batch, state, train)
        elif train:
            flat, after, through = self.encoder.forward(batch.x, state, batch.lengths)
            wide = flat, after, lambda d: through(d, need_dx=False)
        else:
            wide = *self.encoder(batch.x, state, batch.lengths), None
        prediction, after, backward = wide
        shape = prediction.shape
        prediction = prediction.reshape(batch.size, self.horizon, -1)
        result = prediction, after, None if backward is None else lambda d: backward(d.reshape(shape))
        return self.targets.run(result, self.size)

    def _run_decoder(self, batch: Batch, state: Any, train: bool) -> tuple[Any, Any, Any]:
        """The prediction [B, S, F * width], the encoder's state, backward."""
        future = batch.future
        if future is None:
            raise ValueError("future: expected covariates of the steps ahead, got None")
        S, B = self.horizon, batch.size
        future = _check.array("future", future, (S, B, self.future_size), self.decoder.dtype)
        if not train:
            _, after = self.encoder(batch.x, state, batch.lengths)
            return _swap(self.head(self.decoder(future, after[0])[0])), after, None
        read, after, through_encoder = self.encoder.forward(batch.x, state, batch.lengths)
        h, _, through_decoder = self.decoder.forward(future, after[0])
        kept, through_dropout = self.dropout.forward(h)
        steps, through_head = self.head.forward(kept)

        def backward(d: np.ndarray) -> None:
            _, dstate = through_decoder(through_dropout(through_head(_swap(d))), need_dx=False)
            through_encoder(np.zeros_like(read), (dstate,), need_dx=False)

        return _swap(steps), after, backward

    def criterion(self, prediction: Any, batch: Batch, gradient: bool) -> Loss:
        return self.targets.loss(prediction, batch.targets(), gradient=gradient)

    def __call__(self, x: Any, lengths: Any = None, future: Any = None) -> np.ndarray:
        """The prediction for x [T, B, I] and future [S, B, C]."""
        return self.run(Batch(x, lengths, None, None, np.arange(np.shape(x)[1]), future))[0]

    def predict(self, x: Any, future: Any = None, batch_size: int = 256) -> np.ndarray:
        """Forecasts [n, S, F] for windows x [n, T, I] (or a list) and future [n, S, C]: means, or medians for the loss
        "quantile"."""
        return self.targets.centre(self._predict_rows(x, batch_size, future))

    def predict_quantiles(
        self, x: Any, quantiles: Sequence[float] = (0.1, 0.5, 0.9), future: Any = None, batch_size: int = 256
    ) -> np.ndarray:
        """Quantiles [n, S, F, Q] of the forecast, of a model with the loss "gaussian" or "quantile"."""
        return self.targets.quantiles_of(self._predict_rows(x, batch_size, future), quantiles)

    def stepper(self, batch_size: int) -> ForecastStepper:
        """A forecast after each new step of `batch_size` series."""
        return ForecastStepper(self, batch_size)


class ForecastStepper:
    """`step(x)` with x [B, I], or `step(x, future)` with future [S, B, C], gives the prediction [B, S, F] from all
    steps so far; the same bits as from the whole window. Made by `Forecaster.stepper(B)`, with the weights as they
    were then."""

    def __init__(self, model: Forecaster, batch_size: int):
        self._model = model = copy.deepcopy(model)
        self._step = model.encoder.stepper(batch_size)

    def __call__(self, x: np.ndarray, future: np.ndarray | None = None) -> np.ndarray:
        model, read = self._model, self._step(x)
        if model.future_size:
            if future is None:
                raise ValueError("future: expected covariates of the steps ahead, got None")
            read = _swap(model.head(model.decoder(future, self._step.state[0])[0]))
        flat = read.reshape(len(read), model.horizon, -1), None, None
        return model.targets.run(flat, model.size)[0]

    @property
    def state(self) -> tuple[Any, ...]:
        """A copy of the state. Assign to set it."""
        return self._step.state

    @state.setter
    def state(self, value: tuple[Any, ...]) -> None:
        self._step.state = value

    def reset(self, rows: Any = None) -> None:
        """Start the series in `rows` anew, or all."""
        self._step.reset(rows)


def _swap(values: np.ndarray) -> np.ndarray:
    """[S, B, ...] as [B, S, ...], or back."""
    return np.ascontiguousarray(values.swapaxes(0, 1))
