"""Every model: its gradients, its file, its stepper, and that it learns what it is for."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from tests.test_oracle import finite_differences

from elman.models import (
    CTCRecognizer,
    Forecaster,
    LanguageModel,
    Seq2Seq,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
    load,
)
from elman.models.beam import beam_search
from elman.models.sampling import Sampler
from elman.train import Sequences, Stream, fit, forecast_windows

RNG = np.random.default_rng(0)
LENGTHS = [4, 1, 3]


def vectors(size):
    return [RNG.standard_normal((t, size)) for t in LENGTHS]


def tokens(count, lengths=LENGTHS):
    return [RNG.integers(0, count, t) for t in lengths]


SMALL = {"hidden_size": 3, "dtype": "float64", "seed": 0}
WINDOWS = forecast_windows(RNG.standard_normal((8, 3)), 4, 2, targets=[0, 2], future=[1])

# Name: the model and data for it.
MODELS = {
    "classifier": (SequenceClassifier(3, input_size=2, **SMALL), Sequences(vectors(2), np.array([0, 2, 1]))),
    "classifier of tokens, both ways": (
        SequenceClassifier(
            2, pooling="max", label_smoothing=0.1, vocabulary=5, embedding_size=2, bidirectional=True, **SMALL
        ),
        Sequences(tokens(5), np.array([0, 1, 1])),
    ),
    "tagger": (
        SequenceTagger(3, input_size=2, cell="gru", bidirectional=True, **SMALL),
        Sequences(vectors(2), tokens(3)),
    ),
    "tagger of equal lengths": (
        SequenceTagger(3, input_size=2, cell="rnn", **SMALL),
        Sequences(RNG.standard_normal((3, 4, 2)), RNG.integers(0, 3, (3, 4))),
    ),
    "regressor": (SequenceRegressor(2, input_size=2, **SMALL), Sequences(vectors(2), RNG.random((3, 2)))),
    "regressor of steps": (
        SequenceRegressor(1, pooling=None, loss="gaussian", input_size=2, cell="gru", **SMALL),
        Sequences(vectors(2), vectors(1)),
    ),
    "forecaster": (
        Forecaster(2, targets=2, loss="quantile", input_size=3, num_layers=2, **SMALL),
        Sequences(WINDOWS.x, WINDOWS.y),
    ),
    "forecaster with covariates": (
        Forecaster(2, targets=2, future_size=1, loss="gaussian", input_size=3, cell="gru", **SMALL),
        WINDOWS,
    ),
    "forecaster with covariates, two layers": (
        Forecaster(2, targets=2, future_size=1, input_size=3, num_layers=2, **SMALL),
        WINDOWS,
    ),
    "language": (LanguageModel(5, num_layers=2, **SMALL), Stream(RNG.integers(0, 5, 13), steps=4)),
    "translator": (
        Seq2Seq(4, vocabulary=5, bidirectional=True, num_layers=2, **SMALL),
        Sequences(tokens(5), tokens(4, [2, 3, 1])),
    ),
    "translator without attention": (
        Seq2Seq(4, input_size=2, cell="gru", attention=False, label_smoothing=0.2, **SMALL),
        Sequences(vectors(2), tokens(4, [2, 3, 1])),
    ),
    "recognizer": (
        CTCRecognizer(3, input_size=2, bidirectional=True, **SMALL),
        Sequences(vectors(2), tokens(3, [2, 1, 1])),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_gradients(name):
    model, data = MODELS[name]
    batch = next(data.batches(3))
    model.zero_grad()
    step = model.loss(batch)
    step.backward()
    again = model.loss(batch, train=False)
    assert again.value == step.value and again.count == step.count and again.backward is None
    for parameter, value in model.parameters.items():
        slope = finite_differences(value, lambda: model.loss(batch, train=False).value)
        np.testing.assert_allclose(model.grads[parameter], slope, atol=2e-7, err_msg=parameter)
    assert any(grad.any() for grad in model.grads.values())


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_is_the_sequences_in_it(name):
    """The loss of a batch is the mean over its sequences, each alone."""
    model, data = MODELS[name]
    if isinstance(data, Stream):
        data = Sequences(tokens(5), tokens(5))
    batch = next(data.batches(len(data)))
    whole = model.loss(batch, train=False)
    alone = [model.loss(data.take(np.array([i])), train=False) for i in batch.index]
    weights = [step.count for step in alone]
    assert sum(weights) == whole.count
    assert whole.value == pytest.approx(
        np.average([step.value for step in alone], weights=weights), rel=1e-12
    )


@pytest.mark.parametrize("name", MODELS)
def test_saved_and_loaded(name, tmp_path):
    model, data = MODELS[name]
    model.notes["names"] = ["a", "b"]
    model.save(tmp_path / "model")
    twin = load(tmp_path / "model")
    assert type(twin) is type(model) and twin.config == model.config and twin.notes == {"names": ["a", "b"]}
    assert repr(twin) == repr(model)
    batch = next(data.batches(3))
    assert twin.loss(batch, train=False).value == model.loss(batch, train=False).value


FORWARD = [name for name in MODELS if "both" not in name and "translator" not in name]


@pytest.mark.parametrize("name", [n for n in FORWARD if not MODELS[n][0].config.get("bidirectional")])
def test_stepper_gives_the_bits_of_the_sequence(name):
    model, data = MODELS[name]
    batch = next(data.batches(3))
    x = batch.x[: min(LENGTHS)] if batch.lengths is not None else batch.x
    ahead = () if batch.future is None else (batch.future,)
    step = model.stepper(x.shape[1])
    for t in range(len(x)):
        got = step(x[t], *ahead)
    want = model(x, future=batch.future) if ahead else model(x)
    pooled = isinstance(model, (SequenceClassifier, Forecaster)) or getattr(model, "pooling", None)
    if isinstance(model, SequenceRegressor):
        got = got.reshape(want[-1].shape if not pooled else want.shape)
    np.testing.assert_array_equal(got, want if pooled else want[-1])
    state = step.state
    other = step(x[0], *ahead)
    step.state = state
    np.testing.assert_array_equal(step(x[0], *ahead), other)
    step.reset()
    first = model.stepper(x.shape[1])(x[0], *ahead)
    np.testing.assert_array_equal(step(x[0], *ahead), first)


def test_a_model_stepped_in_another_process_gives_the_same_bits(tmp_path):
    x = np.random.default_rng(1).standard_normal((20, 6, 3)).astype(np.float32)
    y = (x.sum(axis=(1, 2)) > 0).astype(int)
    model = SequenceClassifier(2, input_size=3, hidden_size=9, num_layers=2, dropout=0.2, seed=0)
    fit(model, (x, y), epochs=2, batch_size=4, seed=0, progress=False)
    model.save(tmp_path / "model")
    by_steps = np.ascontiguousarray(x.swapaxes(0, 1))
    np.save(tmp_path / "x.npy", by_steps)
    code = """
