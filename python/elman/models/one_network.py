"""What models of one network share, and those of classes among them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check, losses
from .._arrays import to_numpy
from ..data import Batch, Data, Sequences
from ..data.intake import in_file
from ..data.vocabulary import as_vocabulary
from ..layers.steppers import SequentialStepper
from ..losses import Loss
from ..losses.outcome import Outcome
from .base import Model
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
        if class_weight is None:
            return
        if not isinstance(class_weight, str):
            self._of_class = _class_weights(class_weight, self.labels)
            self._word("class_weight", self._of_class.tolist())
        else:
            self._word("class_weight", _check.choice("class_weight", class_weight, ("balanced",)))
            self._balanced = True

    def begin(self, train: Data) -> None:
        """Look at the training data, as `fit` lets a model do: count its classes for class_weight="balanced". A target
        of class c counts n / (C n_c), where n_c of all n targets are of it. The file keeps these in `notes`."""
        if not self._balanced:
            return
        counts = np.zeros(self.labels.count)
        if isinstance(train, Sequences) and not in_file(train.y):
            found = [self._read_targets(*all_targets(train))]
        else:
            found = [
                self._read_targets(batch.targets(), known_targets(batch), "y") for batch in train.batches(256)
            ]
        for y in found:
            if y.dtype.kind == "f":
                counts += y.reshape(-1, self.labels.count).sum(axis=0)
            else:
                counts += np.bincount(y[y != UNKNOWN], minlength=self.labels.count)
        even = counts.sum() / self.labels.count
        self.notes["class_weight"] = np.divide(
            even, counts, where=counts > 0, out=np.zeros_like(counts)
        ).tolist()

    def _read_targets(self, y: np.ndarray, known: np.ndarray | None, got: object) -> np.ndarray:
        return self.labels(y, known, self.by_steps, got)

    def _weights(self, y: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        """Those of targets y, of which `weights` is given by the data."""
        of_class = self._of_class
        if self._balanced:
            if "class_weight" not in self.notes:
                raise ValueError(
                    "class_weight: expected fit, which counts the classes for 'balanced', before a loss"
                )
            of_class = np.array(self.notes["class_weight"])
        if of_class is None:
            return weights
        own = y @ of_class if y.dtype.kind == "f" else of_class[np.where(y == UNKNOWN, 0, y)]
        return own if weights is None else own * weights

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

    def _chosen(self, logits: np.ndarray) -> np.ndarray:
        """Labels of the likeliest classes of logits [..., C]; none where they are NaN, as at masked steps."""
        known = ~np.isnan(logits[..., 0])
        return self.labels.back(np.where(known, logits.argmax(axis=-1), UNKNOWN))


def _class_weights(given: Any, labels: Labels) -> np.ndarray:
    """[C] of a dict by label, or of an array."""
    if isinstance(given, dict):
        names = range(labels.count) if labels.names is None else labels.names
        if set(given) != set(names):
            raise ValueError(f"class_weight: expected a weight for each of {list(names)}, got {list(given)}")
        given = [given[label] for label in names]
    values = to_numpy("class_weight", given, np.float64)
    right = values.shape == (labels.count,) and values.dtype.kind in "fiu"
    if not right or not (np.isfinite(values).all() and (values >= 0).all() and values.any()):
        want = f"'balanced', a dict or [{labels.count}] finite numbers of at least 0"
        raise ValueError(f"class_weight: expected {want}, got {_check.describe(values)}")
    return values.astype(np.float64)
