"""The global forecasting model of darts: forecasts, covariates, samples, backtests as darts makes them, files."""

import numpy as np
import pandas as pd
import pytest

darts = pytest.importorskip("darts")

from darts import TimeSeries, concatenate
from darts.dataprocessing.transformers import Scaler
from darts.metrics import mae
from darts.models import ConformalQRModel
from darts.utils import timeseries_generation as tg

from elman.darts import RecurrentModel

pytestmark = pytest.mark.filterwarnings("ignore")  # of darts and pandas
FAST = {"n_epochs": 2, "hidden_size": 6, "random_state": 0}


def wave(n=120, level=5.0, frequency=0.05, start="2020-01-01"):
    return tg.sine_timeseries(length=n, value_frequency=frequency, start=pd.Timestamp(start)) + level


def test_it_learns_and_goes_on_beyond_its_output():
    series = wave(200)
    model = RecurrentModel(24, 6, n_epochs=30, random_state=0).fit(series[:160])
    for n in (2, 6, 15):
        found = model.predict(n)
        assert len(found) == n and found.start_time() == series.time_index[160]
        assert mae(series, found) < 0.15
    assert model.predict(6, series[:100]) == model.predict(6, [series[:50], series[:100]])[1]
    np.testing.assert_array_equal(model.predict(15).values()[:6], model.predict(6).values())
    # the last block is forecast from what was said before, by hand
    first = model.predict(12)
    longer = concatenate([series[:160], first[:9]])
    np.testing.assert_allclose(model.predict(15).values()[9:], model.predict(6, longer).values(), rtol=1e-5)


def test_several_series_of_different_length_and_many_components():
    ragged = [
        wave(120).stack(wave(120, 2.0, 0.1)),
        wave(60).stack(wave(60, 2.0, 0.1)),
        wave(90).stack(wave(90, 2, 0.1)),
    ]
    model = RecurrentModel(12, 4, **FAST, scale="context").fit(ragged)
    found = model.predict(5, ragged)
    assert [one.width for one in found] == [2, 2, 2] and [len(one) for one in found] == [5, 5, 5]
    with pytest.raises(ValueError, match="series: expected a series, as the model was trained on several"):
        model.predict(5)
    numbers = TimeSeries.from_values(np.arange(60.0))  # whole numbers as times
    assert RecurrentModel(12, 4, **FAST).fit(numbers).predict(6).time_index[0] == 60


def test_covariates():
    rng = np.random.default_rng(0)
    days, base = pd.date_range("2019-12-01", periods=300), wave(200)
    plan = TimeSeries.from_times_and_values(days, rng.integers(0, 2, (300, 1)).astype(float))
    series = base + TimeSeries.from_times_and_values(base.time_index, 3 * plan.slice_intersect(base).values())
    past = plan.shift(1)
    model = RecurrentModel(12, 4, n_epochs=30, random_state=0)
    model.fit(series[:160], past_covariates=past, future_covariates=plan)
    assert model.uses_past_covariates and model.uses_future_covariates
    assert model.extreme_lags == (-12, 3, -12, -1, -12, 3, 0)
    assert mae(series, model.predict(8)) < 0.5  # it has the plan of fit, which is long enough
    short = plan.drop_after(series.time_index[162])
    with pytest.raises(
        ValueError, match=r"future_covariates\[0\]: expected steps from 2020-05-28 .* to 2020-06-12"
    ):
        model.predict(4, series[:160], past, short)
    with pytest.raises(ValueError, match=r"past_covariates\[0\]: expected steps from"):
        model.predict(8, series[:160], past.drop_after(series.time_index[160]), plan)
    with pytest.raises(ValueError, match="trained with future covariates"):
        RecurrentModel(12, 4, **FAST).fit([series], future_covariates=[plan]).predict(2, series)
    encoded = RecurrentModel(12, 4, **FAST, add_encoders={"cyclic": {"future": ["month"]}}).fit(series)
    assert encoded.predict(9).n_timesteps == 9 and encoded._core.sizes[2] == 2


