"""A sequence of labels from a longer sequence of frames, with no alignment given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .. import _check
from ..data import Batch
from ..data.vocabulary import as_vocabulary
from ..losses import Loss, ctc
from ..sequence.marks import closed_up
from .decoding import Score, ctc_beam, ctc_greedy
from .one_network import OneNetwork
from .reading import read_tokens


class CTCRecognizer(OneNetwork):
    """Connectionist temporal classification (Graves et al. 2006): speech, handwriting, anything read frame by frame.

    Args:
        labels: L, how many, or a Vocabulary of them; then targets may be texts. The blank is label L, the last output.
        options: of `elman.models.network`.

    Targets: a list of [s_i] labels, 0 to L - 1. Predictions: logits [T, B, L + 1]. A target too long for its frames
    adds nothing to the loss.

    Raises:
        ValueError: an argument has the wrong type or value.
        TypeError: there is no such option.
    """

    def __init__(self, labels: Any, **options: Any):
        self.target_vocabulary, size = as_vocabulary(labels)
        self.blank = _check.whole_number("labels", size, 1)
        self._build(self.blank + 1, None, options)

    def criterion(self, prediction: Any, batch: Batch, gradient: bool) -> Loss:
        lengths, back = batch.lengths, None
        if batch.mask is not None:
            prediction, lengths, back = closed_up(prediction, batch.lengths, batch.mask)
        loss = ctc(
            prediction, batch.targets(), lengths, batch.y_lengths, blank=self.blank, zero_infinity=True,
            weights=batch.weights, gradient=gradient,
        )  # fmt: skip
        if back is None or loss.gradient is None:
            return loss
        return replace(loss, gradient=back(loss.gradient))

    def _read_targets(self, y: np.ndarray, known: np.ndarray | None, got: object) -> np.ndarray:
        return read_tokens(y, known, self.blank, f"a list of [s_i] labels, got {got}")

    def predict(
        self,
        x: Any,
        beam_size: int | None = None,
        batch_size: int = 64,
        score: Score | None = None,
        mask: Any = None,
    ) -> list[np.ndarray]:
        """The labels of each sequence: along the best path, or by prefix beam search.

        Args:
            x: [n, T, ...], or a list of n arrays [t_i, ...], as for `fit`.
            beam_size: labellings kept at each step; None: the best path.
            batch_size: sequences at a time.
            score: of a language model, as `ctc_beam` takes it; with a beam_size only.
            mask: [n, T] bool, or a list of n arrays [t_i]: False for steps of x to skip.

        Returns:
            A list of [s_i] labels.

        Raises:
            ValueError: something does not fit.
        """
        if score is not None and beam_size is None:
            raise ValueError("score: expected a beam_size with it, got None")
        found = []
        data = self._data(x, mask=mask)
        for i, logits in enumerate(self._predict_steps(data, batch_size)):
            if data.mask is not None:
                logits = logits[data.mask[i]]
            one = np.ascontiguousarray(logits[:, None])
            if beam_size is None:
                found.append(ctc_greedy(one, blank=self.blank)[0])
            else:
                labels, _ = ctc_beam(one, blank=self.blank, beam_size=beam_size, score=score)[0][0]
                found.append(np.array(labels, np.int64))
        return found
