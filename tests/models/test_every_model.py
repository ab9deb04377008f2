"""Every model: its gradients, its file, its stepper, and that it learns what it is for."""

import copy
import subprocess
import sys

import numpy as np
import pytest

import elman
from elman.layers.wanted import of_arrays, only
from elman.models import (
    CTCRecognizer,
    Forecaster,
    LanguageModel,
    Seq2Seq,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from elman.train import Sequences, Stream, fit, forecast_windows
from tests.support.slopes import slope_of_parameter

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
def test_gradients_beside_frozen_parts(name):
    """Those of what is trained keep their bits; there are no others."""
    model, data = copy.deepcopy(MODELS[name])
    names, rng = list(model.parameters), np.random.default_rng(0)
    batch = next(data.batches(3))
    model.zero_grad()
    model.loss(batch).backward()
    want = {name: grad.copy() for name, grad in model.grads.items()}
    parts = [[name for name in names if name.startswith(part + ".")] for part in model.parts]
    some = [[name for name in names if rng.random() < 0.5] for _ in range(8)]
    for frozen in (names[:-1], names[1:], *(part for part in [*parts, *some] if len(part) < len(names))):
        model.zero_grad()
        with only(of_arrays(model.parameters[name] for name in names if name not in frozen)):
            model.loss(batch).backward()
        for name in names:
            np.testing.assert_array_equal(model.grads[name], want[name] * (name not in frozen))


@pytest.mark.parametrize("name", MODELS)
def test_gradients(name):
    model, data = MODELS[name]
    batch = next(data.batches(3))
    model.zero_grad()
    step = model.loss(batch)
    step.backward()
    again = model.loss(batch, train=False)
    assert again.value == step.value and again.count == step.count and again.backward is None
    for parameter in model.parameters:
        slope = slope_of_parameter(model, parameter, lambda: model.loss(batch, train=False).value)
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
    twin = elman.load(tmp_path / "model")
    assert type(twin) is type(model) and twin.config == model.config and twin.notes == {"names": ["a", "b"]}
    assert repr(twin) == repr(model)
    batch = next(data.batches(3))
    assert twin.loss(batch, train=False).value == model.loss(batch, train=False).value


FORWARD = [name for name in MODELS if "both" not in name and "translator" not in name]


@pytest.mark.parametrize("name", [n for n in FORWARD if not MODELS[n][0].config.get("bidirectional")])
def test_stepper_gives_the_bits_of_the_sequence(name):
    model, data = MODELS[name]
    batch = next(data.batches(3))
    x = batch.x  # as sequences of one length
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


@pytest.mark.parametrize("name", [n for n in FORWARD if not MODELS[n][0].config.get("bidirectional")])
def test_a_stepper_keeps_the_weights_that_it_was_made_with(name):
    model, data = copy.deepcopy(MODELS[name][0]), MODELS[name][1]
    batch = next(data.batches(3))
    ahead = () if batch.future is None else (batch.future,)
    step, other = (model.stepper(batch.x.shape[1]) for _ in range(2))
    want = other(batch.x[0], *ahead)
    with model.editing() as parameters:
        for value in parameters.values():
            value += 1
    np.testing.assert_array_equal(step(batch.x[0], *ahead), want)
    assert not np.array_equal(model.stepper(batch.x.shape[1])(batch.x[0], *ahead), want)


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
import elman
x = np.load(sys.argv[2])
step = elman.load(sys.argv[1]).stepper(x.shape[1])
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
    tagger = SequenceTagger(["a", "b", "c"], input_size=2, hidden_size=5, seed=0)
    tags, shares = tagger.predict(x, batch_size=3), tagger.predict_proba(x, batch_size=3)
    assert [len(t) for t in tags] == [3, 9, 1, 5]
    for one, tag, share in zip(x, tags, shares, strict=True):
        np.testing.assert_array_equal(np.array(tagger.labels.names)[share.argmax(axis=1)], tag)
        want = np.exp(tagger(one[:, None])[:, 0].astype(np.float64))
        np.testing.assert_allclose(share, want / want.sum(axis=1, keepdims=True), rtol=1e-5)


def test_quantiles():
    x = np.random.default_rng(0).standard_normal((4, 5, 3)).astype(np.float32)
    gaussian = Forecaster(2, loss="gaussian", input_size=3, hidden_size=4, seed=0)
    q = gaussian.predict_quantiles(x, (0.1, 0.5, 0.9))
    assert q.shape == (4, 2, 1, 3) and (np.diff(q) > 0).all()
    np.testing.assert_array_equal(q[..., 1], gaussian.predict(x))
    model = Forecaster(2, loss="quantile", quantiles=(0.2, 0.6), input_size=3, hidden_size=4, seed=0)
    np.testing.assert_array_equal(model.predict_quantiles(x, [0.6])[..., 0], model.predict(x))
    np.testing.assert_array_equal(
        model.predict_quantiles(x), model.predict_quantiles(x, (0.2, 0.6))
    )  # its own
    regressor = SequenceRegressor(
        1, loss="quantile", quantiles=(0.3, 0.7), input_size=3, hidden_size=4, seed=0
    )
    assert regressor.predict_quantiles(x).shape == (4, 1, 2)
    with pytest.raises(ValueError, match=r"quantiles\[0\]: expected a number above 0, got 0"):
        gaussian.predict_quantiles(x, [0])
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


def test_embedding_std_reaches_every_embedding():
    model = Seq2Seq(50, vocabulary=60, embedding_size=100, embedding_std=0.1, hidden_size=4, seed=0)
    for name in ("encoder.embedding.weight", "embedding.weight"):
        assert abs(model.parameters[name].std() - 0.1) < 0.01