import sys, numpy as np
from elman.models import load
x = np.load(sys.argv[2])
step = load(sys.argv[1]).stepper(x.shape[1])
np.save(sys.argv[3], np.stack([step(now) for now in x]))
"""
    paths = [str(tmp_path / name) for name in ("model", "x.npy", "out.npy")]
    subprocess.run([sys.executable, "-c", code, *paths], check=True)
    out = np.load(tmp_path / "out.npy")
    step = model.stepper(20)
    np.testing.assert_array_equal(out, np.stack([step(now) for now in by_steps]))
    np.testing.assert_array_equal(out[-1], model(by_steps))


def test_predictions_come_in_the_order_of_the_data():
    rng = np.random.default_rng(0)
    x = [rng.standard_normal((t, 2)).astype(np.float32) for t in (3, 9, 1, 5)]
    model = SequenceClassifier(3, input_size=2, hidden_size=5, seed=0)
    p = model.predict_proba(x, batch_size=2)
    assert p.shape == (4, 3)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
    for i, one in enumerate(x):
        np.testing.assert_array_equal(model.predict_proba([one])[0], p[i])
    np.testing.assert_array_equal(model.predict(x), p.argmax(axis=1))
    tags = SequenceTagger(3, input_size=2, hidden_size=5, seed=0).predict(x, batch_size=3)
    assert [len(t) for t in tags] == [3, 9, 1, 5]


def test_quantiles():
    x = np.random.default_rng(0).standard_normal((4, 5, 3)).astype(np.float32)
    gaussian = Forecaster(2, loss="gaussian", input_size=3, hidden_size=4, seed=0)
    q = gaussian.predict_quantiles(x, (0.1, 0.5, 0.9))
    assert q.shape == (4, 2, 1, 3) and (np.diff(q) > 0).all()
    np.testing.assert_array_equal(q[..., 1], gaussian.predict(x))
    model = Forecaster(2, loss="quantile", quantiles=(0.2, 0.6), input_size=3, hidden_size=4, seed=0)
    np.testing.assert_array_equal(model.predict_quantiles(x, [0.6])[..., 0], model.predict(x))
    with pytest.raises(ValueError, match=r"quantiles: expected quantiles among \[0.2, 0.6\], got \[0.5\]"):
        model.predict_quantiles(x, [0.5])
    with pytest.raises(ValueError, match="quantiles: expected a model of a distribution, got"):
        Forecaster(2, input_size=3).predict_quantiles(x)


def test_binary_regressor_predicts_probabilities():
    x = np.random.default_rng(0).standard_normal((60, 4, 2)).astype(np.float32)
    y = (x[:, 1:2, 0] > 0).astype(np.float32)
    model = SequenceRegressor(1, loss="binary", input_size=2, hidden_size=8, seed=0)
    fit(model, (x, y), epochs=40, learning_rate=0.02, seed=0, progress=False)
    p = model.predict(x)
    assert (p >= 0).all() and (p <= 1).all() and ((p > 0.5) == y).mean() > 0.95


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
        np.testing.assert_allclose(model.head(np.tanh(pairs)), model.run(batch)[0][:, 0], rtol=1e-12)


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
        slope = finite_differences(model.parameters[name], again)
        np.testing.assert_allclose(model.grads[name], slope, atol=2e-7, err_msg=name)


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
    "cell: expected one of 'rnn', 'lstm', 'gru', got 'qrnn'": lambda: SequenceTagger(
        2, input_size=2, cell="qrnn"
    ),
    "embedding_size: expected None without vocabulary, got 3": lambda: SequenceTagger(
        2, input_size=2, embedding_size=3
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
    assert load(tmp_path / "model").config == model.config
    assert model.config["classes"] == 2 and type(model.config["classes"]) is int


def test_files_of_other_kinds_are_refused(tmp_path):
    import elman

    elman.GRU(2, 3).save(tmp_path / "layer")
    with pytest.raises(ValueError, match=r"path: expected a file written by a model's save\(\)"):
        load(tmp_path / "layer")
    model = LanguageModel(3)
    model.notes["rng"] = np.random.default_rng()
    with pytest.raises(ValueError, match="notes: expected what JSON can hold"):
        model.save(tmp_path / "model")
