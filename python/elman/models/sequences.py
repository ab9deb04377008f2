"""Models of one network: a class, a tag for each step, numbers, the next token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _check, losses
from ..data import Batch
from ..losses import Loss
from ..losses.outcome import Outcome
from .labels import Labels
from .one_network import OfClasses, OneNetwork
from .outcomes import of_numbers, of_several
from .probabilities import sigmoid, softmax
from .reading import known_targets, read_numbers
from .targets import Targets


class SequenceClassifier(OfClasses):
    """One of several classes for each sequence: a softmax over the pooled outputs of the recurrent layers.

    Args:
        classes: how many, which are then called 0 to C - 1; or a list of their labels (texts, numbers), which are
            what targets are and what `predict` gives. `model.labels.names` is that list, in the order of logits and
            probabilities.
        pooling: "last", "mean" or "max".
        multi_label: whether a sequence may be of several classes at once: a sigmoid for each class.
        label_smoothing: share of each target spread over all classes, in training and validation.
        class_weight: how much a target of each class counts, in training and validation: "balanced" (all classes
            together alike, by their numbers in the training data), a dict by label, or [C].
        ignore: a label that does not count; None: all do.
        options: of `elman.models.network`: input_size or vocabulary, hidden_size, cell, num_layers, ...

    Targets: [n] labels of any kind (or [n, 1]); or [n, C], one-hot or shares of each class; with multi_label [n, C] of
    0 and 1. None and NaN are unknown, and do not count. Predictions: logits [B, C].

    Raises:
        ValueError: an argument has the wrong type or value.
        TypeError: there is no such option.
    """

    def __init__(
        self,
        classes: Any,
        *,
        pooling: str = "last",
        multi_label: bool = False,
        label_smoothing: float = 0.0,
        class_weight: Any = None,
        ignore: Any = None,
        **options: Any,
    ):
        self.labels = Labels("classes", classes, ignore)
        self.classes = self.labels.count
        self.label_smoothing = _check.fraction("label_smoothing", label_smoothing)
        self.multi_label = _check.flag("multi_label", multi_label)
        if self.multi_label and class_weight is not None:
            raise ValueError(
                "class_weight: expected None with multi_label=True, whose targets are of no one class"
            )
        self._build(self.classes, _check.choice("pooling", pooling, ("last", "mean", "max")), options)
        self._weigh(class_weight)

    def _read_targets(self, y: np.ndarray, known: np.ndarray | None, got: object) -> np.ndarray:
        if self.multi_label:
            return self.labels.several(y, self._dtype(), got)
        return super()._read_targets(y, known, got)

    def criterion(self, prediction: Any, batch: Batch, gradient: bool) -> Loss:
        if not self.multi_label:
            return super().criterion(prediction, batch, gradient)
        y, e = batch.targets(), self.label_smoothing
        return losses.binary_cross_entropy(
            prediction, (1 - e) * y + e / 2, weights=batch.weights, gradient=gradient
        )

    def outcome(self, prediction: Any, batch: Batch, scores: bool) -> Outcome:
        if not self.multi_label:
            return super().outcome(prediction, batch, scores)
        return of_several(prediction, batch.targets(), batch.weights)

    def predict_proba(self, x: Any, batch_size: int = 256, mask: Any = None) -> np.ndarray:
        """Probabilities of the classes for each sequence.

        Args:
            x: [n, T, ...], or a list of n arrays [t_i, ...], as for `fit`.
            batch_size: sequences at a time.
            mask: [n, T] bool, or a list of n arrays [t_i]: False for steps of x to skip.

        Returns:
            [n, C], in the order of `classes` (`labels.names`); each row sums to 1, but with multi_label.

        Raises:
            ValueError: something does not fit.
        """
        logits = self._predict_rows(self._data(x, mask=mask), batch_size)
        return sigmoid(logits) if self.multi_label else softmax(logits)

    def predict(self, x: Any, batch_size: int = 256, mask: Any = None) -> np.ndarray:
        """The most likely class for each sequence.

        Args:
            x: [n, T, ...], or a list of n arrays [t_i, ...], as for `fit`.
            batch_size: sequences at a time.
            mask: [n, T] bool, or a list of n arrays [t_i]: False for steps of x to skip.

        Returns:
            [n] labels, or numbers where classes have no labels. With multi_label [n, C] bool: which have a probability
            above 1/2.

        Raises:
            ValueError: something does not fit.
        """
        logits = self._predict_rows(self._data(x, mask=mask), batch_size)
        return logits > 0 if self.multi_label else self.labels.likeliest(logits)


class SequenceTagger(OfClasses):
    """One of several tags for each step.

    Args:
        tags: how many, which are then called 0 to C - 1; or a list of them (texts, numbers), as
            `model.labels.names` has it, in the order of logits and probabilities.
        label_smoothing: share of each target spread over all tags.
        class_weight: how much a target of each tag counts: "balanced", a dict by tag, or [C].
        ignore: a tag that does not count; None: all do.
        options: of `elman.models.network`.

    Targets: [n, T], or a list of [t_i] tags (or [n, T, C], one-hot or shares). None and NaN are unknown, and do not
    count. Predictions: logits [T, B, C].

    Raises:
        ValueError: an argument has the wrong type or value.
        TypeError: there is no such option.
    """

    by_steps = True

    def __init__(
        self,
        tags: Any,
        *,
        label_smoothing: float = 0.0,
        class_weight: Any = None,
        ignore: Any = None,
        **options: Any,
    ):
        self.labels = Labels("tags", tags, ignore)
        self.tags = self.labels.count
        self.label_smoothing = _check.fraction("label_smoothing", label_smoothing)
        self._build(self.tags, None, options)
        self._weigh(class_weight)

    def predict_proba(self, x: Any, batch_size: int = 256, mask: Any = None) -> list[np.ndarray]:
        """Probabilities of the tags for each step of each sequence.

        Args:
            x: [n, T, ...], or a list of n arrays [t_i, ...], as for `fit`.
            batch_size: sequences at a time.
            mask: [n, T] bool, or a list of n arrays [t_i]: False for steps of x to skip.

        Returns:
            A list of [t_i, C], in the order of `tags` (`labels.names`); each row sums to 1, or is NaN where the mask is
            False.

        Raises:
            ValueError: something does not fit.
        """
        return [softmax(logits) for logits in self._predict_steps(self._data(x, mask=mask), batch_size)]

    def predict(self, x: Any, batch_size: int = 256, mask: Any = None) -> list[np.ndarray]:
        """The most likely tags for each step of each sequence.

        Args:
            x: [n, T, ...], or a list of n arrays [t_i, ...], as for `fit`. With a Vocabulary each text in the list is a
                sequence: `["please", "call"]` is two of one word each, and one of two words is `[["please", "call"]]`,
                or `["please call"]`.
            batch_size: sequences at a time.
            mask: [n, T] bool, or a list of n arrays [t_i]: False for steps of x to skip.

        Returns:
            A list of [t_i] tags. At steps where the mask is False there is none: None, or -1 where tags have no labels.

        Raises:
            ValueError: something does not fit.
        """
        return [
            self.labels.likeliest(logits)
            for logits in self._predict_steps(self._data(x, mask=mask), batch_size)
        ]


class SequenceRegressor(OneNetwork):
    """Numbers for each sequence, or for each step.

    Args:
        outputs: F, how many numbers.
        pooling: "last", "mean" or "max"; None: numbers for each step.
        loss: "squared", "absolute", "huber", "binary" (logits of 0 or 1), "gaussian", "quantile", or one that
            `elman.losses.custom` makes.
        quantiles: for the loss "quantile".
        options: of `elman.models.network`.

    Targets: [n, F], or without pooling [n, T, F] or a list of [t_i, F]; where F is 1 that axis may be missing; NaN
    counts as unknown. Predictions: [B, F] or [T, B, F], with a last axis for "gaussian" (mean and log variance) and
    "quantile".

    Raises:
        ValueError: an argument has the wrong type or value.
        TypeError: there is no such option.
    """

    _own_words = (*OneNetwork._own_words, "loss")

    def __init__(
        self,
        outputs: int = 1,
        *,
        pooling: str | None = "last",
        loss: Any = "squared",
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
        **options: Any,
    ):
        self.outputs = _check.whole_number("outputs", outputs, 1)
        self.targets = Targets(loss, quantiles)
        self._word("loss", self.targets.name)
        self.predicts = self.targets.predicts
        self._build(self.outputs * self.targets.width, pooling, options)
        self.by_steps = pooling is None

    def flow(self, batch: Batch, state: Any = None, keep: bool = False) -> tuple[Any, Any, Any]:
        flat, state, backward = super().flow(batch, state, keep)
        shape = flat.shape
        return self.targets.widened(flat, self.outputs), state, lambda d: backward(d.reshape(shape))

    def criterion(self, prediction: Any, batch: Batch, gradient: bool) -> Loss:
        y, lengths, mask, weights = batch.targets(), None, None, batch.weights
        if not self.pooling:
            (y, lengths), mask, weights = batch.y_steps(), batch.step_mask(), batch.step_weights()
        return self.targets.loss(prediction, y, lengths, mask, weights=weights, gradient=gradient)

    def outcome(self, prediction: Any, batch: Batch, scores: bool) -> Outcome:
        known = None
        if not self.pooling:
            prediction, known = prediction.swapaxes(0, 1), known_targets(batch)
        return of_numbers(prediction, batch.targets(), known, batch.weights, self.targets)

    def _read_targets(self, y: np.ndarray, known: np.ndarray | None, got: object) -> np.ndarray:
        return read_numbers(y, (self.outputs,), not self.pooling, self._dtype(), got)

    def predict(self, x: Any, batch_size: int = 256, mask: Any = None) -> Any:
        """What is expected: the mean, or for the loss "quantile" the median (or the quantile nearest to it).

        Args:
            x: [n, T, ...], or a list of n arrays [t_i, ...], as for `fit`.
            batch_size: sequences at a time.
            mask: [n, T] bool, or a list of n arrays [t_i]: False for steps of x to skip.

        Returns:
            [n, F], or without pooling a list of [t_i, F] (NaN at steps where the mask is False).

        Raises:
            ValueError: something does not fit.
        """
        data = self._data(x, mask=mask)
        if self.pooling:
            return self.targets.centre(self._predict_rows(data, batch_size))
        return [self.targets.centre(steps) for steps in self._predict_steps(data, batch_size)]

    def predict_quantiles(
        self,
        x: Any,
        quantiles: Sequence[float] | None = None,
        batch_size: int = 256,
        mask: Any = None,
    ) -> Any:
        """Quantiles, of a model with the loss "gaussian" or "quantile".

        Args:
            x: [n, T, ...], or a list of n arrays [t_i, ...], as for `fit`.
            quantiles: Q levels; the model's own if None.
            batch_size: sequences at a time.
            mask: [n, T] bool, or a list of n arrays [t_i]: False for steps of x to skip.

        Returns:
            [n, F, Q], or without pooling a list of [t_i, F, Q].

        Raises:
            ValueError: something does not fit, or the model predicts no distribution or not these quantiles.
        """
        data = self._data(x, mask=mask)
        if self.pooling:
            return self.targets.quantiles_of(self._predict_rows(data, batch_size), quantiles)
        return [
            self.targets.quantiles_of(steps, quantiles) for steps in self._predict_steps(data, batch_size)
        ]
