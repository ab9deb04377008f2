"""The forecaster with frames of pandas: fit, predict, backtest, save; no look ahead; coverage of its intervals."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import elman
from elman.sklearn import RecurrentForecaster
from tests.support.shops import ROLES, ahead, shops

FAST = {"horizon": 7, "context": 14, "hidden_size": 8, "epochs": 1, "random_state": 0}
FRAME = shops()
NEXT = ahead(FRAME, 7)


def fitted(**options):
    return RecurrentForecaster(**FAST | options).fit(FRAME, **ROLES)


def test_a_forecast_is_a_frame():
    model = fitted(loss="quantile", quantiles=(0.1, 0.5, 0.9))
    found = model.predict(FRAME, NEXT)
    assert list(found.columns) == ["shop", "date", "sales", "sales_q0.1", "sales_q0.5", "sales_q0.9"]
    assert (
        found[["shop", "date"]].sort_values(["shop", "date"]).to_numpy().tolist()
        == NEXT[["shop", "date"]].to_numpy().tolist()
    )
    assert (found["sales"] == found["sales_q0.5"]).all() and (
        found["sales_q0.1"] <= found["sales_q0.9"]
    ).all()
    pd.testing.assert_frame_equal(found, model.predict(future=NEXT))  # the frame of fit
    pd.testing.assert_frame_equal(
        found, model.predict(pd.concat([FRAME, NEXT]))
    )  # what is known ahead, as rows
    pd.testing.assert_frame_equal(found, model.predict_quantiles(FRAME, future=NEXT))
    assert list(model.predict(FRAME, NEXT, interval=0.8).columns)[3:] == ["sales_q0.1", "sales_q0.9"]
    pd.testing.assert_frame_equal(found, pickle.loads(pickle.dumps(model)).predict(future=NEXT))
    pd.testing.assert_frame_equal(found, clone(model).fit(FRAME, **ROLES).predict(FRAME, NEXT))
    one = FRAME[FRAME["shop"] == "s1"]  # a series alone has the forecast that it has among others
    same = model.predict(one, NEXT[NEXT["shop"] == "s1"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(same, found[found["shop"] == "s1"].reset_index(drop=True))
    promoted = model.predict(FRAME, NEXT.assign(promotion=True))
    assert (promoted["sales"] != found["sales"]).all()
    assert isinstance(model.score(FRAME), float)


def test_wide_frames_and_series():
    wide = FRAME.pivot(index="date", columns="shop", values="sales")
    several = RecurrentForecaster(**FAST).fit(wide, columns="series").predict()
    assert list(several.columns) == ["s0", "s1", "s2"] and len(several) == 7
    assert several.index[0] == wide.index[-1] + pd.Timedelta(days=1)
    model = RecurrentForecaster(**FAST | {"loss": "gaussian"}).fit(wide)
    assert list(model.predict().columns)[:4] == ["s0", "s0_q0.05", "s0_q0.5", "s0_q0.95"]
    one = RecurrentForecaster(**FAST).fit(wide["s0"]).predict(wide["s0"][:100])
    assert list(one.columns) == ["s0"] and one.index[0] == wide.index[100]
    promotion = wide.assign(promotion=[True, False] * 60)
    model = RecurrentForecaster(**FAST).fit(promotion, columns="series", known="promotion")
    later = pd.DataFrame({"promotion": [True] * 7}, index=several.index)
    assert model.predict(future=later).shape == (7, 3)


@pytest.mark.parametrize(
    "options", [{}, {"residual": "linear", "scale": "context"}, {"calibration_fraction": 0.3}]
)
def test_a_backtest_does_not_look_ahead(options):
    """What comes after an origin, other values or none, does not change its forecast."""
    model = RecurrentForecaster(**FAST | options)
    whole = model.backtest(FRAME, start=0.7, refit=2, **ROLES).frame
    origin = sorted(whole["origin"].unique())[2]
    rng = np.random.default_rng(1)
    later = FRAME["date"] > origin
    other = FRAME.assign(sales=FRAME["sales"].where(~later, 1e4 * rng.random(len(FRAME))),
                         weather=FRAME["weather"].where(~later, "rain"))  # fmt: skip
    again = model.backtest(other, start=0.7, refit=2, **ROLES).frame
    keys = ["origin", "step", "series", "prediction", *(c for c in whole if c.startswith("q0"))]
    before = whole["origin"] <= origin
    assert before.sum() == 3 * 3 * 7
    pd.testing.assert_frame_equal(whole[before][keys], again[again["origin"] <= origin][keys])
    assert (
        whole[~before]["prediction"].to_numpy() != again[again["origin"] > origin]["prediction"].to_numpy()
    ).any()


def test_a_backtest_is_what_fit_and_predict_say():
    frame = shops(missing=0.0)
    model = RecurrentForecaster(**FAST)
    found = model.backtest(frame, start="2024-04-01", stride=5, **ROLES).frame
    assert found["origin"].min() == pd.Timestamp("2024-04-01") and not hasattr(model, "model_")
    known = frame[frame["date"] <= "2024-04-01"]
    model.fit(known, **ROLES)
    want = model.predict(known, frame)
    first = found[found["origin"] == "2024-04-01"]
    both = first.merge(want, left_on=["series", "time"], right_on=["shop", "date"])
    assert len(both) == 21
    np.testing.assert_allclose(both["prediction"], both["sales"], rtol=1e-6)
    as_it_is = model.backtest(frame, start="2024-04-01", stride=5, fit=False).frame
    pd.testing.assert_frame_equal(found, as_it_is)


@pytest.mark.parametrize("loss", ["quantile", "gaussian", "squared"])
def test_calibrated_bands_of_a_backtest_are_what_observe_and_predict_say(loss, tmp_path):
    frame = shops(missing=0.0)
    model = RecurrentForecaster(**FAST, loss=loss, calibration_fraction=0.3)
    found = model.backtest(frame, start="2024-04-01", stride=5, **ROLES).frame
    model.fit(frame[frame["date"] <= "2024-04-01"], **ROLES)
    for origin in sorted(found["origin"].unique()):
        known = frame[frame["date"] <= origin]
        if origin == pd.Timestamp("2024-04-16"):
            model.save(tmp_path / "model")
            model = elman.load(tmp_path / "model")
        model.observe(known)
        want = model.predict(known, frame)
        rows = found[found["origin"] == origin]
        both = rows.merge(want, left_on=["series", "time"], right_on=["shop", "date"])
        assert len(both) == 21
        for level in ("q0.05", "q0.5", "q0.95"):
            np.testing.assert_allclose(both[level], both[f"sales_{level}"], rtol=1e-6)
    assert found["origin"].nunique() == 5
    with pytest.raises(ValueError, match="observe: expected a forecaster with calibration_fraction"):
        fitted().observe(FRAME)


def test_saved_whole(tmp_path):
    model = fitted(context=(7, 14), calibration_fraction=0.3, residual="last")
    model.save(tmp_path / "shops.safetensors")
    again = elman.load(tmp_path / "shops.safetensors")
    pd.testing.assert_frame_equal(model.predict(FRAME, NEXT), again.predict(FRAME, NEXT))
    assert again.history_.epochs == 1 and again.get_params()["horizon"] == 7
    with pytest.raises(ValueError, match="X: expected a frame, as that of fit is not in the file, got None"):
        again.predict(future=NEXT)
    series = np.random.default_rng(0).standard_normal((60, 2))
    plain = RecurrentForecaster(**FAST).fit(series)
    plain.save(tmp_path / "plain.safetensors")
    np.testing.assert_array_equal(
        elman.load(tmp_path / "plain.safetensors").predict(series), plain.predict(series)
    )
    clone(again).fit(FRAME, **ROLES)
    with pytest.raises(
        ValueError, match=r"path: .* holds a Other of elman.sklearn, which is imported and has no such"
    ):
        content, arrays = elman.files.read(tmp_path / "plain.safetensors", "a test")
        elman.files.write(
            tmp_path / "other", content | {"estimator": "elman.sklearn:Other"}, arrays, "a test"
        )
        elman.load(tmp_path / "other")


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"loss": "quantile"}, {"loss": "gaussian"}, {"loss": "squared"}])
def test_intervals_cover_what_they_say(options):
    """On series whose noise grows with a known number, for each step ahead."""
    tables = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        n = 1500
        spread = 1 + 2 * (np.arange(n) // 3 % 2)
        frame = pd.DataFrame({"t": np.arange(n), "spread": spread,
                              "y": 10 * np.sin(0.3 * np.arange(n)) + spread * rng.standard_normal(n)})  # fmt: skip
        model = RecurrentForecaster(
            horizon=3, context=12, epochs=6, calibration_fraction=0.3, random_state=0, **options
        )
        found = model.backtest(frame, start=0.7, stride=1, target="y", time="t", known="spread")
        tables.append(found.summary()["coverage_0.9"].to_numpy())
    assert np.mean(tables) == pytest.approx(0.9, abs=0.02)
    assert np.mean(tables, axis=0) == pytest.approx(0.9, abs=0.03)


def test_calibrate_and_arrays():
    rng = np.random.default_rng(0)
    series = rng.standard_normal((300, 1))
    model = RecurrentForecaster(horizon=2, context=5, epochs=1, random_state=0).fit(series[:100])
    with pytest.raises(ValueError, match="quantiles: expected a forecaster with loss='quantile'"):
        model.predict_quantiles(series)
    model.calibrate(series[100:])
    found = model.predict_quantiles(series, (0.1, 0.9))
    assert found.shape == (2, 1, 2) and model.predict_quantiles([series, series]).shape == (2, 2, 1, 3)
    np.testing.assert_allclose(found[0, 0], [-1.28, 1.28], atol=0.4)
    table = model.backtest(series, start=0.5, fit=False).summary(None)
    assert table.loc["all", "coverage_0.9"] == pytest.approx(0.9, abs=0.05)


def test_plots(tmp_path, monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    model = fitted(loss="gaussian")
    model.plot(FRAME, NEXT, path=tmp_path / "a.png", most=2)
    found = model.backtest(FRAME)
    found.plot(tmp_path / "b.png", series="s1")
    found.plot(tmp_path / "c.png", step=3)
    assert all((tmp_path / name).stat().st_size > 5000 for name in ("a.png", "b.png", "c.png"))
    with pytest.raises(ValueError, match="series: expected one of the backtest's, got 'x'"):
        found.plot(series="x")
    assert len(model.plot(FRAME, NEXT, series="s2").axes) == 1
    with pytest.raises(ValueError, match=r"series: expected one of \['s0', 's1', 's2'\], got 'x'"):
        model.plot(FRAME, NEXT, series="x")


@pytest.mark.parametrize(("frame", "column"), [(FRAME, "shop"), (FRAME[["date", "sales"]], "date")])
def test_a_frame_without_roles_is_refused(frame, column):
    with pytest.raises(ValueError, match=f"X: expected numbers, or to be told .* got the column '{column}'"):
        RecurrentForecaster(**FAST).fit(frame)


REFUSALS = {
    "X: expected an estimator fitted on a frame": lambda plain, model: plain.plot(),
    "quantiles, interval: expected None for arrays": lambda plain, model: plain.predict(
        np.zeros((20, 1)), interval=0.9
    ),
    "future: expected None for arrays": lambda plain, model: plain.predict(np.zeros((20, 1)), NEXT),
    "interval: expected None beside quantiles": lambda plain, model: model.predict(
        FRAME, NEXT, quantiles=[0.5], interval=0.9
    ),
    "interval: expected a number from 0 up to": lambda plain, model: model.predict(FRAME, NEXT, interval=1),
    "future: expected 'promotion' of series": lambda plain, model: model.predict(FRAME),
    "target: expected one of the frame's columns": lambda plain, model: clone(model).fit(FRAME, target="x"),
    "fit: expected True or False, got 1": lambda plain, model: model.backtest(FRAME, fit=1),
    "start: expected a share between 0 and 1 or a time, got 'soon'": lambda plain, model: model.backtest(
        FRAME, start="soon"
    ),
}  # fmt: skip


def test_a_role_that_is_not_known_is_named():
    with pytest.raises(TypeError, match=r"targt: expected an argument of fit, .*; did you mean target\?"):
        RecurrentForecaster(**FAST).backtest(FRAME, targt="sales")


@pytest.fixture(scope="module")
def two():
    plain = RecurrentForecaster(horizon=1, context=3, epochs=1, hidden_size=2)
    return plain.fit(np.arange(20.0)[:, None]), fitted(loss="gaussian")


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message, two):
    with pytest.raises(ValueError, match=message):
        REFUSALS[message](*two)
