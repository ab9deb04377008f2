"""Models that write: language models, encoder-decoders, recognizers, and the searches behind them."""

import itertools

import numpy as np
import pytest

from elman.models import (
    CTCRecognizer,
    LanguageModel,
    Seq2Seq,
)
from elman.models.beam import beam_search
from elman.models.sampling import Sampler
from elman.train import Sequences, Stream, fit
from tests.support.slopes import slope_of_parameter

RNG = np.random.default_rng(0)
LENGTHS = [4, 1, 3]


def vectors(size):
    return [RNG.standard_normal((t, size)) for t in LENGTHS]


def tokens(count, lengths=LENGTHS):
    return [RNG.integers(0, count, t) for t in lengths]


SMALL = {"hidden_size": 3, "dtype": "float64", "seed": 0}


def test_generate():
    model = LanguageModel(4, hidden_size=16, seed=0)
    text = np.array([0, 1, 2, 3] * 200)
    fit(model, Stream(text, steps=10), epochs=6, batch_size=8, learning_rate=0.02, seed=0, progress=False)
    np.testing.assert_array_equal(model.generate(8, prompt=[0, 1], temperature=0), [[2, 3, 0, 1, 2, 3, 0, 1]])
    written = model.generate(20, samples=3, temperature=3.0, seed=1)
    assert written.shape == (3, 20) and not np.array_equal(written[0], written[1])
    np.testing.assert_array_equal(written, model.generate(20, samples=3, temperature=3.0, seed=1))


def test_sampler():
    logits = np.log(np.array([[0.5, 0.2, 0.25, 0.05]] * 20000))
    share = lambda **options: np.bincount(Sampler(seed=0, **options)(logits), minlength=4) / 20000  # noqa: E731
    np.testing.assert_allclose(share(), [0.5, 0.2, 0.25, 0.05], atol=0.015)
    np.testing.assert_allclose(share(top_k=2), [2 / 3, 0, 1 / 3, 0], atol=0.015)
    np.testing.assert_allclose(share(top_p=0.75), [2 / 3, 0, 1 / 3, 0], atol=0.015)
    np.testing.assert_allclose(share(top_p=0.76), [0.5 / 0.95, 0.2 / 0.95, 0.25 / 0.95, 0], atol=0.015)
    squares = np.array([0.25, 0.04, 0.0625, 0.0025])
    np.testing.assert_allclose(share(temperature=0.5), squares / squares.sum(), atol=0.015)
    assert (Sampler(temperature=0)(logits) == 0).all()


class Chain:
    """A decoder whose next token depends on the last one alone, so that every hypothesis can be scored."""

    def __init__(self, K, B, logits):
        self.logits = logits

    def __call__(self, tokens):
        return self.logits[np.arange(tokens.shape[1]), tokens]

    def select(self, origin):
        pass


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_beam_search_finds_the_best(length_penalty, rng):
    """A beam as wide as all hypotheses is exhaustive."""
    V, B, longest = 2, 3, 4
    logits = rng.standard_normal((B, V + 1, V + 1))
    logp = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    found = beam_search(Chain(60, B, logits), B, 60, V, longest, length_penalty)
    for b in range(B):
        best, best_score = None, -np.inf
        for s in range(longest + 1):
            for labels in itertools.product(range(V), repeat=s):
                path = [V, *labels] + [V] * (s < longest)
                score = (
                    sum(logp[b, i, j] for i, j in itertools.pairwise(path))
                    / (len(path) - 1) ** length_penalty
                )
                if score > best_score:
                    best, best_score = labels, score
        assert tuple(found[b]) == best


