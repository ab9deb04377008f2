"""Backtests: origins, no look ahead, scores against plain loops."""

import numpy as np
import pandas as pd
import pytest

from elman.forecast import Backtest, FrameReader, Roles, Series, backtest
from elman.forecast.conformal import Distribution


class Last:
    """Forecasts the last value, and knows what it was fitted on."""

    calibration = None
    horizon = 2

    def __init__(self, known):
        self.known = known

    def forecast(self, series, origins):
        found = [
            one.target[at - 1][:, None].repeat(2, axis=1) for one, at in zip(series, origins, strict=True)
        ]
        centre = np.concatenate(found)
        return Distribution(
            centre, np.stack([centre - 1, centre + 1], axis=-1), np.ones_like(centre), (0.1, 0.9)
        )

    def truth(self, series, origins):
        rows = [one.target[o : o + 2] for one, at in zip(series, origins, strict=True) for o in at]
        return np.stack(rows)


def series(*lengths):
    rng = np.random.default_rng(0)
    return [Series(rng.standard_normal((n, 1)).cumsum(axis=0), name=f"s{i}") for i, n in enumerate(lengths)]


def run(many, **options):
    fitted = []

    def fit(known):
        fitted.append(Last(known))
        return fitted[-1]

    return backtest(fit, many, 2, 3, quantiles=(0.1, 0.9), targets=["y"], **options), fitted


def test_origins_and_fits():
    found, fitted = run(series(20, 14), start=0.5)
    frame = found.frame
    assert list(frame.columns) == [
        "origin",
        "step",
        "time",
        "series",
        "target",
        "truth",
        "prediction",
        "q0.1",
        "q0.9",
    ]
    assert sorted(frame["origin"].unique()) == [9, 11, 13, 15, 17]
    assert sorted(frame[frame["series"] == "s1"]["origin"].unique()) == [9, 11]
    assert (frame["time"] == frame["origin"] + frame["step"]).all()
    for row in frame.itertuples():
        one = series(20, 14)[int(row.series[1])].target[:, 0]
        assert row.truth == one[row.time] and row.prediction == one[row.origin]
    assert [len(one) for one in fitted[0].known] == [10, 10] and len(fitted) == 1
    _, fitted = run(series(20), start=0.5, stride=1, refit=3)
    assert [len(one) for fit in fitted for one in fit.known] == [10, 13, 16]
    _, fitted = run(series(20), start=0.5, stride=1, refit=3, window=6)
    assert [len(one) for fit in fitted for one in fit.known] == [6, 6, 6]
    np.testing.assert_array_equal(fitted[-1].known[0].target, series(20)[0].target[10:16])
    assert run(series(20), start=12)[0].frame["origin"].min() == 12


def test_summary():
    found, _ = run(series(30, 25), start=0.4, season=2)
    frame, table = found.frame, found.summary()
    for step in (1, 2):
        rows = frame[frame["step"] == step]
        errors = (rows["truth"] - rows["prediction"]).to_numpy()
        naive = {
            one.name: np.abs(one.target[2:12, 0] - one.target[:10, 0]).mean() for one in series(30, 25)
        }  # known at the first origin
        low, high = rows["q0.1"].to_numpy(), rows["q0.9"].to_numpy()
        truth = rows["truth"].to_numpy()
        below = [
            np.where(truth >= q, p * (truth - q), (1 - p) * (q - truth)) for p, q in ((0.1, low), (0.9, high))
        ]
        want = {
            "mae": np.abs(errors).mean(), "rmse": np.sqrt((errors**2).mean()),
            "mase": np.mean([abs(e) / naive[s] for e, s in zip(errors, rows["series"], strict=True)]),
            "pinball": np.mean(below), "crps": np.mean(below) * 2,
            "coverage_0.8": np.mean((low <= truth) & (truth <= high)), "width_0.8": 2.0,
        }  # fmt: skip
        assert table.loc[step].to_dict() == pytest.approx(want)
    assert found.summary(["series", "step"]).shape == (4, 7) and found.summary(None).shape == (1, 7)
    with pytest.raises(ValueError, match=r"by: expected one of 'origin', 'step', .*, got 'shop'"):
        found.summary("shop")


def test_unknown_truth_does_not_count():
    frame = pd.DataFrame({"origin": [0, 0], "step": [1, 2], "time": [1, 2], "series": [0, 0], "target": ["y", "y"],
                          "truth": [1.0, np.nan], "prediction": [3.0, 9.0]})  # fmt: skip
    table = Backtest(frame, (), {(0, "y"): 4.0}).summary(None)
    assert table.loc["all"].to_dict() == {"mae": 2.0, "rmse": 2.0, "mase": 0.5}


REFUSALS = {
    "stride: expected a whole number": {"stride": 0},
    "refit: expected a whole number": {"refit": 0},
    "season: expected a whole number": {"season": 0},
    "window: expected at least 5 steps, got 4": {"window": 4},
    "start: expected an origin with 3 steps before and 2 after it, got none from 19": {"start": 19},
    "start: expected a whole number of at least 0, got 'may'": {"start": "may"},
}


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    with pytest.raises(ValueError, match=message):
        run(series(20), **REFUSALS[message])


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_start_is_a_time_of_the_frames_zone(zone):
    days = pd.date_range("2024-01-01", periods=20, tz=zone)
    reader = FrameReader(Roles.of(), 2)
    found, _ = run(reader.fit(pd.Series(np.arange(20.0), days)), start="2024-01-10", reader=reader)
    assert found.frame["origin"].min() == pd.Timestamp("2024-01-10", tz=zone)


@pytest.mark.parametrize("start", [1, 1.5, 2024, True, pd.Timestamp("2024-01-10", tz="UTC")])
def test_start_of_dates_is_a_share_or_a_date(start):
    reader = FrameReader(Roles.of(), 2)
    read = reader.fit(pd.Series(np.arange(20.0), pd.date_range("2024-01-01", periods=20)))
    with pytest.raises(ValueError, match="start: expected"):
        run(read, start=start, reader=reader)


def test_levels_need_no_order():
    found, other = (
        backtest(Last, series(20), 2, 3, quantiles=levels) for levels in ((0.9, 0.1, 0.9), (0.1, 0.9))
    )
    pd.testing.assert_frame_equal(found.frame, other.frame)
    pd.testing.assert_frame_equal(found.summary(), other.summary())
