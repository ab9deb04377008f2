"""Five kinds of model with data made to be learnt: what elman trains, and the same in PyTorch.

A task gives elman's model and data; its twin is a torch module whose `loss(batch)` is the same number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from bench.training import twins
from elman.models import Forecaster, LanguageModel, Model, Seq2Seq, SequenceClassifier, SequenceTagger
from elman.train import Sequences, Stream, forecast_windows


class Task(NamedTuple):
    """`model()` makes a new one; `twin(model)` the torch module with its weights."""

    model: Callable[[], Model]
    data: Any
    twin: Callable[[Any], torch.nn.Module]
    batch_size: int


def _sentences(rng: np.random.Generator, n: int, vocabulary: int, longest: int) -> list[np.ndarray]:
    """Ragged rows of tokens; rare ones are rarer, as in a text."""
    p = 1 / np.arange(1, vocabulary + 1)
    p /= p.sum()
    return [rng.choice(vocabulary, length, p=p) for length in rng.integers(4, longest, n)]


def classifier() -> Task:
    """Sentences of up to 60 words, two classes: embedding 100, two-way LSTM of 100 (the size of the sentiment row)."""
    rng = np.random.default_rng(0)
    x = _sentences(rng, 1000, 3000, 60)
    worth = rng.standard_normal(3000)
    y = np.array([int(worth[row].mean() > worth[:50].mean() / 3) for row in x])
    make = lambda: SequenceClassifier(  # noqa: E731
        2, vocabulary=3000, embedding_size=100, hidden_size=100, bidirectional=True, seed=0
    )
    return Task(make, Sequences(x, y), twins.Classifier, 32)


def tagger() -> Task:
    """A tag for each word, which depends on the word before: embedding 100, two-way LSTM of 200 (the tagger row)."""
    rng = np.random.default_rng(0)
    x = _sentences(rng, 600, 2000, 40)
    kind = rng.integers(0, 9, 2000)
    y = [(kind[row] + np.concatenate([[0], kind[row[:-1]]])) % 9 for row in x]
    make = lambda: SequenceTagger(  # noqa: E731
        9, vocabulary=2000, embedding_size=100, hidden_size=200, bidirectional=True, seed=0
    )
    return Task(make, Sequences(x, y), twins.Tagger, 32)


def forecaster() -> Task:
    """72 hours of 24 series, 9 steps ahead of 3 of them: two layers of GRU of 64 (the size of `make demo`)."""
    rng = np.random.default_rng(0)
    t = np.arange(2200)[:, None]
    series = np.sin(t * rng.uniform(0.05, 0.6, 24) + rng.uniform(0, 6, 24)) + 0.2 * rng.standard_normal(
        (2200, 24)
    )
    data = forecast_windows(series.astype(np.float32), 72, 9, targets=[0, 1, 2])
    make = lambda: Forecaster(  # noqa: E731
        9, targets=3, input_size=24, hidden_size=64, cell="gru", num_layers=2, seed=0
    )
    return Task(make, data, twins.Forecaster, 64)


def language() -> Task:
    """Characters, 64 lanes in pieces of 64: embedding 64, LSTM of 256 (near the char-rnn row)."""
    rng = np.random.default_rng(0)
    words = [rng.integers(0, 60, rng.integers(2, 8)) for _ in range(200)]
    text = np.concatenate([np.append(words[i], 60) for i in rng.integers(0, 200, 24000)])
    make = lambda: LanguageModel(61, embedding_size=64, hidden_size=256, seed=0)  # noqa: E731
    return Task(make, Stream(text, steps=64), twins.Language, 64)


def translator() -> Task:
    """Letters to sounds: two-way encoder and decoder of GRU with attention, 128 and 256 units."""
    rng = np.random.default_rng(0)
    x = [rng.integers(0, 27, n) for n in rng.integers(3, 15, 1500)]
    y = [(row[::-1] * 7 + len(row)) % 39 for row in x]
    make = lambda: Seq2Seq(  # noqa: E731
        39, vocabulary=27, embedding_size=64, hidden_size=128, cell="gru", bidirectional=True, seed=0
    )
    return Task(make, Sequences(x, y), twins.Translator, 64)


TASKS = {task.__name__: task for task in (classifier, tagger, forecaster, language, translator)}