@pytest.mark.slow
def test_seq2seq_learns_to_reverse():
    rng = np.random.default_rng(0)
    x = [rng.integers(0, 5, rng.integers(1, 5)) for _ in range(300)]
    y = [row[::-1].copy() for row in x]
    model = Seq2Seq(5, vocabulary=5, hidden_size=32, bidirectional=True, seed=0)
    fit(model, (x, y), epochs=25, batch_size=16, learning_rate=0.01, seed=0, progress=False)
    for beam_size in (1, 3):
        got = model.predict(x[:50], beam_size=beam_size)
        assert sum(np.array_equal(a, b) for a, b in zip(got, y, strict=False)) >= 45
        for i in range(5):  # alone as in a batch
            np.testing.assert_array_equal(model.predict(x[i : i + 1], beam_size=beam_size)[0], got[i])
    # Attention: of the true lengths, and alone as in a batch.
    weights = model.attention_weights(x[:50], y[:50])
    assert [w.shape for w in weights] == [(len(b) + 1, len(a)) for a, b in zip(x, y, strict=True)][:50]
    np.testing.assert_allclose(np.concatenate([w.sum(axis=1) for w in weights]), 1, rtol=1e-5)
    alone = model.attention_weights(x[7:8], y[7:8], batch_size=1)[0]
    np.testing.assert_array_equal(alone, weights[7])


@pytest.mark.parametrize("bidirectional", [False, True])
def test_seq2seq_attention_weights_are_those_of_its_logits(bidirectional):
    """The logits put together by hand from the weights."""
    x, y = tokens(5), tokens(4, [2, 3, 1])
    model = Seq2Seq(4, vocabulary=5, bidirectional=bidirectional, **SMALL)
    for a, b, w in zip(x, y, model.attention_weights(x, y), strict=True):
        batch = Sequences([a], [b]).take(np.array([0]))
        memory, (state,) = model.encoder(a[:, None])
        h, _ = model.decoder(model.embedding(np.append(4, b)[:, None]), model._join(state))
        pairs = model.combine(np.concatenate([w @ memory[:, 0], h[:, 0]], axis=1))
        np.testing.assert_allclose(model.head(np.tanh(pairs)), model.flow(batch)[0][:, 0], rtol=1e-12)


def test_seq2seq_drops_what_its_decoder_reads_and_says():
    """Each draw of the masks is another function, whose gradient is checked with the draw held fixed."""
    data = Sequences(tokens(5), tokens(4, [2, 3, 1]))
    batch = next(data.batches(3))
    model = Seq2Seq(4, vocabulary=5, bidirectional=True, dropout=0.4, **SMALL)
    drawn = model.random_state()
    model.zero_grad()
    step = model.loss(batch)
    step.backward()
    assert model.loss(batch).value != step.value  # masks drawn anew

    def again():
        model.set_random_state(drawn)
        return model.loss(batch).value

    assert again() == step.value
    for name in ("embedding.weight", "head.weight", "combine.weight", "encoder.embedding.weight"):
        slope = slope_of_parameter(model, name, again)
        np.testing.assert_allclose(model.grads[name], slope, atol=2e-7, err_msg=name)


@pytest.mark.slow
def test_recognizer_learns():
    rng = np.random.default_rng(0)
    y = [rng.integers(0, 3, rng.integers(1, 4)) for _ in range(80)]
    x = []
    for labels in y:  # each label shows for some frames, then nothing
        frames = [np.eye(4, dtype=np.float32)[[label] * rng.integers(1, 4) + [3]] for label in labels]
        x.append(
            np.concatenate(frames) + 0.1 * rng.standard_normal((sum(map(len, frames)), 4)).astype(np.float32)
        )
    model = CTCRecognizer(3, input_size=4, hidden_size=16, bidirectional=True, seed=0)
    fit(model, (x, y), epochs=40, batch_size=8, learning_rate=0.01, seed=0, progress=False)
    for beam_size in (None, 8):
        got = model.predict(x, beam_size=beam_size)
        assert sum(np.array_equal(a, b) for a, b in zip(got, y, strict=True)) >= 76
    without_two = model.predict(x, beam_size=8, score=lambda _, label: -np.inf if label == 2 else 0.0)
    assert not any((labels == 2).any() for labels in without_two)
