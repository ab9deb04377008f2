"""The forecaster of sktime: sktime's own checks, and what elman adds to them."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sktime")

from sktime.forecasting.compose import TransformedTargetForecaster
from sktime.forecasting.model_evaluation import evaluate
from sktime.split import ExpandingWindowSplitter
from sktime.transformations.series.detrend import Detrender
from sktime.utils._testing.hierarchical import _make_hierarchical
from sktime.utils.estimator_checks import check_estimator

from elman.sktime import RecurrentForecaster

pytestmark = pytest.mark.filterwarnings("ignore")  # of sktime and pandas
FAST = {"context": 6, "hidden_size": 6, "epochs": 2, "random_state": 0}


@pytest.mark.slow
def test_sktimes_own_checks():
    found = check_estimator(RecurrentForecaster, raise_exceptions=False, verbose=False)
    failed = {name: result for name, result in found.items() if result != "PASSED"}
    assert len(found) > 500 and not failed


def waves(n=80):
    index = pd.period_range("2010-01", periods=n, freq="M")
    rng = np.random.default_rng(0)
    return pd.Series(10 + np.sin(0.5 * np.arange(n)) + 0.01 * rng.standard_normal(n), index, name="wave")


def test_it_learns():
    y = waves()
    forecaster = RecurrentForecaster(context=12, epochs=60, random_state=0).fit(y[:60], fh=[1, 2, 5])
    found = forecaster.predict()
    assert list(found.index) == list(y.index[[60, 61, 64]]) and found.name == "wave"
    np.testing.assert_allclose(found, y.iloc[[60, 61, 64]], atol=0.3)
    bounds = forecaster.predict_interval(coverage=0.9)["wave"][0.9]
    assert (bounds["lower"] < found).all() and (found < bounds["upper"]).all()
    forecaster.update(y[60:70], update_params=False)  # goes on after what is known now
    np.testing.assert_allclose(forecaster.predict(), y.iloc[[70, 71, 74]], atol=0.3)


def test_updates_without_training_go_on_with_the_calibration():
    y = waves()
    forecaster = RecurrentForecaster(**FAST, loss="squared", calibration_fraction=0.3).fit(y[:60], fh=[1, 2])
    other = RecurrentForecaster(**FAST, loss="squared", calibration_fraction=0.3).fit(y[:60], fh=[1, 2])
    model, count = other.estimator_, len(other.estimator_.core_.calibration.errors)
    forecaster.update(y[60:65], update_params=False)
    forecaster.update(y[65:70], update_params=False)
    assert len(forecaster.estimator_.core_.calibration.errors) == count + 10
    frame = other._frame(y[:70].to_frame(), None)[0]
    want = model.observe(frame).predict(frame, quantiles=[0.05, 0.95]).filter(like="_q").to_numpy()
    np.testing.assert_allclose(forecaster.predict_interval(coverage=0.9).to_numpy(), want)
    forecaster.update(y[70:75])  # trains anew
    assert len(forecaster.estimator_.core_.calibration.errors) != count + 10


def test_one_network_for_a_hierarchy():
    y = _make_hierarchical(hierarchy_levels=(2, 2), min_timepoints=40, max_timepoints=40, random_state=0)
    forecaster = RecurrentForecaster(**FAST).fit(y, fh=[1, 3])
    found = forecaster.predict()
    assert found.index.nlevels == 3 and len(found) == 8 and not hasattr(forecaster, "forecasters_")
    assert forecaster.estimator_.core_.scales.by_series.keys() == {
        (a, b) for a in ("h0_0", "h0_1") for b in ("h1_0", "h1_1")
    }


def test_covariates_and_gaps():
    y = waves()
    promotion = pd.DataFrame({"p": np.random.default_rng(0).integers(0, 2, 80)}, index=y.index)
    y = y + 3 * promotion["p"]
    y.iloc[[20, 33]] = np.nan
    forecaster = RecurrentForecaster(context=12, epochs=60, random_state=0)
    forecaster.fit(y[:70], X=promotion[:70], fh=range(1, 5))
    with_it, without = (forecaster.predict(X=promotion[70:74].assign(p=p)) for p in (1, 0))
    np.testing.assert_allclose(with_it - without, 3, atol=1)


def test_it_is_part_of_pipelines_and_evaluations():
    y = waves()
    pipeline = TransformedTargetForecaster([("trend", Detrender()), ("net", RecurrentForecaster(**FAST))])
    table = evaluate(pipeline, cv=ExpandingWindowSplitter(fh=[1, 2], initial_window=60, step_length=10), y=y)
    assert len(table) == 2 and np.isfinite(table.filter(like="test_").to_numpy()).all()


def test_refusals():
    with pytest.raises(NotImplementedError):
        RecurrentForecaster(**FAST).fit(waves(), fh=[-1, 1])
    point = RecurrentForecaster(**FAST, loss="squared").fit(waves(), fh=[1])
    assert not point.get_tag("capability:pred_int")
    with pytest.raises(NotImplementedError):
        point.predict_interval()
