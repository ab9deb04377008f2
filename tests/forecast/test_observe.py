"""Calibration that goes on with what has been seen since, also out of a file and in backtests."""

import numpy as np
import pandas as pd
import pytest

import elman
from elman.forecast import Series, SeriesForecaster
from elman.forecast.files import arrays_of, described, load_arrays, made_of

LEVELS = (0.1, 0.9)
TIMES = pd.date_range("2024-01-01", periods=120).to_numpy()


def series(times=True):
    rng = np.random.default_rng(0)
    return [Series(rng.standard_normal((120, 1)) * (i + 1), np.zeros((120, 0)), np.zeros((120, 0)), np.zeros(0),
                   ("s", i) if times else None, TIMES if times else None) for i in range(2)]  # fmt: skip


def fitted(known, **options):
    network, training = {"hidden_size": 4, "cell": "gru"}, {"epochs": 1, "batch_size": 16}
    options = {"calibration": 0.3, "network": network, "training": training} | options
    return SeriesForecaster(3, 8, **options).fit(known, 0)


def before(many, end):
    return [one.between(0, end) for one in many]


def said(core, many):
    return core.forecast(many).quantiles(LEVELS, core.calibration)


def test_each_origin_counts_once_however_rows_come():
    core, other, third = (fitted(before(series(), 80)) for _ in range(3))
    count = len(core.calibration.errors)
    core.observe(before(series(), 80))
    assert len(core.calibration.errors) == count
    core.observe(before(series(), 110))
    assert len(core.calibration.errors) == count + 2 * 30
    for end in range(81, 111):
        other.observe(before(series(), end))
    third.observe([one.between(60, 110) for one in series()])
    for one in (other, third):
        np.testing.assert_array_equal(said(one, before(series(), 110)), said(core, before(series(), 110)))
    at = [np.arange(78, 108)] * 2  # the first whose steps ahead had not all been seen
    errors = core.truth(series(), at)[..., None] - core.forecast(series(), at).heads
    errors /= core.forecast(series(), at).unit[..., None]
    np.testing.assert_allclose(
        np.sort(core.calibration.errors[count:], axis=0), np.sort(errors, axis=0), rtol=1e-12
    )


def test_series_without_times_are_new_and_epochs_are_seen():
    core = fitted(before(series(times=False), 80))
    count = len(core.calibration.errors)
    core.observe(before(series(times=False), 20))
    assert len(core.calibration.errors) == count + 2 * 10
    core = fitted(before(series(), 80))
    core.train_epoch(before(series(), 100))
    core.observe(before(series(), 105))
    assert len(core.calibration.errors) == count + 2 * 5
    core.calibrate(before(series(), 110))
    count = len(core.calibration.errors)
    core.observe(before(series(), 112))
    assert len(core.calibration.errors) == count + 2 * 2


def test_a_file_holds_the_calibration_and_what_was_seen(tmp_path):
    core = fitted(before(series(), 80))
    core.observe(before(series(), 90))
    content, arrays = described(core), arrays_of(core)
    elman.files.write(tmp_path / "core", {"core": content}, arrays, "a test")
    content, arrays = elman.files.read(tmp_path / "core", "a test")
    again = made_of(content["core"])
    load_arrays(again, arrays)
    np.testing.assert_array_equal(said(again, series()), said(core, series()))
    for one in (core, again):
        one.observe(before(series(), 100))
    np.testing.assert_array_equal(said(again, series()), said(core, series()))
    assert again.seen == core.seen and again.calibration.half_life == core.calibration.half_life


def test_files_from_before():
    core = fitted(before(series(), 80))
    content, arrays = described(core), arrays_of(core)
    del content["seen"]
    old = {name: np.sort(value, axis=0) if name == "calibration" else value
           for name, value in arrays.items() if not name.startswith("calibration_")}  # fmt: skip
    again = made_of(content)
    load_arrays(again, old)
    errors = core.calibration.errors[..., 0]
    n = len(errors)
    want = np.sort(errors, axis=0)[int(np.ceil((n + 1) * 0.9)) - 1]
    np.testing.assert_array_equal(again.calibration.shift(0.9, 0), want)
    with pytest.raises(ValueError, match=r"observe: expected .* got one from an older file: calibrate"):
        again.observe(series())
    again.calibrate(before(series(), 100))
    again.observe(series())
    plain = fitted(before(series(), 80), calibration=0)
    with pytest.raises(
        ValueError, match=r"observe: expected a forecaster with calibration_fraction .* without"
    ):
        plain.observe(series())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ages", -1.0, "calibration_ages: expected numbers from 0 to 9007199254740992, got others"),
        ("ages", np.nan, "calibration_ages: expected numbers from 0"),
        ("series", 2.0, "calibration_series: expected numbers from -1 to 1, got others"),
        ("half_life", 0.0, "half_life: expected a number above 0"),
    ],
)
def test_crafted_files_are_refused(name, value, message):
    core = fitted(before(series(), 80))
    arrays = arrays_of(core)
    arrays[f"calibration_{name}"] = np.full_like(arrays[f"calibration_{name}"], value)
    with pytest.raises(ValueError, match=message):
        load_arrays(made_of(described(core)), arrays)
    del arrays["calibration_series"]
    arrays["calibration_ages"] = core.calibration.ages.astype(float)
    with pytest.raises(ValueError, match=r"calibration_series: expected an array"):
        load_arrays(made_of(described(core)), arrays)
