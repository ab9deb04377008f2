"""Frames of every form as the same series, their calendars, and what is refused by name."""

import numpy as np
import pandas as pd
import pytest

from elman.forecast import FrameReader, Roles
from tests.support.shops import ROLES, ahead, shops


def read(frame, horizon=3, **roles):
    reader = FrameReader(Roles.of(**roles), horizon)
    return reader, reader.fit(frame)


def test_a_long_frame():
    frame = shops()
    reader, series = read(frame, **ROLES, calendar=False)
    assert sorted(one.name for one in series) == ["s0", "s1", "s2"]
    for one in series:
        rows = frame[frame["shop"] == one.name].set_index("date").sort_index()
        days = pd.date_range(rows.index[0], rows.index[-1])
        assert len(one) == len(days) > len(rows)
        np.testing.assert_array_equal(one.target[:, 0], rows["sales"].reindex(days))
        rain = (rows["weather"] == "rain").astype(float).reindex(days)
        np.testing.assert_array_equal(one.past, np.stack([rain, 1 - rain], axis=1))
        np.testing.assert_array_equal(one.known[: len(one), 0], rows["promotion"].astype(float).reindex(days))
        assert np.isnan(one.known[len(one) :]).all() and len(one.known) == len(one) + 3
        np.testing.assert_array_equal(one.static, [1, 0] if one.name != "s1" else [0, 1])
        assert one.times[0] == np.datetime64(days[0]) and len(one.times) == len(days) + 3
    later = reader.read(frame, ahead(frame, 4, True), ahead=True)
    assert all((one.known[len(one) :] == 1).all() for one in later)
    inside = pd.concat([frame, ahead(frame, 4, True)])  # the same as rows whose target is not known
    for one, other in zip(later, reader.read(inside, ahead=True), strict=True):
        np.testing.assert_array_equal(one.known, other.known)


def test_forms_of_the_same_series():
    frame = shops()[["shop", "date", "sales"]]
    _, long = read(frame, series="shop", time="date")
    texts = frame.assign(date=frame["date"].astype(str))
    forms = [
        read(texts, series="shop", time="date"), read(frame.set_index("date"), series=["shop"]),
        read(frame.set_index(["shop", "date"]), series="shop", time="date"),
        read(frame.pivot(index="date", columns="shop", values="sales"), columns="series"),
    ]  # fmt: skip
    for _, series in forms:
        assert {one.name for one in series} == {"s0", "s1", "s2"}
        for one in series:
            (same,) = (other for other in long if other.name == one.name)
            skip = len(one) - len(same)  # a wide frame begins for all at once
            np.testing.assert_array_equal(one.target[skip:], same.target)
            np.testing.assert_allclose(one.known[skip:], same.known)
    wide = frame.pivot(index="date", columns="shop", values="sales")
    _, (several,) = read(wide)
    assert several.target.shape == (120, 3)
    _, (single,) = read(wide["s0"])
    np.testing.assert_array_equal(single.target[:, 0], wide["s0"].to_numpy()[: len(single)])
    two = frame.assign(city="c")
    _, series = read(two, series=["city", "shop"], time="date", target="sales")
    assert {one.name for one in series} == {("c", "s0"), ("c", "s1"), ("c", "s2")}


def test_calendars():
    hours = pd.Series(
        np.arange(60.0), pd.date_range("2024-02-27 05:30", periods=60, freq="h", tz="America/New_York")
    )
    reader, (one,) = read(hours, holidays=["2024-02-28"])
    times = pd.date_range("2024-02-27 05:30", periods=63, freq="h", tz="America/New_York")
    turns = [(times.hour + 0.5) / 24, times.day_of_week / 7, (times.month - 1 + (times.day - 1) / 31) / 12]
    want = [wave(2 * np.pi * np.asarray(turn)) for turn in turns for wave in (np.sin, np.cos)]
    want.append((times.normalize() == "2024-02-28").astype(float))
    np.testing.assert_allclose(one.known, np.stack(want, axis=1), atol=1e-12)
    assert reader.grid.times(one.times).equals(times)
    kinds = {"D": 2, "W": 1, "MS": 1, "YS": 0, "15min": 3}
    for freq, count in kinds.items():
        series = pd.Series(np.arange(20.0), pd.date_range("2020-01-01", periods=20, freq=freq))
        assert read(series)[1][0].known.shape[1] == 2 * count
        assert read(series, calendar=False)[1][0].known.shape[1] == 0
    months = pd.Series(np.arange(20.0), pd.period_range("2020-01", periods=20, freq="M"))
    reader, (one,) = read(months, calendar=["quarter"])
    assert one.known.shape == (23, 2) and reader.grid.times(one.times)[-1] == pd.Period("2021-11", "M")
    numbers = pd.DataFrame({"t": [3, 1, 2, 7], "y": [3.0, 1, 2, 7]})
    _, (one,) = read(numbers, time="t", target="y")
    np.testing.assert_array_equal(one.target[:, 0], [1, 2, 3, np.nan, np.nan, np.nan, 7])
    business = pd.date_range("2024-01-01", periods=30, freq="B")
    reader, (one,) = read(pd.Series(np.arange(30.0), business))
    assert len(one) == 30 and reader.grid.freq == "B"


