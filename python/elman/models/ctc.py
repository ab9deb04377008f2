"""A sequence of labels from a longer sequence of frames, with no alignment given."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from ..data import Batch
from ..losses import Loss, ctc
from .decoding import Score, ctc_beam, ctc_greedy
from .sequences import OneNetwork


class CTCRecognizer(OneNetwork):
    """Connectionist temporal classification (Graves et al. 2006): speech, handwriting, anything read frame by frame.

    Args:
        labels: L, how many; the blank is label L, the last output.
        options: of `elman.models.network`.

    Targets: a list of [s_i] labels, 0 to L - 1. Predictions: logits [T, B, L + 1]. A target too long for its frames
    adds nothing to the loss.
    """

    def __init__(self, labels: int, **options: Any):
        self.blank = _check.whole_number("labels", labels, 1)
        self._build(self.blank + 1, None, options)

    def criterion(self, prediction: Any, batch: Batch, gradient: bool) -> Loss:
        value, d = ctc(
            prediction, batch.targets(), batch.lengths, batch.y_lengths, blank=self.blank, zero_infinity=True,
            gradient=gradient,
        )  # fmt: skip
        return Loss(value, d, batch.size)

    def predict(
        self, x: Any, beam_size: int | None = None, batch_size: int = 64, score: Score | None = None
    ) -> list[np.ndarray]:
        """Labels [s_i] for each sequence: along the best path, or by prefix beam search with a `beam_size`.

        `score`, with a `beam_size` only, is that of a language model as `ctc_beam` takes it.
        """
        if score is not None and beam_size is None:
            raise ValueError("score: expected a beam_size with it, got None")
        found = []
        for logits in self._predict_steps(x, batch_size):
            one = np.ascontiguousarray(logits[:, None])
            if beam_size is None:
                found.append(ctc_greedy(one, blank=self.blank)[0])
            else:
                labels, _ = ctc_beam(one, blank=self.blank, beam_size=beam_size, score=score)[0][0]
                found.append(np.array(labels, np.int64))
        return found
