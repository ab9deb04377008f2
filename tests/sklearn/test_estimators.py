"""The scikit-learn estimators: scikit-learn's own checks, pipelines, grid searches, ragged data."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import elman
from elman.sklearn import RecurrentClassifier, RecurrentForecaster, RecurrentRegressor


def expected_failures(estimator):
    if isinstance(estimator, RecurrentForecaster):
        reason = "rows are steps of a series: a forecast depends on their order, and on having enough of them"
        return {"check_methods_sample_order_invariance": reason, "check_methods_subset_invariance": reason}
    return {}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [
        RecurrentClassifier(random_state=0, epochs=20),
        RecurrentRegressor(random_state=0, epochs=20),
        RecurrentForecaster(context=2, random_state=0, epochs=2),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def waves(n=80, ragged=True, seed=0):
    """Slow or fast waves of two features, of random phase and length."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    x = []
    for fast in y:
        t = np.arange(rng.integers(15, 30) if ragged else 20)
        phase = (0.9 if fast else 0.4) * t + rng.uniform(0, 6)
        x.append(np.stack([np.sin(phase), np.cos(phase)], axis=1) + 0.1 * rng.standard_normal((len(t), 2)))
    return (x if ragged else np.stack(x)), np.array(["slow", "fast"])[y]


@pytest.mark.parametrize("ragged", [False, True])
def test_classifier(ragged):
    x, y = waves(ragged=ragged)
    estimator = RecurrentClassifier(epochs=30, random_state=0).fit(x[:60], y[:60])
    assert estimator.score(x[60:], y[60:]) > 0.9
    assert list(estimator.classes_) == ["fast", "slow"]
    p = estimator.predict_proba(x[60:])
    assert p.shape == (20, 2)
    np.testing.assert_array_equal(estimator.classes_[p.argmax(axis=1)], estimator.predict(x[60:]))
    again = clone(estimator).fit(x[:60], y[:60])
    np.testing.assert_array_equal(again.predict_proba(x[60:]), p)  # the same random_state, the same bits
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(estimator)).predict_proba(x[60:]), p)
    objects = np.empty(20, object)
    objects[:] = list(x[60:])
    np.testing.assert_array_equal(estimator.predict_proba(objects), p)
    column = pd.Series([one.tolist() for one in x[60:]], index=range(40, 60))
    if ragged:
        np.testing.assert_array_equal(estimator.predict_proba(column), p)


def test_classifier_goes_on_with_partial_fit():
    x, y = waves()
    estimator = RecurrentClassifier(random_state=0)
    estimator.partial_fit(x[:1], y[:1], classes=["slow", "fast"])
    scores = []
    for _ in range(30):
        estimator.partial_fit(x[:60], y[:60])
        scores.append(estimator.score(x[60:], y[60:]))
    assert scores[-1] > 0.9 and estimator.history_.epochs == 31
    assert estimator.history_.train_loss[-1] < estimator.history_.train_loss[1] / 2
    with pytest.raises(ValueError, match=r"y: expected labels among .*, got .*middling"):
        estimator.partial_fit(x[:1], ["middling"])


def test_regressor():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 6, 2))
    y = 100 + 30 * x[:, -1] @ np.array([[1, 0.5], [-1, 2]])
    options = {"validation_fraction": 0.2, "patience": 10, "epochs": 60, "random_state": 0}
    estimator = RecurrentRegressor(**options).fit(x[:150], y[:150])
    assert estimator.score(x[150:], y[150:]) > 0.9
    assert estimator.predict(x[150:]).shape == (50, 2)
    assert len(estimator.history_.validation_loss) == estimator.history_.epochs
    one = RecurrentRegressor(epochs=2).fit(x, y[:, 0])
    assert one.predict(x).shape == (200,)
    part = RecurrentRegressor(random_state=0)
    for _ in range(30):
        part.partial_fit(x[:150], y[:150])
    assert part.score(x[150:], y[150:]) > 0.8
    with pytest.raises(ValueError, match=r"y: expected \[n, 2\], got \[200\] float64"):
        part.partial_fit(x, y[:, 0])


