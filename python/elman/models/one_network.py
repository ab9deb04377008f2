"""What models of one network share, and those of classes among them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import losses
from ..data import Batch, Data, Sequences
from ..data.intake import in_file
from ..data.vocabulary import as_vocabulary
from ..layers.steppers import SequentialStepper
from ..losses import Loss
from ..losses.outcome import Outcome
from .base import Model
from .class_weights import balanced, counts_of, weighed, weights_of_classes
from .labels import UNKNOWN, Labels
from .outcomes import of_classes
from .reading import all_targets, known_targets


class OneNetwork(Model):
    """A model whose prediction is what one Sequential gives."""

    def _build(self, outputs: int, pooling: str | None, options: dict[str, Any]) -> None:
        self.vocabulary, options["vocabulary"] = as_vocabulary(options.get("vocabulary"))
        self.network = self._network(outputs, pooling, options)
        self.parts = {"network": self.network}
        self.pooling = pooling

    def flow(self, batch: Batch, state: Any = None, keep: bool = False) -> tuple[Any, Any, Any]:
        prediction, state, backward = self.network.apply(batch.x, state, batch.lengths, batch.mask, keep=keep)
        return prediction, state, lambda d: backward(d, need_dx=False, need_dstate=False)

    def forward(self, x: Any, state: Any = None, lengths: Any = None, mask: Any = None) -> Any:
        """(prediction, state, backward) of x [T, B, I] or tokens [T, B], for training by hand; `backward(d_prediction,
        dstate=None, need_dx=True, need_dstate=True)` adds to the gradients."""
        return self.network.forward(x, state, lengths, mask)

    def __call__(self, x: Any, state: Any = None, lengths: Any = None, mask: Any = None) -> Any:
        """The prediction for x [T, B, I] or tokens [T, B]: [B, outputs], or [T, B, outputs] without pooling."""
        return self.network(x, state, lengths, mask)[0]

    def stepper(self, batch_size: int) -> SequentialStepper:
        """One step per call over `batch_size` streams: `step(x)` with x [B, I], or tokens [B], gives what the model
        predicts from the steps so far, the same bits as for the whole sequence.

        Raises:
            ValueError: the model reads both ways in time.
        """
        return self.network.stepper(batch_size)


class OfClasses(OneNetwork):
    """A model that chooses among classes, for each sequence or for each step."""

    predicts = "classes"
    _own_words = (*OneNetwork._own_words, "class_weight")  # numbers may be its keys
    _balanced = False  # whether `begin` counts the classes
    labels: Labels
    label_smoothing: float = 0.0
    _of_class: np.ndarray | None = None  # how much a target of each class counts

    def _weigh(self, class_weight: Any) -> None:
        """Keep the weights of the classes: as numbers, or as "balanced" until `begin` has counted them."""
        found = weights_of_classes(class_weight, self.labels)
        if found is not None:
            self._balanced = isinstance(found, str)
            self._of_class = None if isinstance(found, str) else found
            self._word("class_weight", found if isinstance(found, str) else found.tolist())

    def begin(self, train: Data) -> None:
        """Look at the training data, as `fit` lets a model do: count its classes for class_weight="balanced". A target
        of class c counts n / (C n_c), where n_c of all n targets are of it. The file keeps these in `notes`."""
        if not self._balanced:
            return
        if isinstance(train, Sequences) and not in_file(train.y):
            found: Iterable[np.ndarray] = [self._read_targets(*all_targets(train.y, train.mask))]
        else:
            found = (
                self._read_targets(batch.targets(), known_targets(batch), "y") for batch in train.batches(256)
            )
        C = self.labels.count
        self.notes["class_weight"] = balanced(sum((counts_of(y, C) for y in found), np.zeros(C)))

    def _read_targets(self, y: np.ndarray, known: np.ndarray | None, got: object) -> np.ndarray:
        return self.labels(y, known, self.by_steps, got)

    def _weights(self, y: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        """Those of targets y, of which `weights` is given by the data."""
        of_class: Any = self._of_class
        if self._balanced:
            if "class_weight" not in self.notes:
                raise ValueError(
                    "class_weight: expected fit, which counts the classes for 'balanced', before a loss"
                )
            of_class = self.notes["class_weight"]
        return weighed(y, of_class, weights)

    def criterion(self, prediction: Any, batch: Batch, gradient: bool) -> Loss:
        y, lengths, mask, weights = batch.targets(), None, None, batch.weights
        if self.by_steps:
            (y, lengths), mask, weights = batch.y_steps(), batch.step_mask(), batch.step_weights()
        if y.dtype.kind != "f":  # numbers of classes say themselves which do not count
            lengths = mask = None
        return losses.cross_entropy(
            prediction, y, lengths, mask, label_smoothing=self.label_smoothing, ignore=UNKNOWN,
            weights=self._weights(y, weights), gradient=gradient,
        )  # fmt: skip

    def outcome(self, prediction: Any, batch: Batch, scores: bool) -> Outcome:
        if self.by_steps:
            prediction = prediction.swapaxes(0, 1)
        known = known_targets(batch) if self.by_steps else None
        return of_classes(prediction, batch.targets(), known, batch.weights, self.labels, scores)
