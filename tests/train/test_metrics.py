"""Metrics beside the loss, against scikit-learn and SciPy on what the model predicts."""

import numpy as np
import pytest
import sklearn.metrics as sk
from scipy import integrate, stats

from elman.losses.scores import crps_of_normal
from elman.models import (
    CTCRecognizer,
    Forecaster,
    LanguageModel,
    Model,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from elman.train import Outcome, Sequences, Stream, evaluate
from elman.train.metrics import METRICS
from tests.support.runs import data

rng = np.random.default_rng(0)
LENGTHS = rng.integers(2, 9, 60)
X = [rng.standard_normal((t, 3)).astype(np.float32) for t in LENGTHS]
OPTIONS = {"input_size": 3, "hidden_size": 4, "seed": 0}


def test_two_classes():
    y = rng.integers(0, 2, 60)
    model = SequenceClassifier(2, **OPTIONS)
    found = evaluate(
        model, (X, y), 7, metrics=["accuracy", "balanced_accuracy", "precision", "recall", "f1", "auc"]
    )
    said, scores = model.predict(X), model.predict_proba(X)[:, 1]
    assert found == pytest.approx({
        "loss": evaluate(model, (X, y), 7),
        "accuracy": (said == y).mean(),
        "balanced_accuracy": sk.balanced_accuracy_score(y, said),
        "precision": sk.precision_score(y, said, zero_division=0),
        "recall": sk.recall_score(y, said),
        "f1": sk.f1_score(y, said),
        "auc": sk.roc_auc_score(y, scores),
    })  # fmt: skip


def test_labels_that_are_ignored_unknown_or_without_weight_do_not_count():
    names = ["a", "b", "c"]
    y = np.array(rng.choice([*names, "none"], 60), object)
    y[:5] = None
    weights = np.ones(60)
    weights[10:20] = 0
    model = SequenceClassifier(names, ignore="none", **OPTIONS)
    seen = []

    def own(true, predicted, sample_weight):
        assert (sample_weight == 1).all()
        seen.append((true, predicted))
        return np.float32(len(true))

    found = evaluate(
        model, Sequences(X, y, weights=weights), 7, metrics={"f1": "f1", "auc": "auc", "own": own}
    )
    counts = np.isin(y, names) & (weights > 0)
    said = model.predict(X)
    ((true, predicted),) = seen
    pairs = sorted(zip(y[counts].tolist(), said[counts].tolist(), strict=True))
    assert (
        sorted(zip(true.tolist(), predicted.tolist(), strict=True)) == pairs and found["own"] == counts.sum()
    )
    assert found["f1"] == pytest.approx(
        sk.f1_score(y[counts].tolist(), said[counts].tolist(), average="macro")
    )
    numbers = [names.index(label) for label in y[counts]]
    scores = model.predict_proba(X)[counts]
    assert found["auc"] == pytest.approx(sk.roc_auc_score(numbers, scores, multi_class="ovr"))


def test_several_classes_at_once():
    y = rng.integers(0, 2, (60, 3))
    model = SequenceClassifier(3, multi_label=True, **OPTIONS)
    found = evaluate(model, (X, y), metrics=["accuracy", "f1", "auc"])
    said = model.predict(X)
    assert found["accuracy"] == pytest.approx((said == y).all(axis=1).mean())
    assert found["f1"] == pytest.approx(sk.f1_score(y, said, average="macro", zero_division=0))
    assert found["auc"] == pytest.approx(sk.roc_auc_score(y, model.predict_proba(X)))


def test_tags_count_within_lengths_and_mask():
    y = [rng.integers(0, 3, t) for t in LENGTHS]
    mask = [rng.random(t) < 0.7 for t in LENGTHS]
    model = SequenceTagger(3, ignore=2, **OPTIONS)
    for marks in (None, mask):
        said = np.concatenate(model.predict(X, mask=marks))
        true = np.concatenate(y)
        counts = (true != 2) & (True if marks is None else np.concatenate(marks))
        found = evaluate(model, Sequences(X, y, mask=marks), 7, metrics="accuracy")
        assert found["accuracy"] == pytest.approx((said == true)[counts].mean())


def test_the_next_token():
    stream = Stream(rng.integers(0, 5, 101), steps=9)
    model = LanguageModel(5, hidden_size=4, seed=0)
    found = evaluate(model, stream, 1, metrics=["accuracy"])
    said = model(stream.x[:, None])[:, 0].argmax(axis=-1)
    assert found["accuracy"] == pytest.approx((said == stream.y).mean())


def with_gaps(shape):
    y = rng.standard_normal(shape)
    y[rng.random(shape) < 0.2] = np.nan
    return y


def test_numbers():
    y = with_gaps((60, 2))
    model = SequenceRegressor(2, loss="huber", **OPTIONS)
    seen = {"max": lambda true, predicted: np.abs(true - predicted).max()}
    names = {name: name for name in ("mae", "mse", "rmse", "mape", "r2", "crps")}
    found = evaluate(model, (X, y), 7, metrics=names | seen)
    known = ~np.isnan(y)
    true, said = y.astype(np.float32)[known].astype(float), model.predict(X)[known].astype(float)
    assert found == pytest.approx({
        "loss": found["loss"],
        "mae": np.abs(true - said).mean(),
        "mse": np.square(true - said).mean(),
        "rmse": np.sqrt(np.square(true - said).mean()),
        "mape": np.abs((true - said) / true).mean(),
        "r2": sk.r2_score(true, said),
        "crps": np.abs(true - said).mean(),
        "max": np.abs(true - said).max(),
    }, rel=1e-5)  # fmt: skip


def test_numbers_by_steps():
    y = [with_gaps((t, 1)) for t in LENGTHS]
    model = SequenceRegressor(1, pooling=None, **OPTIONS)
    found = evaluate(model, (X, y), 7, metrics="mae")
    error = np.abs(np.concatenate(model.predict(X)) - np.concatenate(y))
    assert found["mae"] == pytest.approx(np.nanmean(error), rel=1e-5)


def crps_by_integration(distribution, true):
    """The integral of (F(z) - [z >= true])^2."""
    below = integrate.quad(lambda z: distribution.cdf(z) ** 2, -40, true)[0]
    return below + integrate.quad(lambda z: (1 - distribution.cdf(z)) ** 2, true, 40)[0]


def test_crps_of_distributions():
    y = with_gaps((60, 4, 1))
    y[10:, 1:] = np.nan  # integrals take their time
    known = ~np.isnan(y)
    model = Forecaster(4, loss="gaussian", **OPTIONS)
    found = evaluate(model, (X, y), 7, metrics=["crps", "mae"])
    low, middle, high = np.moveaxis(model.predict_quantiles(X, (0.1, 0.5, 0.9)), -1, 0)
    deviation = (high - low)[known] / (2 * stats.norm.ppf(0.9))
    each = [
        crps_by_integration(stats.norm(m, s), true)
        for m, s, true in zip(middle[known], deviation, y[known], strict=True)
    ]
    assert found["crps"] == pytest.approx(np.mean(each), rel=1e-4)
    assert found["mae"] == pytest.approx(np.abs(middle - y)[known].mean(), rel=1e-5)

    levels = tuple(np.arange(1, 100) / 100)
    many = Forecaster(4, loss="quantile", quantiles=levels, **OPTIONS)
    quantiles = many.predict_quantiles(X, levels)[known].astype(float)
    error = y[known][:, None] - quantiles
    mean = 2 * np.maximum(np.array(levels) * error, (np.array(levels) - 1) * error)
    widths = np.full(99, 0.01)
    widths[[0, -1]] = 0.015
    assert evaluate(many, (X, y), metrics="crps")["crps"] == pytest.approx(
        (mean * widths).sum(axis=1).mean(), rel=1e-4
    )
    assert crps_of_normal(1.0, 0.5, 2.0) == pytest.approx(crps_by_integration(stats.norm(0.5, 2.0), 1.0))


def test_logits_of_numbers_are_classes():
    y = rng.integers(0, 2, (60, 1)).astype(float)
    y[:7] = np.nan
    model = SequenceRegressor(1, loss="binary", **OPTIONS)
    found = evaluate(model, (X, y), metrics=["accuracy", "auc", "f1"])
    scores = model.predict(X)[7:, 0]
    assert found["accuracy"] == pytest.approx(((scores > 0.5) == y[7:, 0]).mean())
    assert found["auc"] == pytest.approx(sk.roc_auc_score(y[7:, 0], scores))


class Own(Model):
    """The mean of x, times a parameter."""

    predicts = "numbers"

    def __init__(self):
        from elman.layers import Linear

        self.parts = {"linear": Linear(2, 1, seed=0)}

    def flow(self, batch, state=None, keep=False):
        y, back = self.parts["linear"].apply(batch.x.mean(axis=0), keep=keep)
        return y, None, back

    def criterion(self, prediction, batch, gradient):
        from elman.train import mean_squared_error

        return mean_squared_error(prediction, batch.y, weights=batch.weights, gradient=gradient)

    def outcome(self, prediction, batch, scores):
        return Outcome(batch.y.ravel(), prediction.ravel())


def test_a_model_of_ones_own():
    found = evaluate(Own(), data(), metrics={"mse": "mse"})
    assert found["mse"] == pytest.approx(found["loss"], rel=1e-5)
    weighted = Sequences(*data(), weights=np.ones(len(data()[0])))
    with pytest.raises(ValueError, match="weights: expected an outcome with weights, as the batch has some"):
        evaluate(Own(), weighted, metrics="mse")


def test_models_of_something_else_have_none():
    model = CTCRecognizer(3, input_size=3, hidden_size=4, seed=0)
    with pytest.raises(
        ValueError, match="metrics: expected a model that predicts classes or numbers, got another"
    ):
        evaluate(model, (X, [np.array([1])] * 60), metrics="accuracy")
    assert {metric.kind for metric in METRICS.values()} == {"classes", "numbers"}


def test_labels_of_several_kinds_stay_what_they_are():
    model, seen = SequenceClassifier([1, "a"], **OPTIONS), []
    y = np.array([1, "a"] * 30, object)
    evaluate(model, (X, y), metrics={"own": lambda true, predicted: seen.append((true, predicted)) or 0.0})
    ((true, predicted),) = seen
    for got, want in ((true, y), (predicted, model.predict(X))):
        assert sorted(map(repr, got.tolist())) == sorted(map(repr, want.tolist()))
