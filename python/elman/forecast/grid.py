"""The times of a frame: the step between them, and the grid that they lie on."""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from .. import _check
from .._extras import need
from .rows import Rows

LINE = 50_000  # steps from the first to the last time of series that are on one line


class Grid:
    """Times at even steps of a frequency.

    Attributes:
        freq: as pandas writes it, or a whole number where times are whole numbers.
        zone: the time zone, or None. period: whether times are periods.
    """

    def __init__(self, freq: Any, zone: str | None = None, period: bool = False):
        self.freq, self.zone, self.period = freq, zone, period

    @classmethod
    def of(cls, rows: Rows, freq: Any) -> Grid:
        """For the times of each series; `freq` None finds the step."""
        pandas = need("pandas", "forecast", "frames")
        times = rows.times
        if isinstance(times, pandas.PeriodIndex):
            own = times.freqstr
            if freq not in (None, own):
                raise ValueError(f"freq: expected None or {own!r}, as the periods have, got {freq!r}")
            return cls(own, period=True)
        if not isinstance(times, pandas.DatetimeIndex):
            steps = np.diff(np.asarray(times))[rows.within()]
            least = int(steps.min()) if len(steps) else 1
            return cls(least if freq is None else _check.whole_number("freq", freq, 1))
        zone = None if times.tz is None else str(times.tz)
        if freq is None:
            return cls(_found(pandas, rows), zone)
        try:
            return cls(str(pandas.tseries.frequencies.to_offset(freq).freqstr), zone)
        except (ValueError, TypeError, AttributeError):
            want = "the time between steps, such as 'D' or 'h'"
            raise ValueError(f"freq: expected {want}, got {freq!r}") from None

    def own(self, times: Any) -> Any:
        """The times of another frame, in this zone.

        Raises:
            ValueError: they are of another kind.
        """
        want = (
            "whole numbers"
            if isinstance(self.freq, int)
            else _kind(bool(self.zone), self.period and self.freq)
        )
        dates = hasattr(times, "tz")
        got = "whole numbers"
        if dates or hasattr(times, "freqstr"):
            got = _kind(dates and times.tz is not None, not dates and times.freqstr)
        if got != want:
            raise ValueError(f"time: expected {want}, as in fit, got {got}")
        return times.tz_convert(self.zone) if self.zone else times

    def days(self) -> float | None:
        """Of one step, about; None where times are whole numbers."""
        if isinstance(self.freq, int):
            return None
        pandas = need("pandas", "forecast", "frames")
        if self.period:
            some = pandas.period_range("2001-01-01", periods=8, freq=self.freq).to_timestamp()
        else:
            some = pandas.date_range("2001-01-01", periods=8, freq=self.freq)
        return (some[-1] - some[0]) / pandas.Timedelta(days=7)

    def step(self) -> Any:
        """How far two times are apart, about: a whole number, or a timedelta64."""
        days = self.days()
        return self.freq if days is None else np.timedelta64(round(days * 86_400_000_000_000), "ns")

    def steps(self, first: Any, count: int) -> Any:
        """`count` times from the first on."""
        pandas = need("pandas", "forecast", "frames")
        if isinstance(self.freq, int):
            return pandas.Index(np.arange(count) * self.freq + int(first))
        if self.period:
            return pandas.period_range(first, periods=count, freq=self.freq)
        return pandas.date_range(first, periods=count, freq=self.freq)

    def until(self, first: Any, last: Any) -> int:
        """How many steps there are from the first to the last time."""
        pandas = need("pandas", "forecast", "frames")
        if isinstance(self.freq, int):
            return (int(last) - int(first)) // self.freq + 1
        if self.period:
            return len(pandas.period_range(first, last, freq=self.freq))
        return len(pandas.date_range(first, last, freq=self.freq))

    def lines(self, times: Any, bounds: np.ndarray, ahead: int) -> Iterator[Line]:
        """Lines on which the series lie whose times are between `bounds`, each with `ahead` steps after the last.

        Most series share one. Those that are further apart than LINE steps do not, as steps between them may be many.
        """
        numbers = self.numbers(times)
        first, last = numbers[bounds[:-1]], numbers[bounds[1:] - 1]
        step = self.step()
        waiting = np.argsort(first, kind="stable")
        while len(waiting):
            least = waiting[0]
            near = waiting[(last[waiting] - first[least]) / step <= LINE]
            near = near if len(near) and near[0] == least else waiting[:1]
            end = near[last[near].argmax()]
            count = self.until(times[bounds[least]], times[bounds[end + 1] - 1])
            steps = self.steps(times[bounds[least]], count + ahead)
            line = Line(steps, self.numbers(steps), near, np.zeros(len(near), int))
            line.first[:] = np.searchsorted(line.numbers, first[near])
            on = line.places(first[near], 0) >= 0
            on[0] = True  # its times are refused where they are not on it
            most = line.until(last[near[on]]).max() + ahead
            yield Line(steps[:most], line.numbers[:most], near[on], line.first[on])
            waiting = waiting[~np.isin(waiting, near[on])]

    def calendar(self, times: Any) -> Any:
        """The same as a DatetimeIndex."""
        return times.to_timestamp() if self.period else times

    def numbers(self, times: Any) -> np.ndarray:
        """The same as NumPy's: datetime64, of UTC if there is a zone, or whole numbers."""
        times = self.calendar(times)
        return times.tz_convert(None).to_numpy() if self.zone else times.to_numpy()

    def times(self, numbers: np.ndarray) -> Any:
        """The reverse of `numbers`."""
        pandas = need("pandas", "forecast", "frames")
        if isinstance(self.freq, int):
            return pandas.Index(numbers)
        found = pandas.DatetimeIndex(numbers)
        if self.zone:
            return found.tz_localize("UTC").tz_convert(self.zone)
        return found.to_period(self.freq) if self.period else found


