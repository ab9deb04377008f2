"""Frames of many series: the same as each alone, without calls of pandas for each."""

import sys
import warnings

import numpy as np
import pandas as pd
import pytest

from elman.forecast import FrameReader, Roles

ROLES = {
    "target": "y",
    "series": "s",
    "time": "t",
    "known": ["k", "word"],
    "past": "z",
    "static": ["kind", "n"],
}


def many(count, freq, start, steps=12, seed=0, tz=None, apart=0):
    """Series with gaps and unknown values that begin up to 40 steps, and `apart` minutes each, after the other."""
    rng = np.random.default_rng(seed)
    axis = pd.date_range(start, periods=steps + 40, freq=freq, tz=tz)
    parts = []
    for i in range(count):
        first = int(rng.integers(40))
        times = axis[first : first + steps] + pd.Timedelta(minutes=i * apart)
        part = pd.DataFrame(
            {"t": times, "y": rng.random(steps), "k": rng.random(steps), "z": rng.random(steps)}
        )
        part = part.assign(word=rng.choice(["a", "b"], steps), s=f"s{i}", kind="uv"[i % 2], n=i % 3)
        part.loc[rng.random(steps) < 0.2, ["y", "k"]] = np.nan
        part.loc[1, "y"] = 1.0
        part.loc[rng.random(steps) < 0.2, "n"] = np.nan
        parts.append(part[(rng.random(steps) > 0.2) | (np.arange(steps) < 2)])
    return pd.concat(parts).sample(frac=1, random_state=seed)


def far_apart():
    """Minutes of different years, and of one series beside another."""
    return pd.concat(
        [many(3, "min", "1999-01-01", seed=1), many(3, "min", "2021-05-05 10:00", seed=2)]
    ).assign(s=lambda frame: frame["s"] + "-" + frame["t"].dt.year.astype(str), n=1.0)


FRAMES = {
    "days": (many(20, "D", "2024-03-20"), "D"),
    "days of a zone": (many(20, "D", "2024-03-20", tz="Europe/Paris"), "D"),
    "hours of a zone": (many(9, "h", "2024-03-30", tz="Europe/Paris"), "h"),
    "each at its own minute": (many(9, "h", "2024-03-30", apart=7), "h"),
    "months": (many(20, "MS", "2020-01-01"), "MS"),
    "weeks": (many(20, "W-SUN", "2020-01-01"), "W-SUN"),
    "two days, on even and odd ones": (many(8, "2D", "2020-01-01", apart=1440), "2D"),
    "far apart": (far_apart(), "min"),
    "periods": (many(5, "MS", "2020-01-01").assign(t=lambda f: pd.PeriodIndex(f["t"], freq="M")), None),
    "numbers": (many(5, "D", "2020-01-01").assign(t=lambda f: (f["t"] - f["t"].min()).dt.days * 3), 3),
}


@pytest.mark.parametrize("name", FRAMES)
def test_each_is_read_as_if_alone(name):
    frame, freq = FRAMES[name]
    reader = FrameReader(Roles.of(**ROLES, freq=freq), 3)
    fitted = reader.fit(frame)
    assert [one.name for one in fitted] == sorted(frame["s"].unique())
    later = frame[frame["k"] > 0.3]
    series = reader.read(frame, later)
    for one, again in zip(series, fitted, strict=True):
        own, future = frame[frame["s"] == one.name], later[later["s"] == one.name]
        (alone,) = reader.read(own, future if len(future) else None)
        for part in ("target", "past", "known", "static", "times"):
            np.testing.assert_array_equal(getattr(one, part), getattr(alone, part))
        np.testing.assert_array_equal(one.target, again.target)


def pandas_calls(call):
    count = 0

    def look(frame, event, argument):
        nonlocal count
        count += event == "call" and "pandas" in frame.f_globals.get("__name__", "")

    sys.setprofile(look)
    try:
        call()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("tz", [None, "Europe/Paris"])
def test_pandas_is_not_asked_for_each(tz):
    few, several = (many(count, "D", "2024-03-20", seed=3, tz=tz) for count in (30, 120))
    calls = []
    for frame in (few, several):
        frame = frame.assign(n=1.0)
        reader = FrameReader(Roles.of(**ROLES, freq="D"), 3)
        reader.fit(frame)
        calls.append(pandas_calls(lambda: reader.read(frame, frame, ahead=False)))  # noqa: B023
    assert calls[1] <= 1.05 * calls[0]


@pytest.mark.parametrize("tz", [None, "Europe/Paris"])
@pytest.mark.parametrize(
    "freq", ["D", "h", "15min", "W-TUE", "7D", "14D", "29D", "2D", "B", "MS", "ME", "QS", "YS"]
)
def test_the_frequency_is_that_of_most(freq, tz):
    """Series of one step and one day of the week have one frequency, for which pandas is asked once."""
    axis = pd.date_range("2024-03-20", periods=40, freq=freq, tz=tz)
    parts = [axis[3 * i : 3 * i + 5 + i % 3] for i in range(9)] + [axis[[0, 1, 3]], axis[[2, 3, 6, 7]]]
    frame = pd.concat([pd.DataFrame({"t": part, "s": i, "y": 1.0}) for i, part in enumerate(parts)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas 3 tells that 4 will return an object
        every = [pd.infer_freq(part) for part in parts]
    reader = FrameReader(Roles.of(target="y", series="s", time="t", calendar=False), 1)
    reader.fit(frame)
    assert reader.grid.freq == max(filter(None, every), key=every.count)


def test_static_covariates_are_the_first_that_are_known():
    frame = many(4, "D", "2024-03-20").sort_values(["s", "t"])
    frame["n"] = frame.groupby("s").cumcount().map({0: np.nan, 1: 5.0}).fillna(np.nan)
    series = FrameReader(Roles.of(**ROLES), 1).fit(frame)
    assert [one.static[-1] for one in series] == [5.0] * 4
    frame.loc[(frame["s"] == "s2") & (frame["t"] == frame[frame["s"] == "s2"]["t"].max()), "n"] = 7.0
    with pytest.raises(
        ValueError, match=r"static: expected one 'n' in each series, got \[5.0, 7.0\] in 's2'"
    ):
        FrameReader(Roles.of(**ROLES), 1).fit(frame)
    frame["n"] = np.nan
    assert np.isnan([one.static[-1] for one in FrameReader(Roles.of(**ROLES), 1).fit(frame)]).all()
