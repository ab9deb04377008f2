"""Targets and features in every form train the same model; wrong ones are refused in the words of who gave them."""

import numpy as np
import pandas as pd
import pytest
import torch

import elman
from elman.layers import GRU, Linear, Pooling
from elman.models import (
    Forecaster,
    Graph,
    Input,
    LanguageModel,
    Output,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from elman.train import Sequences, Stream, evaluate, fit
from tests.support.slopes import slope_of_parameter

RNG = np.random.default_rng(0)
X = RNG.standard_normal((12, 4, 2)).astype(np.float32)
Y = np.arange(12) % 3
SMALL = {"input_size": 2, "hidden_size": 3, "seed": 0}
QUICK = {"epochs": 2, "batch_size": 5, "seed": 0, "progress": False}


def trained(make, x, y, **options):
    model = make()
    fit(model, (x, y), **QUICK, **options)
    return model


def same(model, other):
    for name, value in model.parameters.items():
        np.testing.assert_array_equal(value, other.parameters[name], err_msg=name)


FORMS = {
    "list": Y.tolist(),
    "int8": Y.astype(np.int8),
    "column": Y[:, None],
    "one-hot": np.eye(3)[Y],
    "one-hot of flags": np.eye(3, dtype=bool)[Y],
    "floats": Y.astype(float),
    "Series": pd.Series(Y, dtype="Int32"),
    "tensor": torch.tensor(Y),
    "frame": pd.DataFrame({"label": Y}),
}


def test_probabilities_of_tags():
    model = SequenceTagger(["B", "I", "O"], **SMALL)
    x, mask = (
        [X[0], X[1][:2], X[2][:0]],
        [np.array([True, False, True, True]), np.ones(2, bool), np.ones(0, bool)],
    )
    found = model.predict_proba(x)
    assert model.labels.names == ["B", "I", "O"] and [one.shape for one in found] == [(4, 3), (2, 3), (0, 3)]
    for one, tags, row in zip(found, model.predict(x), x, strict=True):
        assert [model.labels.names[i] for i in one.argmax(axis=1)] == tags.tolist()
        if len(row):
            logits = model(row[:, None])[:, 0].astype(np.float64)
            np.testing.assert_allclose(one, np.exp(logits) / np.exp(logits).sum(axis=1)[:, None], rtol=1e-5)
    masked = model.predict_proba(x, mask=mask)
    assert np.isnan(masked[0][1]).all() and not np.isnan(masked[0][[0, 2, 3]]).any()


def test_a_missing_label_is_no_class():
    with pytest.raises(ValueError, match=r"classes\[2\]: expected a label, got nan"):
        SequenceClassifier(["a", "b", np.nan], **SMALL)


@pytest.mark.parametrize("form", FORMS)
def test_classes_in_every_form(form):
    def make():
        return SequenceClassifier(3, **SMALL)

    same(trained(make, X, FORMS[form]), trained(make, X, Y))


def test_labels_of_any_kind():
    names = ["low", "mid", "high"]
    want = trained(lambda: SequenceClassifier(3, **SMALL), X, Y)
    given = [
        (names, np.array(names)[Y]),
        (names, pd.Categorical(np.array(names)[Y])),
        ([10, 20, 30], 10 * (Y + 1)),
        ([0.5, "b", 3], np.array([0.5, "b", 3], object)[Y]),
    ]
    for classes, y in given:
        model = trained(lambda classes=classes: SequenceClassifier(classes, **SMALL), X, y)
        same(model, want)
        got = model.predict(X)
        assert got.tolist() == [classes[i] for i in want.predict(X)]
    assert SequenceClassifier([False, True], **SMALL).predict(X).dtype == bool


def test_tags_in_every_form():
    tags = RNG.integers(0, 2, (12, 4))
    want = trained(lambda: SequenceTagger(2, **SMALL), X, tags)
    for y in (tags[..., None], np.eye(2)[tags], torch.tensor(tags, dtype=torch.int8), tags.tolist()):
        same(trained(lambda: SequenceTagger(2, **SMALL), X, y), want)
    words = [[["O", "B"][tag] for tag in row] for row in tags]
    model = trained(lambda: SequenceTagger(["O", "B"], **SMALL), X, words)
    same(model, want)
    assert model.predict(X)[0].tolist() == [["O", "B"][tag] for tag in want.predict(X)[0]]
    ragged = [x[: 1 + i % 4] for i, x in enumerate(X)]
    short = [row[: 1 + i % 4] for i, row in enumerate(words)]
    by_number = [row[: 1 + i % 4] for i, row in enumerate(tags)]
    same(
        trained(lambda: SequenceTagger(["O", "B"], **SMALL), ragged, short),
        trained(lambda: SequenceTagger(2, **SMALL), ragged, by_number),
    )


def test_axes_of_one_may_be_missing():
    y = RNG.standard_normal((12, 1))
    want = trained(lambda: SequenceRegressor(1, **SMALL), X, y)
    for form in (y[:, 0], y[:, 0].tolist(), pd.Series(y[:, 0]), y[:, :, None]):
        same(trained(lambda: SequenceRegressor(1, **SMALL), X, form), want)
    steps = RNG.standard_normal((12, 4, 1))
    same(
        trained(lambda: SequenceRegressor(1, pooling=None, **SMALL), X, steps[..., 0]),
        trained(lambda: SequenceRegressor(1, pooling=None, **SMALL), X, list(steps)),
    )
    ahead = RNG.standard_normal((12, 3, 1))
    same(
        trained(lambda: Forecaster(3, **SMALL), X, ahead[..., 0]),
        trained(lambda: Forecaster(3, **SMALL), X, ahead),
    )
    same(
        trained(lambda: Forecaster(1, targets=3, **SMALL), X, ahead[..., 0]),
        trained(lambda: Forecaster(1, targets=3, **SMALL), X, ahead.swapaxes(1, 2)),
    )
    one = {"input_size": 1, "hidden_size": 3, "seed": 0}
    same(
        trained(lambda: SequenceClassifier(3, **one), X[..., 0], Y),
        trained(lambda: SequenceClassifier(3, **one), X[..., :1], Y),
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int64, np.uint8, np.bool_])
def test_features_become_the_models_type(dtype):
    x = np.abs(10 * X).astype(dtype)
    for kind in ("float32", "float64"):

        def make(kind=kind):
            return SequenceRegressor(1, dtype=kind, **SMALL)

        model, want = trained(make, x, Y), trained(make, x.astype(kind), Y)
        same(model, want)
        np.testing.assert_array_equal(model.predict(x), want.predict(x.astype(kind)))
        assert evaluate(model, (x, Y)) == evaluate(want, (x.astype(kind), Y))
    frames = [pd.DataFrame(one) for one in x]
    np.testing.assert_array_equal(model.predict(frames), model.predict(x))
    future = RNG.standard_normal((12, 2, 1))
    forecaster = Forecaster(2, future_size=1, **SMALL)
    want = forecaster.predict(x.astype(np.float32), future=future.astype(np.float32))
    np.testing.assert_array_equal(forecaster.predict(x, future=future), want)


