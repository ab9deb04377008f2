"""Frames of pandas as series, and forecasts as frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .. import _check
from .._extras import need
from . import calendar as calendars
from .grid import Grid, Line
from .roles import Encoder, Roles, plain_id
from .rows import Rows
from .series import Series

VALUE, SERIES = "value", "series"  # columns of what has no names of its own
MOST = 10_000  # steps for each row: with more, a time is wrong
_INDEX = "elman:index"  # the times of an index, as a column


class FrameReader:
    """Reads long frames (a row for each step of each series), wide frames (a row for each step) and pandas Series.

    Rows need no order. Rows that are missing between the first and the last of a series are steps whose values are not
    known. A series ends with its last known target: rows after it say what is known ahead.

    Args:
        roles: of the columns.
        horizon: S, steps ahead that forecasts will need.
    """

    def __init__(self, roles: Roles, horizon: int):
        self.roles, self.horizon = roles, horizon
        self.encoders: dict[str, Encoder] = {}

    def fit(self, frame: Any) -> list[Series]:
        """Learn columns, categories and frequency of a frame, and give its series.

        Raises:
            ValueError: the frame lacks a column, or what is in it is not what its role needs.
        """
        if self.roles.target and self.roles.columns == "series":
            raise ValueError("target: expected None with columns='series', whose columns are the targets")
        table = self._table(frame, first=True)
        roles = self.roles
        self.encoders = {c: Encoder.of(c, table[c]) for c in (*roles.known, *roles.past, *roles.static)}
        rows = self._rows(table, "X")
        self.grid = Grid.of(rows, roles.freq)
        self.calendar = calendars.chosen(roles.calendar, self.grid.days())
        if roles.holidays and self.grid.days() is None:
            raise ValueError("holidays: expected dates as times with it, got whole numbers")
        rows = replace(rows, times=self.grid.own(rows.times))
        return self._series(rows, None, ahead=False)

    def read(self, frame: Any, future: Any = None, ahead: bool = False) -> list[Series]:
        """The series of a frame like that of `fit`.

        Args:
            frame: an object of pandas, a DataFrame or Series.
            future: None, or a DataFrame of what is known of the steps after them.
            ahead: whether all `known` covariates must be there for the `horizon` steps after each.

        Returns:
            The series.

        Raises:
            ValueError: it is not like that frame, or a covariate that is known ahead is missing.
        """
        rows, later = self._own(frame, "X"), None
        if future is not None:
            later = self._own(future, "future")
            strangers = set(later.names) - set(rows.names)
            if strangers and self.roles.series:
                raise ValueError(f"future: expected series that X has, got {sorted(strangers, key=str)[0]!r}")
        return self._series(rows, later, ahead)

    def _own(self, frame: Any, given: str) -> Rows:
        """The rows of a frame like that of `fit`, with times in its zone."""
        rows = self._rows(self._table(frame, first=False, ahead=given == "future"), given)
        return replace(rows, times=self.grid.own(rows.times))

    def _rows(self, table: Any, given: str) -> Rows:
        return Rows.of(table, self.roles, _INDEX if self.roles.time is None else self.roles.time, given)

    # A frame as a long table with a column for each role, and a column _INDEX if the times are in the index.

    def _table(self, frame: Any, first: bool, ahead: bool = False) -> Any:
        pandas = need("pandas", "forecast", "frames")
        if isinstance(frame, pandas.Series):
            frame = frame.to_frame(VALUE if frame.name is None else frame.name)
        given = "future" if ahead else "X"
        if not isinstance(frame, pandas.DataFrame):
            raise ValueError(
                f"{given}: expected a DataFrame or Series, as in fit, got {_check.describe(frame)}"
            )
        if frame.columns.nlevels > 1:
            raise ValueError(f"{given}: expected columns of one level, got {frame.columns.nlevels} levels")
        if not frame.columns.is_unique:
            twice = frame.columns[frame.columns.duplicated()][0]
            raise ValueError(f"{given}: expected each column once, got {twice!r} twice")
        roles = self.roles
        inside = [
            name for name in frame.index.names if name is not None and name in (roles.time, *roles.series)
        ]
        if inside:
            frame = frame.reset_index(inside)
        if roles.columns == "series":
            frame = self._melted(frame, first, ahead)
        elif first and not roles.target:
            taken = {roles.time, *roles.series, *roles.known, *roles.past, *roles.static}
            self.roles = roles = replace(roles, target=tuple(c for c in frame.columns if c not in taken))
        if ahead:  # targets and what is known later are not asked for
            missing = [c for c in (*roles.known, *roles.series) if c not in frame.columns]
            if missing:
                raise ValueError(f"future: expected the column {missing[0]!r}, got {list(frame.columns)}")
        else:
            roles.check(frame.columns)
        if roles.time is None:
            frame = frame.rename_axis(index=None).assign(**{_INDEX: frame.index}).reset_index(drop=True)
        return frame

    def _melted(self, frame: Any, first: bool, ahead: bool) -> Any:
        """A wide frame whose columns are series, as a long one."""
        pandas = need("pandas", "forecast", "frames")
        roles = self.roles
        shared = [c for c in (*roles.known, *roles.past, roles.time) if c in frame.columns]
        for taken in {VALUE, SERIES} & set(shared):
            raise ValueError(f"columns: expected no covariate or time named {taken!r} with 'series'")
        names = [c for c in frame.columns if c not in shared]
        if first:
            self.roles = replace(roles, target=(VALUE,), series=(SERIES,))
            self.names = names
        wanted = self.names if ahead else names
        parts = []
        for name in wanted:
            values = frame[name] if name in frame.columns else np.nan
            parts.append(frame[shared].assign(**{VALUE: values, SERIES: name}))
        return pandas.concat(parts)

    def _series(self, rows: Rows, later: Rows | None, ahead: bool) -> list[Series]:
        """The series of `rows`, with what `later` says is known of the steps after them. Columns are read whole, and a
        series takes its slices."""
        found: list[Any] = [None] * len(rows.names)
        targets = rows.columns(self.roles.target, self._numbers)
        past, static = self._encoded(self.roles.past, rows), self._static(rows)
        numbers = self.grid.numbers(rows.times)
        self._expect_near(rows, numbers)
        ahead_of = _Ahead(self, rows), *([] if later is None else [_Ahead(self, later)])
        for line in self.grid.lines(rows.times, rows.bounds, self.horizon):
            shared = self._shared(line.steps)
            for i, first in zip(line.series, line.first, strict=True):
                own = slice(rows.bounds[i], rows.bounds[i + 1])
                place = line.places(numbers[own], first)
                there = np.flatnonzero(~np.isnan(targets[own]).all(axis=1))
                n = self._length(rows, i, place, there, line.until(numbers[own]) - first)
                steps, seen = slice(first, first + n + self.horizon), (place >= 0) & (place < n)
                known = np.full((n + self.horizon, ahead_of[0].values.shape[1]), np.nan)
                there = np.zeros((n + self.horizon, len(self.roles.known)), bool)
                for one in ahead_of if self.roles.known else ():
                    one.put(rows.names[i], line, first, known, there)
                if ahead:
                    self._expect_ahead(rows.names[i], line.steps[steps], n, there)
                found[i] = Series(
                    target=_on(targets[own][seen], place[seen], n),
                    past=_on(past[own][seen], place[seen], n),
                    known=np.concatenate([known, shared[steps]], axis=1),
                    static=static[i],
                    name=rows.names[i],
                    times=line.numbers[steps],
                )
        return found

    def _expect_near(self, rows: Rows, numbers: np.ndarray) -> None:
        """Refuse a series of few rows and so many steps that they would fill the memory."""
        first, last = rows.bounds[:-1], rows.bounds[1:] - 1
        count = last - first + 1
        far = np.flatnonzero((numbers[last] - numbers[first]) / self.grid.step() > MOST * count)
        for i in far[:1]:
            raise ValueError(
                f"time: expected at most {MOST} steps of {self.grid.freq} for each row, got {count[i]} rows from "
                f"{rows.times[first[i]]} to {rows.times[last[i]]}; freq= says another step"
            )

    def _length(self, rows: Rows, i: int, place: np.ndarray, known: np.ndarray, until: np.ndarray) -> int:
        """How many steps series i has up to its last known target, the last of the rows `known`; `until` counts them
        for each of its rows, whose steps are `place`."""
        name, begin = rows.names[i], rows.bounds[i]
        if not len(known):
            raise ValueError(f"target: expected a known value in each series, got none in {name!r}")
        n, last, times = int(until[known[-1]]), known[-1], rows.times
        off = np.flatnonzero(place[: last + 1] < 0)
        if len(off):
            raise ValueError(
                f"time: expected steps of {self.grid.freq} from {times[begin]} on, got {times[begin + off[0]]}"
                + (f" in series {name!r}" if self.roles.series else "") + "; freq= says another step"
            )  # fmt: skip
        return n

    def _numbers(self, values: Any) -> np.ndarray:
        pandas = need("pandas", "forecast", "frames")
        kinds, column = pandas.api.types, values.name
        if not kinds.is_numeric_dtype(values.dtype) or kinds.is_complex_dtype(values.dtype):
            raise ValueError(f"target: expected numbers in {column!r}, got {values.dtype}")
        return values.to_numpy(dtype=float, na_value=np.nan)[:, None]

    def _encoded(self, columns: Sequence[str], rows: Rows) -> np.ndarray:
        return rows.columns(columns, lambda values: self.encoders[values.name].encoded(values))

    def _expect_ahead(self, name: Any, steps: Any, n: int, there: np.ndarray) -> None:
        """Refuse where a covariate is not there for all steps after the first n."""
        for i, column in enumerate(self.roles.known):
            missing = np.flatnonzero(~there[n:, i])
            if len(missing):
                more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
                of = f" of series {name!r}" if self.roles.series else ""
                raise ValueError(
                    f"future: expected {column!r}{of} from {steps[n]} to {steps[-1]}, "
                    f"got none for {steps[n + missing[0]]}{more}"
                )

    def _shared(self, steps: Any) -> np.ndarray:
        """[n, ...]: covariates of the calendar, then holidays."""
        times = self.grid.calendar(steps)
        parts = [calendars.waves(times, self.calendar)] if self.calendar else []
        if self.roles.holidays:
            parts.append(np.isin(times.strftime("%Y-%m-%d"), self.roles.holidays)[:, None].astype(float))
        return np.concatenate(parts, axis=1) if parts else np.zeros((len(steps), 0))

    def _static(self, rows: Rows) -> np.ndarray:
        """[series, G]: the first known value of each."""
        begin, parts = rows.bounds[:-1], [np.zeros((len(rows.names), 0))]
        for column in self.roles.static:
            values = rows.table[column]
            kinds = need("pandas", "forecast", "frames").factorize(values)[0]
            known = np.flatnonzero(kinds >= 0)
            first = known[np.minimum(np.searchsorted(known, begin), len(known) - 1)] if len(known) else begin
            first = np.where((first >= begin) & (first < rows.bounds[1:]), first, begin)
            of_row = np.repeat(np.arange(len(begin)), np.diff(rows.bounds))
            other = known[kinds[known] != kinds[first[of_row[known]]]]
            if len(other):
                i = of_row[other[0]]
                got = [plain_id(value) for value in values.iloc[[first[i], other[0]]]]
                raise ValueError(
                    f"static: expected one {column!r} in each series, got {got} in {rows.names[i]!r}"
                )
            parts.append(self.encoders[column].encoded(values)[first])
        return np.concatenate(parts, axis=1)

    def as_plain(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        return {
            "roles": self.roles.as_plain(), "horizon": self.horizon, "calendar": self.calendar,
            "categories": [[c, e.categories] for c, e in self.encoders.items()],
            "grid": [self.grid.freq, self.grid.zone, self.grid.period],
            "names": getattr(self, "names", []),
        }  # fmt: skip

    @classmethod
    def from_plain(cls, state: dict[str, Any]) -> FrameReader:
        """The reader whose `as_plain` gave this `state`."""
        found = cls(Roles.from_plain(state["roles"]), state["horizon"])
        found.encoders = {c: Encoder(c, categories) for c, categories in state["categories"]}
        found.grid, found.calendar, found.names = Grid(*state["grid"]), state["calendar"], state["names"]
        return found


class _Ahead:
    """What rows say about covariates that are known ahead."""

    def __init__(self, reader: FrameReader, rows: Rows):
        """`values` [N, C]: the covariates; `there` [N, columns]: which are known."""
        known = reader.roles.known
        self.values = reader._encoded(known, rows)
        self.there = rows.columns(known, lambda values: values.notna().to_numpy()[:, None])
        self._numbers, self._bounds = reader.grid.numbers(rows.times), rows.bounds
        self._of = {name: i for i, name in enumerate(rows.names)}

    def put(self, name: Any, line: Line, first: int, values: np.ndarray, there: np.ndarray) -> None:
        """Write what is said about a series, which begins at `first`, to [n + S, C] and [n + S, columns]."""
        i = self._of.get(name)
        if i is None:
            return
        own = slice(self._bounds[i], self._bounds[i + 1])
        place = line.places(self._numbers[own], first)
        seen = (place >= 0) & (place < len(values))
        values[place[seen]], there[place[seen]] = self.values[own][seen], self.there[own][seen]


def _on(values: np.ndarray, place: np.ndarray, n: int) -> np.ndarray:
    """[n, K]: values at their places, and NaN."""
    found = np.full((n, values.shape[1]), np.nan)
    found[place] = values
    return found
