"""What models refuse, and the numbers they take."""

import numpy as np
import pytest

import elman
from elman.models import (
    CTCRecognizer,
    Forecaster,
    LanguageModel,
    Seq2Seq,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from elman.models.sampling import Sampler
from elman.train import Sequences

REFUSALS = {
    "score: expected a beam_size with it, got None": lambda: CTCRecognizer(3, input_size=4).predict(
        [np.zeros((2, 4), np.float32)], score=lambda prefix, label: 0.0
    ),
    "input_size: expected either it or vocabulary, got input_size=None and vocabulary=None": lambda: (
        SequenceClassifier(2)
    ),
    "classes: expected a whole number of at least 2, got 1": lambda: SequenceClassifier(1, input_size=2),
    "pooling: expected one of 'last', 'mean', 'max', got 'sum'": lambda: SequenceClassifier(
        2, pooling="sum", input_size=2
    ),
    "cell: expected 'rnn', 'lstm', 'gru', a cell of elman.cells or one made by elman.cell, got 'qrnn'": lambda: (
        SequenceTagger(2, input_size=2, cell="qrnn")
    ),
    "embedding_size: expected None without vocabulary, got 3": lambda: SequenceTagger(
        2, input_size=2, embedding_size=3
    ),
    "embedding_std: expected 1 without vocabulary, got 0.1": lambda: SequenceTagger(
        2, input_size=2, embedding_std=0.1
    ),
    "loss: expected one of 'squared'": lambda: SequenceRegressor(1, loss="cubic", input_size=2),
    r"quantiles: expected rising numbers, at least one, got \[0.5, 0.1\]": lambda: SequenceRegressor(
        1, loss="quantile", quantiles=[0.5, 0.1], input_size=2
    ),
    "bidirectional: expected False, as a text is written forward, got True": lambda: LanguageModel(
        5, bidirectional=True
    ),
    "bidirectional: expected False with future_size, got True": lambda: Forecaster(
        2, future_size=1, input_size=2, bidirectional=True
    ),
    "future: expected covariates of the steps ahead, got None": lambda: Forecaster(
        2, future_size=1, input_size=2
    )(np.zeros((3, 1, 2), np.float32)),
    r"future: expected \[2, 1, 1\] float32, got \[3, 1, 1\] float32": lambda: Forecaster(
        2, future_size=1, input_size=2
    )(np.zeros((3, 1, 2), np.float32), future=np.zeros((3, 1, 1), np.float32)),
    "stepper: expected a layer that runs forward in time, got bidirectional=True": lambda: SequenceTagger(
        2, input_size=2, bidirectional=True
    ).stepper(1),
    "prompt: expected .t. tokens, at least one, got": lambda: LanguageModel(3).generate(2, prompt=[]),
    "temperature: expected a finite number of at least 0, got -1": lambda: Sampler(-1),
    "y: expected targets, got None": lambda: SequenceTagger(2, input_size=2).loss(
        Sequences(np.zeros((1, 2, 2), np.float32)).take(np.array([0]))
    ),
    "attention_weights: expected a model with attention, got attention=False": lambda: Seq2Seq(
        4, vocabulary=3, attention=False
    ).attention_weights([np.zeros(2, int)], [np.array([3])]),
    "y: expected 0 to 3, got 4 to 4": lambda: Seq2Seq(4, vocabulary=3).loss(
        Sequences([np.zeros(2, int)], [np.array([4])]).take(np.array([0]))
    ),
}


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    with pytest.raises(ValueError, match=message):
        REFUSALS[message]()


def test_arguments_may_be_numbers_of_numpy(tmp_path):
    model = SequenceClassifier(np.int64(2), input_size=3, hidden_size=np.int32(4), dropout=np.float32(0.5))
    model.save(tmp_path / "model")
    assert elman.load(tmp_path / "model").config == model.config
    assert model.config["classes"] == 2 and type(model.config["classes"]) is int


def test_notes_that_no_file_can_hold_are_refused(tmp_path):
    model = LanguageModel(3)
    model.notes["rng"] = np.random.default_rng()
    with pytest.raises(ValueError, match=r"notes\['rng'\]: expected what JSON can hold"):
        model.save(tmp_path / "model")
