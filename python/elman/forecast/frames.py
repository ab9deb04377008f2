"""Frames of pandas as series, and forecasts as frames."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .. import _check
from .._extras import need
from . import calendar as calendars
from .grid import Grid
from .roles import Encoder, Roles, plain_id
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
        groups = list(self._groups(table, "X"))
        self.grid = Grid.of([times for _, times, _ in groups], roles.freq)
        self.calendar = calendars.chosen(roles.calendar, self.grid.days())
        if roles.holidays and self.grid.days() is None:
            raise ValueError("holidays: expected dates as times with it, got whole numbers")
        return self._series(groups, {}, ahead=False)

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
        groups = list(self._groups(self._table(frame, first=False), "X"))
        later = {}
        if future is not None:
            table = self._table(future, first=False, ahead=True)
            later = {
                name: (self.grid.own(times), rows) for name, times, rows in self._groups(table, "future")
            }
            strangers = later.keys() - {name for name, _, _ in groups}
            if strangers and self.roles.series:
                raise ValueError(f"future: expected series that X has, got {sorted(strangers, key=str)[0]!r}")
        return self._series(groups, later, ahead)

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

    def _groups(self, table: Any, name: str) -> Iterator[tuple[Any, Any, Any]]:
        """Name, times and rows of each series, sorted by time."""
        roles = self.roles
        held, column = (_INDEX, "time") if roles.time is None else (roles.time, roles.time)
        by = list(roles.series)
        if len(table) == 0:
            raise ValueError(f"{name}: expected rows, got none")
        for one in by:
            if table[one].isna().any():
                raise ValueError(f"{one}: expected the name of a series in each row, got missing ones")
        ordered = roles.columns == "variables"  # so the order of rows says nothing; that of columns stays
        groups = table.groupby(by, sort=ordered, observed=True) if by else [((None,), table)]
        for key, rows in groups:
            key = plain_id(key)
            own = key[0] if isinstance(key, tuple) and len(key) == 1 else key
            times = self._times(rows[held], column)
            order = np.argsort(times.asi8 if hasattr(times, "asi8") else np.asarray(times), kind="stable")
            rows, times = rows.iloc[order], times[order]
            if not times.is_unique:
                twice = times[times.duplicated()][0]
                hint = "" if by else "; series= names the column that tells series apart"
                of = f" of series {own!r}" if by else ""
                raise ValueError(f"{column}: expected each time once, got {twice} twice{of}{hint}")
            yield own, times, rows

    def _times(self, values: Any, column: Any) -> Any:
        pandas = need("pandas", "forecast", "frames")
        if values.isna().any():
            raise ValueError(f"{column}: expected a time in each row, got missing ones")
        index = pandas.Index(values)
        if index.dtype == object or isinstance(index.dtype, pandas.StringDtype):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # texts that are no dates are refused below
                    index = pandas.to_datetime(index)
            except (ValueError, TypeError) as error:
                raise ValueError(
                    f"{column}: expected dates or whole numbers, got {index[0]!r}: {error}"
                ) from None
        whole = pandas.api.types.is_integer_dtype(index.dtype)
        if not whole and not isinstance(index, (pandas.DatetimeIndex, pandas.PeriodIndex)):
            raise ValueError(f"{column}: expected dates or whole numbers, got {index.dtype}")
        return index

    def _series(self, groups: Any, later: dict[Any, Any], ahead: bool) -> list[Series]:
        found = []
        for name, times, rows in groups:
            values = np.column_stack([self._numbers(rows[c], c) for c in self.roles.target])
            known = np.flatnonzero(~np.isnan(values).all(axis=1))
            if not len(known):
                raise ValueError(f"target: expected a known value in each series, got none in {name!r}")
            times = self.grid.own(times)
            n = self.grid.until(times[0], times[known[-1]])
            if n > MOST * len(times):
                raise ValueError(
                    f"time: expected at most {MOST} steps of {self.grid.freq} for each row, got {len(times)} rows from "
                    f"{times[0]} to {times[known[-1]]}; freq= says another step"
                )
            steps = self.grid.steps(times[0], n + self.horizon)
            place = steps.get_indexer(times)
            if (place[: known[-1] + 1] < 0).any():
                off = times[: known[-1] + 1][place[: known[-1] + 1] < 0][0]
                raise ValueError(
                    f"time: expected steps of {self.grid.freq} from {times[0]} on, got {off}"
                    + (f" in series {name!r}" if self.roles.series else "") + "; freq= says another step"
                )  # fmt: skip
            seen = (place >= 0) & (place < n)
            covariates = self._known(
                name, steps, n, [(times, rows), *([later[name]] if name in later else [])], ahead
            )
            found.append(
                Series(
                    target=_on(values[seen], place[seen], n),
                    past=_on(self._encoded(self.roles.past, rows)[seen], place[seen], n),
                    known=covariates,
                    static=self._static(rows, name),
                    name=name,
                    times=self.grid.numbers(steps),
                )
            )
        return found

    def _numbers(self, values: Any, column: str) -> np.ndarray:
        pandas = need("pandas", "forecast", "frames")
        kinds = pandas.api.types
        if not kinds.is_numeric_dtype(values.dtype) or kinds.is_complex_dtype(values.dtype):
            raise ValueError(f"target: expected numbers in {column!r}, got {values.dtype}")
        return values.to_numpy(dtype=float, na_value=np.nan)

    def _encoded(self, columns: Sequence[str], rows: Any) -> np.ndarray:
        parts = [self.encoders[c].encoded(rows[c]) for c in columns]
        return np.concatenate(parts, axis=1) if parts else np.zeros((len(rows), 0))

    def _known(self, name: Any, steps: Any, n: int, sources: Any, ahead: bool) -> np.ndarray:
        """[n + S, C]: the user's, then the calendar's, then holidays."""
        reach = len(steps)
        there = np.zeros((reach, len(self.roles.known)), bool)
        given = np.full((reach, sum(self.encoders[c].size for c in self.roles.known)), np.nan)
        for times, rows in sources if self.roles.known else ():
            place = steps.get_indexer(times)
            seen = place >= 0
            given[place[seen]] = self._encoded(self.roles.known, rows)[seen]
            for i, column in enumerate(self.roles.known):
                there[place[seen], i] = rows[column].notna().to_numpy()[seen]
        for i, column in enumerate(self.roles.known if ahead else ()):
            missing = np.flatnonzero(~there[n:, i])
            if len(missing):
                more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
                of = f" of series {name!r}" if self.roles.series else ""
                raise ValueError(
                    f"future: expected {column!r}{of} from {steps[n]} to {steps[-1]}, "
                    f"got none for {steps[n + missing[0]]}{more}"
                )
        times = self.grid.calendar(steps)
        parts = [given] + ([calendars.waves(times, self.calendar)] if self.calendar else [])
        if self.roles.holidays:
            parts.append(np.isin(times.strftime("%Y-%m-%d"), self.roles.holidays)[:, None].astype(float))
        return np.concatenate(parts, axis=1)

    def _static(self, rows: Any, name: Any) -> np.ndarray:
        parts = [np.zeros(0)]
        for column in self.roles.static:
            known = rows[column].dropna()
            if known.nunique() > 1:
                values = list(known.unique()[:2])
                raise ValueError(f"static: expected one {column!r} in each series, got {values} in {name!r}")
            parts.append(self.encoders[column].encoded((known if len(known) else rows[column]).iloc[:1])[0])
        return np.concatenate(parts)

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


def _on(values: np.ndarray, place: np.ndarray, n: int) -> np.ndarray:
    """[n, K]: values at their places, and NaN."""
    found = np.full((n, values.shape[1]), np.nan)
    found[place] = values
    return found