@pytest.mark.slow
def test_forecaster():
    t = np.arange(400)
    series = np.stack([np.sin(0.3 * t), 5 + np.cos(0.2 * t)], axis=1)
    estimator = RecurrentForecaster(horizon=3, context=15, random_state=0).fit(series[:300])
    assert estimator.score(series[300:]) > 0.95
    forecast = estimator.predict(series[:350])
    assert forecast.shape == (3, 2)
    np.testing.assert_allclose(forecast, series[350:353], atol=0.2)
    both = estimator.predict([series[:350], series[:200]])
    np.testing.assert_array_equal(both[0], forecast)
    several = RecurrentForecaster(horizon=3, context=15, random_state=0).fit([series[:150], series[150:300]])
    assert several.score(series[300:]) > 0.9
    scores = cross_val_score(
        RecurrentForecaster(context=15, epochs=10, random_state=0), series, cv=TimeSeriesSplit(3)
    )
    assert scores[-1] > 0.8
    estimator.partial_fit(series)
    first = RecurrentForecaster(context=15, random_state=0).partial_fit(series)
    assert first.history_.epochs == 1 and first.epochs == 20


def test_pipeline():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((100, 8))  # columns are steps
    y = x[:, -1] > x[:, 0]
    model = make_pipeline(StandardScaler(), RecurrentClassifier(epochs=30, random_state=0))
    assert model.fit(x, y).score(x, y) > 0.9


