"""Data that does not suit a model is refused before the training, in the words and axes of who gave it."""

import numpy as np
import pytest

from elman.models import (
    CTCRecognizer,
    Forecaster,
    Seq2Seq,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from elman.train import evaluate, fit

RNG = np.random.default_rng(0)
X = RNG.standard_normal((12, 4, 2)).astype(np.float32)
Y = np.arange(12) % 3
SMALL = {"input_size": 2, "hidden_size": 3, "seed": 0}


def refused(model, x, y):
    return lambda: fit(model, (x, y), epochs=1, progress=False)


SEVERAL = {"multi_label": True, **SMALL}
REFUSALS = {
    "train: y: expected whole numbers 0 to 2, got 'b'; a model of them is made with classes=.'a', 'b'.": refused(
        SequenceClassifier(3, **SMALL), X, ["b", "a"] * 6
    ),
    "train: y: expected whole numbers 0 to 2, got 3": refused(SequenceClassifier(3, **SMALL), X, Y + 1),
    "train: y: expected whole numbers 0 to 2, got -1; with ignore=-1 it does not count": refused(
        SequenceClassifier(3, **SMALL), X, Y - 1
    ),
    "train: y: expected whole numbers 0 to 2, got 0.5": refused(SequenceClassifier(3, **SMALL), X, Y / 2),
    "train: y: expected labels among 'a', 'b', got 'c'": refused(
        SequenceClassifier(["a", "b"], **SMALL), X, ["a", "c"] * 6
    ),
    r"train: y: expected \[n\] labels, or \[n, 3\] shares of the classes, got \[12, 4\] int64": refused(
        SequenceClassifier(3, **SMALL), X, np.zeros((12, 4), int)
    ),
    r"train: y: expected \[n, T\] labels, or \[n, T, 2\] shares of the classes, got \[12\] int64": refused(
        SequenceTagger(2, **SMALL), X, Y
    ),
    "train: y: expected shares of at least 0 of 3 classes that together are 1, got 2 in all; multi_label": refused(
        SequenceClassifier(3, **SMALL), X, np.array([[1, 1, 0]] * 12)
    ),
    r"train: y\[0\]: expected 4 steps, as many as x\[0\] has, got 3": refused(
        SequenceTagger(2, **SMALL), X, np.zeros((12, 3), int)
    ),
    r"train: y\[1\]: expected 2 steps, as many as x\[1\] has, got 1": refused(
        SequenceRegressor(1, pooling=None, **SMALL), [X[0], X[1, :2]], [np.zeros(4), np.zeros(1)]
    ),
    r"train: y: expected \[n, 3\] of 0 and 1, a flag for each class, got \[12\] int64": refused(
        SequenceClassifier(3, **SEVERAL), X, Y
    ),
    "train: y: expected 0 to 1 for each class, got 2": refused(
        SequenceClassifier(3, **SEVERAL), X, np.full((12, 3), 2)
    ),
    r"train: y: expected \[n, 2\] numbers, got \[12, 3\] float64": refused(
        SequenceRegressor(2, **SMALL), X, np.zeros((12, 3))
    ),
    r"train: y: expected \[n, 3, 1\] numbers, got \[12, 4\] float64": refused(
        Forecaster(3, **SMALL), X, np.zeros((12, 4))
    ),
    r"train: y: expected \[n, T, 1\] numbers, got a list of \[t_i, 2\] float64": refused(
        SequenceRegressor(1, pooling=None, **SMALL), [X[0], X[1, :2]], [np.zeros((4, 2)), np.zeros((2, 2))]
    ),
    "train: y: expected .* numbers, got .12. object|train: y: expected .n, 1. numbers, got .12. <U1": refused(
        SequenceRegressor(1, **SMALL), X, ["a"] * 12
    ),
    r"train: x: expected \[n, T, 2\] numbers, or a list of \[t_i, 2\], got \[12, 4, 3\] float64": refused(
        SequenceClassifier(3, **SMALL), np.zeros((12, 4, 3)), Y
    ),
    r"train: x: .* got \[12, 2, 4\] float64; steps come before features: x.swapaxes\(1, 2\) is": refused(
        SequenceClassifier(3, **SMALL), np.zeros((12, 2, 4)), Y
    ),
    r"train: x: .*, got a list of \[t_i\] int64; tokens need a model with vocabulary=": refused(
        SequenceClassifier(3, **SMALL), [[1, 2], [3]] * 6, Y
    ),
    r"train: x: expected \[n, T\] tokens, or a list of \[t_i\] tokens, got \[12, 4, 2\] float32": refused(
        SequenceClassifier(3, vocabulary=5), X, Y
    ),
    "train: x: expected tokens 0 to 4, got 5 to 9": refused(
        SequenceClassifier(3, vocabulary=5), np.full((12, 2), [5, 9]), Y
    ),
    r"train: x: expected numbers, or texts with a vocabulary, got texts": refused(
        SequenceClassifier(3, vocabulary=5), ["a b"] * 12, Y
    ),
    "x: expected numbers that float32 can hold, got 1e.300": refused(
        SequenceClassifier(3, **SMALL), np.full((12, 4, 2), 1e300), Y
    ),
    "y: expected numbers that float32 can hold, got 1e.300": refused(
        SequenceRegressor(1, **SMALL), X, np.full(12, 1e300)
    ),
    r"train: y: expected a list of \[s_i\] tokens, got \[12\] int64": refused(Seq2Seq(3, **SMALL), X, Y),
    "train: y: expected 0 to 1, got 0 to 2": refused(Seq2Seq(2, **SMALL), X, Y[:, None]),
    r"classes\[1\]: expected a label, got nan": lambda: SequenceClassifier([1.0, np.nan], **SMALL),
    "classes: expected at least two labels, each once, got .'a', 'a'.": lambda: SequenceClassifier(
        ["a", "a"], **SMALL
    ),
    r"classes\[1\]: expected a label, got NoneType|classes\[1\]: expected a label, got None": lambda: (
        SequenceClassifier(["a", None], **SMALL)
    ),
    "ignore: expected a label, got list": lambda: SequenceClassifier(2, ignore=[1], **SMALL),
    r"^x: expected \[n, T, 2\] numbers, or a list of \[t_i, 2\], got \[12, 4, 1\] float32": lambda: (
        SequenceClassifier(2, **SMALL).predict(X[..., :1])
    ),
    r"data: y: expected whole numbers 0 to 1, got 2": lambda: evaluate(
        SequenceClassifier(2, **SMALL), (X, Y)
    ),
    "validation: y: expected whole numbers 0 to 1, got 2": lambda: fit(
        SequenceClassifier(2, **SMALL), (X, Y // 2), (X, Y), progress=False
    ),
    r"train: y: expected a list of \[s_i\] labels, got \[12\] int64": refused(
        CTCRecognizer(3, **SMALL), X, Y
    ),
    "train: y: expected 0 to 1, got 0 to 2$": refused(CTCRecognizer(2, **SMALL), X, Y[:, None]),
}


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    with pytest.raises(ValueError, match=message):
        REFUSALS[message]()
