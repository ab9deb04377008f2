"""Several steps ahead of a series."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _check, init
from ..data import Batch
from ..layers import Dropout, Linear
from ..layers.steppers import expect_out
from ..layers.wanted import is_wanted
from ..losses import Loss
from ..losses.outcome import Outcome
from .base import Model
from .network import decoder_of
from .outcomes import of_numbers
from .reading import read_numbers
from .targets import Targets


class Forecaster(Model):
    """Reads a window of a series and predicts the next steps at once.

    Without covariates of the future a linear map of the last h gives all steps. With them a second recurrent network
    goes on from the state of the first. It reads what is known of each step ahead, and predicts that step.

    Args:
        horizon: S, steps to predict.
        targets: F, values in each.
        future_size: C, covariates known ahead (calendar, plans); 0 for none.
        loss: "squared", "absolute", "huber", "gaussian" or "quantile" (the last two predict a distribution), or one
            that `elman.losses.custom` makes.
        quantiles: that the loss "quantile" trains, and that are predicted by default.
        options: of `elman.models.network`: input_size, hidden_size, cell, num_layers, ...

    Targets: [n, S, F]; NaN counts as unknown. Predictions: [B, S, F], with a last axis for "gaussian" (mean and log
    variance) and "quantile".

    Raises:
        ValueError: an argument has the wrong type or value.
        TypeError: there is no such option.
    """

    _own_words = (*Model._own_words, "loss")

    def __init__(
        self,
        horizon: int,
        *,
        targets: int = 1,
        future_size: int = 0,
        loss: Any = "squared",
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
        **options: Any,
    ):
        self.horizon = _check.whole_number("horizon", horizon, 1)
        self.size = _check.whole_number("targets", targets, 1)
        self.future_size = _check.whole_number("future_size", future_size, 0)
        self.targets = Targets(loss, quantiles)
        self._word("loss", self.targets.name)
        self.predicts = self.targets.predicts
        width = self.size * self.targets.width
        if not self.future_size:
            self.encoder = self._network(self.horizon * width, "last", options)
            self.parts = {"encoder": self.encoder}
        else:
            if options.get("bidirectional"):
                raise ValueError("bidirectional: expected False with future_size, got True")
            seeds = init.seeds(options.get("seed"), 4)
            self.encoder = self._network(None, None, options | {"seed": seeds[0]})
            recurrent = self.encoder.recurrent
            self.decoder = decoder_of(recurrent, self.future_size, recurrent.hidden_size, seeds[1])
            self.head = Linear(recurrent.hidden_size, width, dtype=recurrent.dtype, seed=seeds[2])
            self.dropout = Dropout(options.get("dropout", 0.0), variational=True, seed=seeds[3])
            self.parts = {
                "encoder": self.encoder, "decoder": self.decoder, "dropout": self.dropout, "head": self.head
            }  # fmt: skip

    def flow(self, batch: Batch, state: Any = None, keep: bool = False) -> tuple[Any, Any, Any]:
        flow = self._flow_with_decoder if self.future_size else self._flow_at_once
        flat, after, backward = flow(batch, state, keep)
        shape = flat.shape
        return self._shaped(flat), after, lambda d: backward(d.reshape(shape))

    def _shaped(self, flat: np.ndarray) -> np.ndarray:
        """[B, S * F * width], or [B, S, F * width], as a prediction."""
        return self.targets.widened(flat.reshape(len(flat), self.horizon, -1), self.size)

    def _flow_at_once(self, batch: Batch, state: Any, keep: bool) -> tuple[Any, Any, Any]:
        """[B, S * F * width], the encoder's state, backward."""
        flat, after, backward = self.encoder.apply(batch.x, state, batch.lengths, batch.mask, keep=keep)
        return flat, after, lambda d: backward(d, need_dx=False, need_dstate=False)

    def _flow_with_decoder(self, batch: Batch, state: Any, keep: bool) -> tuple[Any, Any, Any]:
        """[B, S, F * width], the encoder's state, backward."""
        if batch.future is None:
            raise ValueError("future: expected covariates of the steps ahead, got None")
        shape = (self.horizon, batch.size, self.future_size)
        future = _check.array("future", batch.future, shape, self.decoder.dtype)
        read, after, through_encoder = self.encoder.apply(
            batch.x, state, batch.lengths, batch.mask, keep=keep
        )
        h, _, through_decoder = self.decoder.apply(future, after[0], keep=keep)
        kept, through_dropout = self.dropout.apply(h, keep=keep)
        steps, through_head = self.head.apply(kept, keep=keep)

        to_encoder = is_wanted(self.encoder)
        to_decoder = to_encoder or is_wanted(self.decoder)

        def backward(d: np.ndarray) -> None:
            dh = through_head(_swap(d), need_dx=to_decoder)
            if to_decoder:
                _, dstate = through_decoder(through_dropout(dh), need_dx=False, need_dstate=to_encoder)
            if to_encoder:
                through_encoder(np.zeros_like(read), (dstate,), need_dx=False, need_dstate=False)

        return _swap(steps), after, backward

    def criterion(self, prediction: Any, batch: Batch, gradient: bool) -> Loss:
        return self.targets.loss(prediction, batch.targets(), weights=batch.weights, gradient=gradient)

    def outcome(self, prediction: Any, batch: Batch, scores: bool) -> Outcome:
        return of_numbers(prediction, batch.targets(), None, batch.weights, self.targets)

    def _read_targets(self, y: np.ndarray, known: np.ndarray | None, got: object) -> np.ndarray:
        return read_numbers(y, (self.horizon, self.size), False, self._dtype(), got)

    def __call__(self, x: Any, lengths: Any = None, future: Any = None) -> np.ndarray:
        """The prediction for x [T, B, I], its lengths [B] (all steps if None) and future [S, B, C]."""
        return self.flow(Batch(x, lengths, None, None, np.arange(np.shape(x)[1]), future))[0]

    def predict(self, x: Any, future: Any = None, batch_size: int = 256, mask: Any = None) -> np.ndarray:
        """Forecasts: means, or medians for the loss "quantile".

        Args:
            x: windows [n, T, I], or a list of n arrays [t_i, I].
            future: [n, S, C], for a model with covariates known ahead.
            batch_size: sequences at a time.
            mask: [n, T] bool, or a list of n arrays [t_i]: False for steps of x to skip.

        Returns:
            [n, S, F].

        Raises:
            ValueError: something does not fit.
        """
        return self.targets.centre(self._predict_rows(self._data(x, future, mask), batch_size))

    def predict_quantiles(
        self,
        x: Any,
        quantiles: Sequence[float] | None = None,
        future: Any = None,
        batch_size: int = 256,
        mask: Any = None,
    ) -> np.ndarray:
        """Quantiles of the forecast, of a model with the loss "gaussian" or "quantile".

        Args:
            x: windows [n, T, I], or a list of n arrays [t_i, I].
            quantiles: Q levels; the model's own (`quantiles=` of its constructor) if None.
            future: [n, S, C], for a model with covariates known ahead.
            batch_size: sequences at a time.
            mask: [n, T] bool, or a list of n arrays [t_i]: False for steps of x to skip.

        Returns:
            [n, S, F, Q].

        Raises:
            ValueError: something does not fit, or the model predicts no distribution or not these quantiles.
        """
        rows = self._predict_rows(self._data(x, future, mask), batch_size)
        return self.targets.quantiles_of(rows, quantiles)

    def stepper(self, batch_size: int) -> ForecastStepper:
        """A forecast after each new step of `batch_size` series."""
        return ForecastStepper(self, batch_size)


