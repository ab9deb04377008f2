"""Metrics of data with weights, against scikit-learn."""

import numpy as np
import pytest
import sklearn.metrics as sk

from elman.models import Forecaster, SequenceClassifier, SequenceRegressor
from elman.train import Sequences, evaluate, fit

rng = np.random.default_rng(0)
LENGTHS = rng.integers(2, 9, 60)
X = [rng.standard_normal((t, 3)).astype(np.float32) for t in LENGTHS]
OPTIONS = {"input_size": 3, "hidden_size": 4, "seed": 0}


OF_TWO = {
    "accuracy": sk.accuracy_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "precision": sk.precision_score,
    "recall": sk.recall_score,
    "f1": sk.f1_score,
}
OF_NUMBERS = {
    "mae": sk.mean_absolute_error,
    "mse": sk.mean_squared_error,
    "rmse": sk.root_mean_squared_error,
    "mape": sk.mean_absolute_percentage_error,
    "r2": sk.r2_score,
    "crps": sk.mean_absolute_error,
}


@pytest.mark.parametrize("classes", [2, 3])
def test_weights_of_samples_in_metrics_of_classes(classes):
    y, w = rng.integers(0, classes, 60), rng.random(60)
    model = SequenceClassifier(classes, **OPTIONS)
    own = {"own": lambda true, predicted, sample_weight=None: sample_weight.sum()}
    names = {name: name for name in (*OF_TWO, "auc")}
    found = evaluate(model, Sequences(X, y, weights=w), 7, metrics=names | own)
    said, scores = model.predict(X), model.predict_proba(X)
    macro = {} if classes == 2 else {"average": "macro", "zero_division": 0.0}
    for name, function in OF_TWO.items():
        options = macro if name in ("precision", "recall", "f1") else {}
        assert found[name] == pytest.approx(function(y, said, sample_weight=w, **options)), name
    of_class = scores[:, 1] if classes == 2 else scores
    assert found["auc"] == pytest.approx(sk.roc_auc_score(y, of_class, sample_weight=w, multi_class="ovr"))
    assert found["own"] == pytest.approx(w.sum())


def test_weights_of_several_classes_at_once():
    y, w = rng.integers(0, 2, (60, 3)), rng.random(60)
    model = SequenceClassifier(3, multi_label=True, **OPTIONS)
    found = evaluate(model, Sequences(X, y, weights=w), 7, metrics=["accuracy", "auc"])
    right = (model.predict(X) == y).all(axis=1)
    assert found["accuracy"] == pytest.approx(np.average(right, weights=w))
    assert found["auc"] == pytest.approx(sk.roc_auc_score(y, model.predict_proba(X), sample_weight=w))


def test_weights_of_steps_in_metrics_of_numbers():
    """Of two numbers for each step, some of which are not known."""
    y, w = [rng.standard_normal((t, 2)) for t in LENGTHS], [rng.random(t) for t in LENGTHS]
    for one in y:
        one[rng.random(one.shape) < 0.2] = np.nan
    model = SequenceRegressor(2, pooling=None, loss="huber", **OPTIONS)
    found = evaluate(model, Sequences(X, y, weights=w), 7, metrics=list(OF_NUMBERS))
    true, said = np.concatenate(y), np.concatenate(model.predict(X)).astype(float)
    known = ~np.isnan(true)
    weights = np.concatenate(w)[:, None].repeat(2, axis=1)[known]
    for name, function in OF_NUMBERS.items():
        want = function(true.astype(np.float32)[known], said[known], sample_weight=weights)
        assert found[name] == pytest.approx(want, rel=1e-5), name


@pytest.mark.parametrize("loss", ["gaussian", "quantile"])
def test_weights_in_the_crps(loss):
    """A weight is a number of repetitions."""
    y, times = rng.standard_normal((60, 2, 1)), rng.integers(0, 4, 60)
    model = Forecaster(2, loss=loss, **OPTIONS)
    found = evaluate(model, Sequences(X, y, weights=times), 7, metrics="crps")
    again = np.repeat(np.arange(60), times)
    want = evaluate(model, ([X[i] for i in again], y[again]), 7, metrics="crps")
    assert found["crps"] == pytest.approx(want["crps"], rel=1e-5)


def test_functions_without_weights_are_refused_before_any_work():
    weighted = Sequences(X, rng.integers(0, 2, 60), weights=np.ones(60))

    class Shards:  # whose batches come with weights
        unit = "sequences"

        def __len__(self):
            return 60

        def batches(self, batch_size, seed=None):
            return weighted.batches(batch_size, seed)

    def own(true, predicted):
        raise AssertionError("called")

    model = SequenceClassifier(2, **OPTIONS)
    message = (
        r"metrics\['own'\]: expected a function \(true, predicted, sample_weight\), as the data have weights"
    )
    for call in (
        lambda: evaluate(model, weighted, metrics={"own": own}),
        lambda: evaluate(model, Shards(), metrics={"own": own}),
        lambda: fit(model, (X, [0, 1] * 30), weighted, metrics={"own": own}, progress=False),
    ):
        with pytest.raises(ValueError, match=message):
            call()