def test_tokens_of_any_type():
    tokens = RNG.integers(0, 5, (12, 4))
    model = SequenceClassifier(3, vocabulary=5, hidden_size=3, seed=0)
    for form in (tokens.astype(np.uint8), tokens.astype(float), pd.DataFrame(tokens), tokens.tolist()):
        np.testing.assert_array_equal(model.predict_proba(form), model.predict_proba(tokens))


def test_labels_that_are_unknown_or_ignored_do_not_count():
    y = Y.astype(float)
    y[::4] = np.nan
    model = trained(lambda: SequenceClassifier(3, **SMALL), X, Y)
    want = evaluate(model, (X[~np.isnan(y)], Y[~np.isnan(y)]))
    assert evaluate(model, (X, y)) == pytest.approx(want, rel=1e-6)
    assert evaluate(model, (X, [None if np.isnan(one) else int(one) for one in y])) == pytest.approx(
        want, rel=1e-6
    )
    ignoring = SequenceClassifier(3, ignore=-1, **SMALL)
    ignoring.load_state_dict(model.state_dict())
    assert evaluate(ignoring, (X, np.nan_to_num(y, nan=-1))) == pytest.approx(want, rel=1e-6)
    tags = [["A", "-", None], ["B"]]
    tagger = SequenceTagger(["A", "B"], ignore="-", **SMALL)
    assert tagger.loss(Sequences([X[0, :3], X[1, :1]], tags).take(np.array([0, 1])), train=False).count == 2
    text = LanguageModel(4, hidden_size=3, ignore=0, seed=0)
    assert text.loss(Sequences([[1, 2, 3]], [[2, 0, 1]]).take(np.array([0])), train=False).count == 2