class ForecastStepper:
    """`step(x)` with x [B, I], or `step(x, future)` with future [S, B, C], gives the prediction [B, S, F] from all
    steps so far, with the bits of the whole window. It is made by `Forecaster.stepper(B)`, and keeps the weights of
    that moment."""

    def __init__(self, model: Forecaster, batch_size: int):
        self._model = model = copy.deepcopy(model)
        self._step = model.encoder.stepper(batch_size)
        self._future = (model.horizon, batch_size, model.future_size)
        self._given = model._shaped(np.empty((batch_size, model.horizon * model.size * model.targets.width)))
        self._dtype = model.encoder.recurrent.dtype

    def __call__(self, x: Any, future: Any = None, *, out: np.ndarray | None = None, mask: Any = None) -> Any:
        """Take one step.

        Args:
            x: [B, I].
            future: [S, B, C], for a model with covariates of the future.
            out: [B, S, F] (with a last axis where the prediction has one), C-contiguous, written to if given.
            mask: [B] bool. Series where it is False skip it: their state stays, x may be anything there, and the
                prediction is made from the steps before.

        Returns:
            The prediction: `out` if given, else a new array.

        Raises:
            ValueError: something does not fit; the state is as before.
        """
        model = self._model
        if out is not None:
            expect_out(out, self._given.shape, self._dtype)
        if model.future_size:
            if future is None:
                raise ValueError("future: expected covariates of the steps ahead, got None")
            future = _check.array("future", future, self._future, self._dtype)
        read = self._step(x, mask=mask)
        if model.future_size:
            read = _swap(model.head(model.decoder(future, self._step.state[0])[0]))
        y = model._shaped(read)
        if out is None:
            return y
        np.copyto(out, y)
        return out

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