def _kind(zone: bool, period: Any) -> str:
    return (
        f"periods of {period}"
        if period
        else "dates with a time zone"
        if zone
        else "dates without a time zone"
    )


@dataclass(frozen=True)
class Line:
    """Times at even steps, on which some series lie.

    Attributes:
        steps: a pandas Index. numbers: the same as NumPy's.
        series: their numbers. first: the place of the first time of each.
    """

    steps: Any
    numbers: np.ndarray
    series: np.ndarray
    first: np.ndarray

    def places(self, numbers: np.ndarray, first: int) -> np.ndarray:
        """How many steps after place `first` these times are; negative where they are not on the line."""
        found = np.searchsorted(self.numbers, numbers)
        on = self.numbers[np.minimum(found, len(self.numbers) - 1)] == numbers
        return np.where(on, found - first, -1)

    def until(self, numbers: np.ndarray) -> np.ndarray:
        """How many places there are up to each of these times."""
        return np.searchsorted(self.numbers, numbers, "right")


def _found(pandas: Any, rows: Rows) -> str:
    """The frequency of most series that have one throughout; else the least step, if all are multiples of it."""
    times, numbers = rows.times, rows.times.asi8
    wall = numbers if times.tz is None else times.tz_localize(None).asi8
    day = pandas.Timedelta(days=1) // pandas.Timedelta(1, unit=times.unit)
    inferred: dict[Any, Any] = {}  # series of one pattern have one frequency
    offsets = []
    for begin, end in pairwise(rows.bounds):
        if end - begin < 3:
            continue
        pattern = _pattern(wall[begin:end], day, times.tz is None) or _digest(numbers[begin:end])
        if pattern not in inferred:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore"
                )  # pandas 3 tells that 4 will return an object, which serves as well
                inferred[pattern] = pandas.infer_freq(times[begin:end])
        offsets.append(inferred[pattern])
    names = [getattr(offset, "freqstr", offset) for offset in offsets if offset is not None]
    if names:
        return str(Counter(names).most_common(1)[0][0])
    steps = np.diff(numbers)[rows.within()]
    if not len(steps):
        raise ValueError("freq: expected the time between steps, as no series has two, got None")
    least = int(steps.min())
    if (steps % least).any():
        raise ValueError("freq: expected the time between steps, as those of the frame are uneven, got None")
    unit: Any = pandas.Timedelta(least, unit=times.unit)
    if unit == pandas.Timedelta(days=unit.days):
        unit = f"{unit.days}D"  # days of the calendar, some of which have 23 hours
    return str(pandas.tseries.frequencies.to_offset(unit).freqstr)


def _pattern(wall: np.ndarray, day: int, even: bool) -> tuple[int, int] | None:
    """The step of times that a clock shows as `wall`, and a day of the week, if their frequency follows from these:
    where all steps are the same and shorter than a month. `even`: all days have 24 hours."""
    steps = np.diff(wall)
    step = int(steps[0])
    if (steps == step).all() and step < 28 * day and (even or step % day == 0):
        return step, int(wall[0] // day % 7)
    return None


def _digest(numbers: np.ndarray) -> bytes:
    return hashlib.blake2b(numbers.tobytes(), digest_size=16).digest()
