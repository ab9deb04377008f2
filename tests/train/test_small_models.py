"""What a batch of a very small model costs in Python. Calls are counted, as times depend on the machine."""

import sys

import numpy as np
import pytest

from elman.models import LanguageModel, SequenceClassifier, SequenceRegressor, SequenceTagger
from elman.train import Sequences, Stream, fit

rng = np.random.default_rng(0)
N, BATCH, MOST = 160, 8, 335
F = rng.standard_normal((N, 10, 4)).astype(np.float32)
X = [F[i, :t] for i, t in enumerate(rng.integers(3, 11, N))]
OPTIONS = {"input_size": 4, "hidden_size": 8, "seed": 0}
KINDS = {
    "classifier": lambda: (SequenceClassifier(3, **OPTIONS), Sequences(F, rng.integers(0, 3, N))),
    "regressor": lambda: (SequenceRegressor(1, **OPTIONS), Sequences(F, rng.standard_normal((N, 1)))),
    "tagger": lambda: (SequenceTagger(3, **OPTIONS), Sequences(X, [rng.integers(0, 3, len(x)) for x in X])),
    "language model": lambda: (
        LanguageModel(9, hidden_size=8, seed=0), Stream(rng.integers(0, 9, 10 * N), steps=10)
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_calls_of_a_batch(kind):
    model, data = KINDS[kind]()

    def calls(epochs):
        count = 0

        def called(frame, event, argument):
            nonlocal count
            count += event == "call"

        sys.setprofile(called)
        try:
            fit(model, data, epochs=epochs, batch_size=BATCH, seed=0, progress=False)
        finally:
            sys.setprofile(None)
        return count

    calls(1)  # what is made once
    some, more = calls(1), calls(3)
    assert (more - some) / (2 * N / BATCH) < MOST
