"""The times of a frame: the step between them, and the grid that they lie on."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import _check
from .._extras import need


class Grid:
    """Times at even steps of a frequency.

    Attributes:
        freq: as pandas writes it, or a whole number where times are whole numbers.
        zone: the time zone, or None. period: whether times are periods.
    """

    def __init__(self, freq: Any, zone: str | None = None, period: bool = False):
        self.freq, self.zone, self.period = freq, zone, period

    @classmethod
    def of(cls, times: Iterable[Any], freq: Any) -> Grid:
        """For the sorted times of each series; `freq` None finds the step."""
        pandas = need("pandas", "forecast", "frames")
        every = list(times)
        if isinstance(every[0], pandas.PeriodIndex):
            own = every[0].freqstr
            if freq not in (None, own):
                raise ValueError(f"freq: expected None or {own!r}, as the periods have, got {freq!r}")
            return cls(own, period=True)
        if not isinstance(every[0], pandas.DatetimeIndex):
            steps = [np.diff(np.asarray(one)) for one in every]
            least = min((int(s.min()) for s in steps if len(s)), default=1)
            return cls(least if freq is None else _check.whole_number("freq", freq, 1))
        zone = None if every[0].tz is None else str(every[0].tz)
        if freq is None:
            return cls(_found(pandas, every), zone)
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


def _found(pandas: Any, every: list[Any]) -> str:
    """The frequency of most series that have one throughout; else the least step, if all are multiples of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas 3 tells that 4 will return an object, which serves as well
        offsets = [pandas.infer_freq(one) for one in every if len(one) > 2]
    names = [getattr(offset, "freqstr", offset) for offset in offsets if offset is not None]
    if names:
        return str(Counter(names).most_common(1)[0][0])
    steps = np.concatenate([np.diff(one.asi8) for one in every])
    if not len(steps):
        raise ValueError("freq: expected the time between steps, as no series has two, got None")
    least = int(steps.min())
    if (steps % least).any():
        raise ValueError("freq: expected the time between steps, as those of the frame are uneven, got None")
    unit: Any = pandas.Timedelta(least, unit=every[0].unit)
    if unit == pandas.Timedelta(days=unit.days):
        unit = f"{unit.days}D"  # days of the calendar, some of which have 23 hours
    return str(pandas.tseries.frequencies.to_offset(unit).freqstr)