def change(frame, **columns):
    return frame.assign(**columns)


FRAME = shops(2, 40)
DAYS = pd.date_range("2024-03-30", periods=3)
DAILY = pd.Series([1.0, 2, 3], DAYS)
REFUSALS = {
    r"target: expected one of the frame's columns \[.*\], got 'sale'": lambda: read(
        FRAME, **ROLES | {"target": "sale"}
    ),
    r"known: expected one of .*, got 'price'": lambda: read(FRAME, **ROLES | {"known": "price"}),
    "time: expected one of .*, got 'day'": lambda: read(FRAME, **ROLES | {"time": "day"}),
    "date: expected each time once, got .* twice; series= names": lambda: read(FRAME, target="sales", time="date"),
    "static: expected one 'weather' in each series": lambda: read(FRAME, **ROLES | {"static": "weather", "past": None}),
    "target: expected columns of no other role, got 'sales'": lambda: read(FRAME, **ROLES | {"past": "sales"}),
    "target: expected numbers in 'region', got": lambda: read(FRAME, **ROLES | {"target": "region", "static": None}),
    "date: expected a time in each row": lambda: read(
        change(FRAME, date=FRAME["date"].where(FRAME["sales"] > 80)), **ROLES
    ),
    "shop: expected dates or whole numbers, got 's": lambda: read(FRAME, target="sales", time="shop"),
    "sales: expected dates or whole numbers, got float64": lambda: read(FRAME, target="promotion", time="sales"),
    "target: expected a known value in each series, got none in 's": lambda: read(change(FRAME, sales=np.nan), **ROLES),
    r"calendar\[0\]: expected one of 'minute', .*, got 'moon'": lambda: read(FRAME, **ROLES, calendar=["moon"]),
    "columns: expected one of 'variables', 'series', got 'rows'": lambda: read(FRAME, columns="rows"),
    "time: expected steps of D from .* on, got 2024-01-01 12:00:00": lambda: read(
        pd.Series([1.0, 2, 3], pd.to_datetime(["2024-01-01 00:00", "2024-01-01 12:00", "2024-01-03 00:00"])), freq="D"
    ),
    "freq: expected the time between steps, as those of the frame are uneven": lambda: read(
        pd.Series([1.0, 2, 3], pd.to_datetime(["2024-01-01", "2024-01-03", "2024-01-06"]))
    ),
    "freq: expected the time between steps, as no series has two": lambda: read(
        pd.Series([1.0], pd.to_datetime(["2024-01-01"]))
    ),
    "holidays: expected dates as times with it, got whole numbers": lambda: read(
        pd.Series([1.0, 2]), holidays=["2024-01-01"]
    ),
    "calendar: expected dates as times with it, got whole numbers": lambda: read(
        pd.Series([1.0, 2]), calendar=["hour"]
    ),
    "target: expected None with columns='series'": lambda: read(FRAME, columns="series", target="sales"),
    "X: expected rows, got none": lambda: read(FRAME[:0], **ROLES),
    "shop: expected the name of a series in each row, got missing": lambda: read(
        change(FRAME, shop=FRAME["shop"].where(FRAME["shop"] == "s0")), **ROLES
    ),
    "target: expected numbers in 'value', got complex128": lambda: read(DAILY * 1j),
    "X: expected each column once, got 'y' twice": lambda: read(pd.DataFrame(np.ones((3, 2)), DAYS, ["y", "y"])),
    "X: expected columns of one level, got 2 levels": lambda: read(
        pd.DataFrame(np.ones((3, 1)), DAYS, pd.MultiIndex.from_tuples([("a", "b")])), columns="series"
    ),
    "columns: expected no covariate or time named 'value'": lambda: read(
        pd.DataFrame(np.ones((3, 2)), DAYS, ["a", "value"]), columns="series", known="value"
    ),
    "freq: expected the time between steps, such as 'D' or 'h', got 5": lambda: read(DAILY, freq=5),
    "freq: expected None or 'D', as the periods have, got 'W'": lambda: read(DAILY.to_period("D"), freq="W"),
    "freq: expected a whole number of at least 1, got True": lambda: read(pd.Series([1.0, 2]), freq=True),
    "time: expected at most 10000 steps of 1 for each row, got 3 rows from 0 to": lambda: read(
        pd.Series([1.0, 2, 3], [0, 1, 10**9])
    ),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals_of_fit(message):
    with pytest.raises(ValueError, match=message):
        REFUSALS[message]()


def test_refusals_of_read():
    reader, _ = read(FRAME, **ROLES)
    with pytest.raises(
        ValueError, match=r"future: expected 'promotion' of series 's.' .* none for .* and 2 more"
    ):
        reader.read(FRAME, ahead=True)
    some = ahead(FRAME, 3)
    some = some[some["date"] != some["date"].max()]
    with pytest.raises(
        ValueError, match=r"future: expected 'promotion' of series 's0' .* got none for 2024-02-12"
    ):
        reader.read(FRAME, some, ahead=True)
    with pytest.raises(ValueError, match="future: expected series that X has, got 'other'"):
        reader.read(FRAME, ahead(FRAME, 3).replace({"s1": "other"}), ahead=True)
    with pytest.raises(ValueError, match="future: expected the column 'promotion'"):
        reader.read(FRAME, ahead(FRAME, 3).drop(columns="promotion"), ahead=True)
    with pytest.raises(
        ValueError, match=r"region: expected one of \['north', 'south'\], as in fit, got 'west'"
    ):
        reader.read(FRAME.replace({"north": "west"}))
    with pytest.raises(ValueError, match="promotion: expected numbers, as in fit, got"):
        reader.read(FRAME.astype({"promotion": str}).replace({"True": "yes"}))
    with pytest.raises(
        ValueError, match=r"X: expected a DataFrame or Series, as in fit, got \[2, 2\] float64"
    ):
        reader.read(np.zeros((2, 2)))


def test_columns_may_be_called_as_one_likes():
    """ "time" too, though the times are in the index."""
    frame = pd.DataFrame({"time": [7.0, 8, 9], "index": [4.0, 5, 6]}, DAYS)
    (one,) = read(frame)[1]
    np.testing.assert_array_equal(one.target, frame)
    (one,) = read(frame, target="index", past="time")[1]
    np.testing.assert_array_equal(one.past, frame[["time"]])


def test_a_step_may_be_a_timedelta_or_a_number_of_numpys():
    hours = pd.Series([1.0, 2], pd.date_range("2024-01-01", periods=2, freq="h"))
    assert read(hours, freq=pd.Timedelta(hours=1))[0].grid.freq == "h"
    assert read(pd.Series([1.0, 2], [0, 5]), freq=np.int64(5))[0].grid.freq == 5


KINDS = {
    "whole numbers": pd.Series([1.0, 2, 3]),
    "dates without a time zone": DAILY,
    "dates with a time zone": DAILY.tz_localize("Europe/Paris"),
    "periods of D": DAILY.to_period("D"),
}


@pytest.mark.parametrize("fitted", KINDS)
@pytest.mark.parametrize("given", KINDS)
def test_times_are_of_the_kind_of_fit(fitted, given):
    reader, _ = read(KINDS[fitted])
    if fitted == given:
        reader.read(KINDS[given])
    else:
        with pytest.raises(ValueError, match=f"time: expected {fitted}, as in fit, got {given}"):
            reader.read(KINDS[given])


def test_times_of_another_zone_are_read_in_that_of_fit():
    """Days of Paris, of which one has 23 hours."""
    paris = DAILY.tz_localize("Europe/Paris")
    reader, (one,) = read(paris)
    (same,) = reader.read(paris.tz_convert("UTC"))
    np.testing.assert_array_equal(same.times, one.times)
    np.testing.assert_array_equal(same.known, one.known)


def test_a_holiday_may_be_one():
    for day in ("2024-03-31", pd.Timestamp("2024-03-31"), ["2024-03-31"]):
        (one,) = read(DAILY, holidays=day, calendar=False)[1]
        np.testing.assert_array_equal(one.known[:3, 0], [0, 1, 0])


def test_days_with_gaps_are_days_of_the_calendar():
    """The next day begins at midnight, though the clocks have changed."""
    days = pd.date_range("2024-03-20", "2024-03-30", tz="Europe/Paris")
    some = pd.Series(np.arange(8.0), days[[0, 1, 2, 4, 5, 8, 9, 10]])
    reader, (one,) = read(some)
    assert reader.grid.times(one.times)[-1] == pd.Timestamp("2024-04-02", tz="Europe/Paris")