def count_threads(_):
    return elman.num_threads()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_grid_search_with_two_jobs():
    """It ends, and the processes together use as many threads as there are processors."""
    x, y = waves(60)
    search = GridSearchCV(
        RecurrentClassifier(epochs=15, random_state=0), {"cell": ["gru", "rnn"], "hidden_size": [8, 16]},
        cv=3, n_jobs=2,
    )  # fmt: skip
    search.fit(x, y)
    assert search.best_score_ > 0.8
    joblib = pytest.importorskip("joblib")
    threads = joblib.Parallel(n_jobs=2)(joblib.delayed(count_threads)(i) for i in range(4))
    assert set(threads) == {max(1, os.cpu_count() // 2)}


@pytest.mark.slow
def test_timestamps_keep_their_differences():
    """Seconds since 1970 differ by less than float32 can tell: it is scaled first."""
    rng = np.random.default_rng(0)
    seconds = 1.7e9 + 30 * rng.random((120, 6, 1))
    y = seconds[:, -1, 0] > seconds[:, 0, 0]
    small = seconds - 1.7e9
    model = RecurrentClassifier(epochs=30, random_state=0)
    assert model.fit(seconds, y).score(seconds, y) > 0.9
    np.testing.assert_allclose(
        model.predict_proba(seconds), clone(model).fit(small, y).predict_proba(small), atol=0.01
    )
    targets = seconds[:, -1, 0]
    regressor = RecurrentRegressor(epochs=30, random_state=0).fit(seconds, targets)
    assert regressor.score(seconds, targets) > 0.8
    series = 1.7e9 + 10 * np.sin(0.3 * np.arange(200.0))[:, None]
    forecaster = RecurrentForecaster(horizon=2, context=10, random_state=0).fit(series[:150])
    np.testing.assert_allclose(forecaster.predict(series[:150]), series[150:152], atol=2, rtol=0)


def test_without_scale_numbers_are_cast_as_they_are():
    x = np.random.default_rng(0).standard_normal((20, 5, 1))
    y = x[:, -1, 0] > 0
    model = RecurrentClassifier(epochs=2, scale=False, random_state=0).fit(x, y)
    same = model.predict_proba(x.astype(np.float32))
    np.testing.assert_array_equal(model.predict_proba(x), same)
    with pytest.raises(ValueError, match=r"X: expected numbers that float32 can hold, got 1e\+40"):
        model.predict(1e40 * np.ones((1, 5, 1)))


@pytest.mark.parametrize("make", [RecurrentClassifier, RecurrentRegressor, RecurrentForecaster])
@pytest.mark.parametrize("ragged", [False, True])
def test_every_kind_of_array_gives_the_same_bits(make, ragged):
    pandas = pytest.importorskip("pandas")
    x, y = waves(12, ragged)
    y = (y == "slow").astype(int)
    if make is RecurrentForecaster and not ragged:
        x = x[0]
    options = {"context": 8} if make is RecurrentForecaster else {}

    def run(put):
        X = [put(one) for one in x] if ragged else put(x)
        model = make(epochs=2, random_state=0, **options).fit(X, put(y))
        return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)

    want = run(lambda array: array)
    kinds = [
        lambda array: array.tolist(), torch.tensor, np.asfortranarray,
        lambda array: array.repeat(2, axis=0)[::2],
        lambda array: pandas.DataFrame(array) if array.ndim == 2 else array,
    ]  # fmt: skip
    for put in kinds:
        np.testing.assert_array_equal(run(put), want)
    for which in ("X", "y"):
        if make is RecurrentForecaster and which == "y":
            continue

        def hide(array, which=which):
            return np.ma.masked_array(array) if (array is y) == (which == "y") else array

        with pytest.raises(ValueError, match=rf"{which}.*: expected an array without a mask .*\.filled\(\)"):
            run(hide)


def test_boolean_classes_and_lists_of_numbers():
    x, y = [[0.0, 1.0, 2.0], [2.0, 1.0], [0.0, 1.0], [3.0, 2.0, 1.0, 0.0]], [True, False, True, False]
    model = RecurrentClassifier(epochs=60, random_state=0).fit(x, y)
    assert model.predict(x).tolist() == y


REFUSALS = {
    r"X: expected \[n, t\], \[n, t, d\] or a list of \[t_i, d\], got \[2, 3, 4, 5\] float64": lambda x, y: (
        RecurrentClassifier().fit(np.zeros((2, 3, 4, 5)), [0, 1])
    ),
    "X: expected 2 features in a step, as in fit, got 3": lambda x, y: (
        RecurrentClassifier(epochs=1).fit(x, y).predict([np.zeros((4, 3))])
    ),
    "y: expected at least 2 classes, got 1 class: a": lambda x, y: RecurrentClassifier().fit(
        x, ["a"] * len(x)
    ),
    "validation_fraction: expected to leave sequences to train on, got 2 in all": lambda x, y: (
        RecurrentRegressor(validation_fraction=0.9).fit(x[:2], [1.0, 2.0])
    ),
    "optimizer: expected one of 'adam'": lambda x, y: RecurrentClassifier(optimizer="lion").fit(x, y),
    r"X: expected series \[n, 2\] with at least 25 steps, got \[10, 2\] float64 as series 0": lambda x, y: (
        RecurrentForecaster().fit(np.zeros((10, 2)))
    ),
    r"X: expected series \[n, 1\] with at least 5 steps, got .4, 1. float64 as series 0": lambda x, y: (
        RecurrentForecaster(context=4, epochs=1).fit(np.arange(9.0)[:, None]).score(np.zeros((4, 1)))
    ),
}


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    with pytest.raises(ValueError, match=message):
        REFUSALS[message](*waves(6))


def test_the_extra_is_named_where_it_is_missing(tmp_path):
    (tmp_path / "sklearn.py").write_text("raise ImportError")
    code = "import elman.sklearn"
    out = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
    )
    assert "elman.sklearn needs sklearn: pip install 'elman[sklearn]'" in out.stderr


@pytest.mark.parametrize("kind", [RecurrentClassifier, RecurrentRegressor])
def test_scales_are_those_of_what_is_trained_on(kind):
    """What is set apart for validation may be anything."""
    x, y = np.random.default_rng(0).standard_normal((20, 4, 2)), np.arange(20) % 2
    options = {"hidden_size": 2, "epochs": 1, "random_state": 0, "validation_fraction": 0.5}
    held = kind(**options)._apart(20, kind(**options)._seed())[1]
    other, far = x.copy(), y.copy()
    other[held] *= 100
    if kind is RecurrentRegressor:
        far[held] += 100
    model, again = kind(**options).fit(x, y), kind(**options).fit(other, far)
    np.testing.assert_array_equal(model.predict(x), again.predict(x))
    assert model.history_.validation_loss != again.history_.validation_loss