def test_static_covariates():
    one = wave(60).with_static_covariates(pd.Series({"size": 1.0, "city": 2.0}))
    other = wave(60, 9.0).with_static_covariates(pd.Series({"size": 3.0, "city": 5.0}))
    model = RecurrentModel(12, 4, **FAST).fit([one, other])
    assert model._core.sizes[3] == 2 and model.predict(3, one).static_covariates.equals(one.static_covariates)
    assert model.predict(3, one) != model.predict(3, one.with_static_covariates(other.static_covariates))
    assert RecurrentModel(12, 4, **FAST, use_static_covariates=False).fit([one, other])._core.sizes[3] == 0
    with pytest.raises(ValueError, match="static covariates"):
        model.predict(3, wave(60))
    with pytest.raises(ValueError, match="numeric"):
        RecurrentModel(12, 4, **FAST).fit(wave(60).with_static_covariates(pd.Series({"city": "Rome"})))


@pytest.mark.parametrize("likelihood", ["gaussian", "quantile"])
def test_samples_follow_the_distribution(likelihood):
    rng = np.random.default_rng(0)
    noise = TimeSeries.from_values(10 + 2 * rng.standard_normal((600, 1)))
    levels = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
    model = RecurrentModel(6, 3, n_epochs=10, likelihood=likelihood, quantiles=levels, random_state=0).fit(
        noise
    )
    parameters = model.predict(3, predict_likelihood_parameters=True)
    samples = model.predict(3, num_samples=2000, random_state=1)
    assert samples == model.predict(3, num_samples=2000, random_state=1) != model.predict(3, num_samples=2000)
    values = samples.all_values()[:, 0]
    if likelihood == "gaussian":
        assert list(parameters.components) == ["0_mu", "0_sigma"]
        np.testing.assert_allclose(values.mean(axis=1), parameters.values()[:, 0], atol=0.15)
        np.testing.assert_allclose(values.std(axis=1), parameters.values()[:, 1], rtol=0.1)
    else:
        assert list(parameters.components)[:2] == ["0_q0.010", "0_q0.050"]
        for k, level in enumerate(levels[1:-1], 1):
            np.testing.assert_allclose(
                np.quantile(values, level, axis=1), parameters.values()[:, k], atol=0.25
            )
    assert 1.6 < values.std() < 2.4
    further = model.predict(8, num_samples=300, random_state=1).all_values()
    assert further.shape == (8, 1, 300) and 1.4 < further[-1].std() < 2.6
    assert model.predict(3) == model.predict(3)  # one sample is the mean or median


def covered(bands, truth):
    """The share of the truth between the first and the last quantile."""
    inside = []
    for band in bands:
        values, bounds = truth.slice_intersect(band).values()[:, 0], band.values()
        inside.append((bounds[:, 0] <= values) & (values <= bounds[:, -1]))
    return np.mean(inside)


def test_calibrated_quantiles(tmp_path):
    rng = np.random.default_rng(0)
    noise = TimeSeries.from_values(rng.standard_normal((900, 1)).cumsum(axis=0) / 3)
    options = {"likelihood": "quantile", "quantiles": (0.05, 0.5, 0.95), "scale": "last", **FAST}
    model = RecurrentModel(6, 3, calibration_fraction=0.3, **options).fit(noise[:600])
    core = model._core
    said = core.forecast([model._series(noise[:700], None, None, 3)])
    want = said.quantiles((0.05, 0.5, 0.95), core.calibration)[0, :, 0]
    assert not np.allclose(want, said.heads[0, :, 0], atol=1e-3)
    got = model.predict(3, noise[:700], predict_likelihood_parameters=True)
    np.testing.assert_allclose(got.values(), want)
    samples = model.predict(3, noise[:700], num_samples=4000, random_state=0).all_values()[:, 0]
    np.testing.assert_allclose(np.quantile(samples, 0.5, axis=1), want[:, 1], atol=0.05)
    assert (samples.min(axis=1) >= want[:, 0] - 1e-9).all() and (
        samples.max(axis=1) <= want[:, 2] + 1e-9
    ).all()
    model.save(str(tmp_path / "model"))
    assert (
        RecurrentModel.load(str(tmp_path / "model")).predict(
            3, noise[:700], predict_likelihood_parameters=True
        )
        == got
    )
    bands = model.historical_forecasts(noise, start=600, retrain=False, forecast_horizon=3, stride=3,
                                       predict_likelihood_parameters=True, last_points_only=False)  # fmt: skip
    assert abs(covered(bands, noise) - 0.9) < 0.06
    rolling = ConformalQRModel(RecurrentModel(6, 3, **options).fit(noise[:600]), quantiles=[0.05, 0.5, 0.95],
                               cal_length=100)  # fmt: skip
    bands = rolling.historical_forecasts(noise, start=750, forecast_horizon=3, stride=3, num_samples=1,
                                         predict_likelihood_parameters=True, last_points_only=False)  # fmt: skip
    assert abs(covered(bands, noise) - 0.9) < 0.06


