"""Models of one network: a class, a tag for each step, numbers, the next token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _check, _core, losses
from .._arrays import to_numpy
from ..data import Batch
from ..losses import Loss
from .base import Model
from .network import network
from .sampling import Sampler
from .targets import Targets


class OneNetwork(Model):
    """A model whose prediction is what one Sequential gives."""

    def _build(self, outputs: int, pooling: str | None, options: dict[str, Any]) -> None:
        self.network = network(outputs, pooling, **options)
        self.parts = {"network": self.network}
        self.pooling = pooling

    def flow(self, batch: Batch, state: Any = None, keep: bool = False) -> tuple[Any, Any, Any]:
        prediction, state, backward = self.network.apply(batch.x, state, batch.lengths, keep=keep)
        return prediction, state, lambda d: backward(d, need_dx=False)

    def forward(self, x: Any, state: Any = None, lengths: Any = None, mask: Any = None) -> Any:
        """(prediction, state, backward) of x [T, B, I] or tokens [T, B], for training by hand; `backward(d_prediction,
        dstate=None, need_dx=True)` adds to the gradients."""
        return self.network.forward(x, state, lengths, mask)

    def __call__(self, x: Any, state: Any = None, lengths: Any = None, mask: Any = None) -> Any:
        """The prediction for x [T, B, I] or tokens [T, B]: [B, outputs], or [T, B, outputs] without pooling."""
        return self.network(x, state, lengths, mask)[0]

    def stepper(self, batch_size: int) -> Any:
        """One step per call over `batch_size` streams: `step(x)` with x [B, I], or tokens [B], gives what the model
        predicts from the steps so far, the same bits as for the whole sequence.

        Raises:
            ValueError: the model reads both ways in time.
        """
        return self.network.stepper(batch_size)


class SequenceClassifier(OneNetwork):
    """One of several classes for each sequence: a softmax over the pooled outputs of the recurrent layers.

    Args:
        classes: how many.
        pooling: "last", "mean" or "max".
        label_smoothing: share of each target spread over all classes, in training and validation.
        options: of `elman.models.network`: input_size or vocabulary, hidden_size, cell, num_layers, ...

    Targets: [n] classes. Predictions: logits [B, classes].
    """

    def __init__(self, classes: int, *, pooling: str = "last", label_smoothing: float = 0.0, **options: Any):
        self.classes = _check.whole_number("classes", classes, 2)
        self.label_smoothing = _check.fraction("label_smoothing", label_smoothing)
        self._build(self.classes, _check.choice("pooling", pooling, ("last", "mean", "max")), options)

    def criterion(self, prediction: Any, batch: Batch, gradient: bool) -> Loss:
        return losses.cross_entropy(
            prediction, batch.targets(), label_smoothing=self.label_smoothing, gradient=gradient
        )

    def predict_proba(self, x: Any, batch_size: int = 256) -> np.ndarray:
        """Probabilities [n, classes] for x [n, T, ...] or a list of arrays [t_i, ...]."""
        logits = self._predict_rows(x, batch_size)
        _core.softmax(logits, logits)
        return logits

    def predict(self, x: Any, batch_size: int = 256) -> np.ndarray:
        """The most likely class [n] for each sequence."""
        return self._predict_rows(x, batch_size).argmax(axis=1)


class SequenceTagger(OneNetwork):
    """One of several tags for each step.

    Args:
        tags: how many.
        label_smoothing: share of each target spread over all tags.
        options: of `elman.models.network`.

    Targets: [n, T], or a list of [t_i] tags. Predictions: logits [T, B, tags].
    """

    def __init__(self, tags: int, *, label_smoothing: float = 0.0, **options: Any):
        self.tags = _check.whole_number("tags", tags, 2)
        self.label_smoothing = _check.fraction("label_smoothing", label_smoothing)
        self._build(self.tags, None, options)

    def criterion(self, prediction: Any, batch: Batch, gradient: bool) -> Loss:
        y, lengths = batch.y_steps()
        return losses.cross_entropy(
            prediction, y, lengths, label_smoothing=self.label_smoothing, gradient=gradient
        )

    def predict(self, x: Any, batch_size: int = 256) -> list[np.ndarray]:
        """The most likely tags [t_i] for each of a list of sequences (or [n, T, ...])."""
        return [logits.argmax(axis=1) for logits in self._predict_steps(x, batch_size)]


class SequenceRegressor(OneNetwork):
    """Numbers for each sequence, or for each step.

    Args:
        outputs: F, how many numbers.
        pooling: "last", "mean" or "max"; None: numbers for each step.
        loss: "squared", "absolute", "huber", "binary" (logits of 0 or 1), "gaussian" or "quantile".
        quantiles: for the loss "quantile".
        options: of `elman.models.network`.

    Targets: [n, F], or without pooling [n, T, F] or a list of [t_i, F]; NaN counts as unknown. Predictions: [B, F] or
    [T, B, F], with a last axis for "gaussian" (mean and log variance) and "quantile".
    """

    def __init__(
        self,
        outputs: int = 1,
        *,
        pooling: str | None = "last",
        loss: str = "squared",
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
        **options: Any,
    ):
        self.outputs = _check.whole_number("outputs", outputs, 1)
        self.targets = Targets(loss, quantiles)
        self._build(self.outputs * self.targets.width, pooling, options)

    def flow(self, batch: Batch, state: Any = None, keep: bool = False) -> tuple[Any, Any, Any]:
        flat, state, backward = super().flow(batch, state, keep)
        shape = flat.shape
        return self.targets.widened(flat, self.outputs), state, lambda d: backward(d.reshape(shape))

    def criterion(self, prediction: Any, batch: Batch, gradient: bool) -> Loss:
        y, lengths = (batch.targets(), None) if self.pooling else batch.y_steps()
        return self.targets.loss(prediction, y, lengths, gradient=gradient)

    def predict(self, x: Any, batch_size: int = 256) -> Any:
        """What is expected: [n, F], or without pooling a list of [t_i, F]. For "quantile" the median, or the quantile
        nearest to it."""
        if self.pooling:
            return self.targets.centre(self._predict_rows(x, batch_size))
        return [self.targets.centre(steps) for steps in self._predict_steps(x, batch_size)]

    def predict_quantiles(
        self, x: Any, quantiles: Sequence[float] | None = None, batch_size: int = 256
    ) -> Any:
        """Quantiles [n, F, Q] (without pooling a list), of a model with the loss "gaussian" or "quantile"."""
        if self.pooling:
            return self.targets.quantiles_of(self._predict_rows(x, batch_size), quantiles)
        return [self.targets.quantiles_of(steps, quantiles) for steps in self._predict_steps(x, batch_size)]


class LanguageModel(OneNetwork):
    """The next token of a text, at each step.

    Args:
        vocabulary: V, how many tokens there are.
        options: of `elman.models.network`, but `bidirectional`.

    Trains on a `Stream` of tokens (state carried from piece to piece), or on sequences with y a list of [t_i] next
    tokens. Predictions: logits [T, B, V].
    """

    def __init__(self, vocabulary: int, **options: Any):
        if options.get("bidirectional"):
            raise ValueError("bidirectional: expected False, as a text is written forward, got True")
        self._build(vocabulary, None, {"vocabulary": vocabulary} | options)

    def criterion(self, prediction: Any, batch: Batch, gradient: bool) -> Loss:
        y, lengths = batch.y_steps()
        return losses.cross_entropy(prediction, y, lengths, gradient=gradient)

    def generate(
        self,
        length: int,
        prompt: Sequence[int] = (0,),
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        samples: int = 1,
        seed: Any = None,
    ) -> np.ndarray:
        """Write on from a prompt.

        Args:
            length: tokens to write.
            prompt: [t] tokens that come before, at least one.
            temperature: logits are divided by it; 0 takes the likeliest token each time.
            top_k: choose among so many likeliest tokens (Fan et al. 2018).
            top_p: choose among the likeliest tokens that together have this probability (Holtzman et al. 2020).
            samples: texts to write at once.
            seed: of the choices.

        Returns:
            int64 [samples, length]: the new tokens.
        """
        length = _check.whole_number("length", length, 1)
        tokens = to_numpy("prompt", prompt, np.int64)
        if tokens.ndim != 1 or not tokens.size:
            raise ValueError(f"prompt: expected [t] tokens, at least one, got {_check.describe(tokens)}")
        sampler = Sampler(temperature, top_k, top_p, seed)
        samples = _check.whole_number("samples", samples, 1)
        step = self.stepper(samples)
        written = np.empty((samples, length), np.int64)
        for token in tokens:
            logits = step(np.full(samples, token))
        for t in range(length):
            written[:, t] = sampler(logits)
            logits = step(written[:, t])
        return written