def test_shares_of_classes():
    shares = RNG.dirichlet(np.ones(3), 12)
    model = SequenceClassifier(3, dtype="float64", **SMALL)
    batch = Sequences(X, shares).take(np.arange(12))
    p = model.predict_proba(X)
    want = -(shares * np.log(p)).sum(axis=1).mean()
    assert model.loss(batch, train=False).value == pytest.approx(want, rel=1e-12)
    model.zero_grad()
    model.loss(batch).backward()
    slope = slope_of_parameter(model, "network.head.weight", lambda: model.loss(batch, train=False).value)
    np.testing.assert_allclose(model.grads["network.head.weight"], slope, atol=1e-8)


def test_several_labels_at_once(tmp_path):
    x = RNG.standard_normal((80, 5, 2)).astype(np.float32)
    y = np.stack([x[:, -1, 0] > 0, x[:, -1, 1] > 0, x[:, -1].sum(axis=1) > 0], axis=1)
    model = SequenceClassifier(["a", "b", "both"], multi_label=True, input_size=2, hidden_size=8, seed=0)
    fit(model, (x, y), epochs=40, learning_rate=0.02, seed=0, progress=False)
    found, p = model.predict(x), model.predict_proba(x)
    assert found.shape == (80, 3) and found.dtype == bool and (found == y).mean() > 0.9
    np.testing.assert_array_equal(found, p > 0.5)
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(elman.load(tmp_path / "m").predict(x), found)
    unknown = y.astype(float)
    unknown[0, 1] = np.nan
    assert model.loss(Sequences(x, unknown).take(np.array([0])), train=False).count == 2


def test_labels_of_a_stream():
    x, tags = RNG.standard_normal((40, 2)), RNG.integers(0, 2, 40)
    words = np.array(["O", "B"])[tags]
    models = [SequenceTagger(2, **SMALL), SequenceTagger(["O", "B"], **SMALL)]
    for model, y in zip(models, (tags, words), strict=True):
        fit(model, Stream(x, y, steps=7), **QUICK)
    same(*models)
    with pytest.raises(ValueError, match="train: y: expected labels among 'O', 'B', got 'I'"):
        fit(models[1], Stream(x, ["I"] * 40), **QUICK)


@pytest.mark.parametrize("form", ["column", "one-hot", "floats", "Series", "tensor", "list"])
def test_classes_of_a_graph_in_every_form(form):
    def trained(y):
        node = Input("x").through(GRU(2, 3, seed=0), Pooling("last"), Linear(3, 3, seed=1))
        model = Graph({"kind": Output(node, "cross_entropy")})
        fit(model, ({"x": X}, {"kind": y}), **QUICK)
        return model

    same(trained(FORMS[form]), trained(Y))


def test_unknown_classes_of_a_graph_do_not_count():
    node = Input("x").through(GRU(2, 3, seed=0), Linear(3, 2, seed=1))
    model = Graph({"tag": Output(node, "cross_entropy")})
    tags = RNG.integers(0, 2, (12, 4)).astype(float)
    gaps = np.where(RNG.random((12, 4)) < 0.3, np.nan, tags)
    got = evaluate(model, ({"x": X}, {"tag": gaps}))
    known = ~np.isnan(gaps)
    p = model.predict_proba({"x": X})["tag"]
    want = -np.log(np.stack(p)[known, tags[known].astype(int)]).mean()
    assert got == pytest.approx(want, rel=1e-5)