def test_backtests_of_darts():
    series = wave(120)
    model = RecurrentModel(12, 4, **FAST).fit(series[:80])
    found = model.historical_forecasts(series, start=series.time_index[80], retrain=False, forecast_horizon=4,
                                       last_points_only=False)  # fmt: skip
    assert len(found) == 37
    assert found[5] == model.predict(4, series[:85])
    later = series[:90].append_values(np.full((30, 1), 99.0))  # what comes later says nothing
    again = model.historical_forecasts(later, start=series.time_index[80], retrain=False, forecast_horizon=4,
                                       last_points_only=False)  # fmt: skip
    assert found[:10] == again[:10]
    assert model.backtest(series, start=0.8, retrain=5, stride=5, forecast_horizon=4, metric=mae) > 0
    scaled = Scaler().fit_transform(series)
    assert np.isfinite(
        RecurrentModel(12, 4, **FAST).fit(scaled).residuals(scaled, retrain=False).values()
    ).all()


def test_gaps_files_and_new_models(tmp_path):
    values = wave(120).values()
    values[[30, 31, 70]] = np.nan
    series = TimeSeries.from_values(values)
    model = RecurrentModel(12, 4, **FAST, likelihood="gaussian").fit(series)
    assert np.isfinite(model.predict(9).values()).all()
    model.save(str(tmp_path / "model.pkl"))
    loaded = RecurrentModel.load(str(tmp_path / "model.pkl"))
    assert loaded.predict(9) == model.predict(9)
    model.save(str(tmp_path / "clean.pkl"), clean=True)
    assert RecurrentModel.load(str(tmp_path / "clean.pkl")).predict(9, series) == model.predict(9)
    assert dict(model.untrained_model().model_params) == dict(model.model_params)
    assert model.untrained_model().fit(series).predict(9) == model.predict(9)


REFUSALS = {
    "likelihood: expected None, 'gaussian' or 'quantile', got 'poisson'": lambda: RecurrentModel(
        4, 2, likelihood="poisson"
    ),
    "horizon: expected a whole number of at least 1, got 0": lambda: RecurrentModel(4, 0),
    "random_state: expected a whole number": lambda: RecurrentModel(4, 2, random_state=-1),
    r"series\[0\]: expected at least 16 steps to train on, got 10": lambda: RecurrentModel(12, 4).fit(wave(10)),
    r"series\[0\]: expected at least 12 steps, got 10": lambda: (
        RecurrentModel(12, 4, **FAST).fit(wave()).predict(2, wave(10))
    ),
    "calibration_fraction: expected likelihood='quantile' with it, got 'gaussian'": lambda: (
        RecurrentModel(12, 4, likelihood="gaussian", calibration_fraction=0.1)
    ),
    "only supported for probabilistic models": lambda: (
        RecurrentModel(12, 4, **FAST).fit(wave()).predict(2, num_samples=3)
    ),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    with pytest.raises(ValueError, match=message):
        REFUSALS[message]()
