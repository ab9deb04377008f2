"""What the columns of a frame are for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import date, timedelta
from typing import Any

from .. import _check
from .._extras import need
from ..layers.arguments import refuse_unknown


@dataclass(frozen=True)
class Roles:
    """The columns of a frame by what they are for, and what is made of its times.

    Attributes:
        target: the columns to forecast.
        series: the columns that tell series apart; none where the frame holds one.
        time: the column of times, or None for the index.
        known, past, static: covariates known ahead; known once past; that do not change in a series.
        calendar: True, False or names of `elman.forecast.calendar.PARTS`.
        holidays: dates on which a covariate of its own is 1.
        freq: the time from step to step, as pandas writes it ("h", "D", "MS"); None finds it.
        columns: "variables" of one series, or "series" of one variable, for a wide frame.
    """

    target: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    time: Any = None
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    calendar: Any = True
    holidays: tuple[str, ...] = ()
    freq: Any = None
    columns: str = "variables"

    @classmethod
    def of(cls, **options: Any) -> Roles:
        """From `options` as a user writes them: one column for a list of one.

        Raises:
            TypeError: there is no such option.
            ValueError: a column has two roles, or `columns` is none of its words.
        """
        refuse_unknown("fit", options, (field.name for field in fields(cls)))
        given: dict[str, Any] = dict(options)
        for name in ("target", "series", "known", "past", "static"):
            given[name] = names(given.get(name))
        days = given.get("holidays")
        if isinstance(days, (str, date)):
            days = [days]
        if days is not None and len(days):
            pandas = need("pandas", "forecast", "a calendar")
            given["holidays"] = tuple(str(day.date()) for day in pandas.to_datetime(list(days)))
        else:
            given["holidays"] = ()
        calendar = given.get("calendar", True)
        given["calendar"] = list(calendar) if isinstance(calendar, (tuple, list)) else calendar
        freq = given.get("freq")
        if isinstance(freq, timedelta):
            freq = need("pandas", "forecast", "frames").tseries.frequencies.to_offset(freq)
        given["freq"] = getattr(freq, "freqstr", freq)
        _check.choice("columns", given.get("columns", "variables"), ("variables", "series"))
        roles = cls(**given)  # type: ignore[arg-type]
        twice = [c for c in roles.target if c in (*roles.known, *roles.past, *roles.static)]
        if twice:
            raise ValueError(
                f"target: expected columns of no other role, got {twice[0]!r} as a covariate too"
            )
        return roles

    def check(self, there: Iterable[Any]) -> None:
        """Refuse columns that a frame, whose columns are `there`, does not have.

        Raises:
            ValueError: there is one.
        """
        there = list(there)
        for name in ("target", "series", "known", "past", "static"):
            for column in getattr(self, name):
                if column not in there:
                    raise ValueError(f"{name}: expected one of the frame's columns {there}, got {column!r}")
        if self.time is not None and self.time not in there:
            raise ValueError(f"time: expected one of the frame's columns {there}, got {self.time!r}")

    def as_plain(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_plain(cls, state: dict[str, Any]) -> Roles:
        """The roles whose `as_plain` gave this `state`."""
        lists = ("target", "series", "known", "past", "static", "holidays")
        kept: dict[str, Any] = {k: tuple(v) if k in lists else v for k, v in state.items()}
        return cls(**kept)


def names(given: Any) -> tuple[Any, ...]:
    if given is None:
        return ()
    if isinstance(given, (list, tuple)) or type(given).__name__ in ("Index", "ndarray"):
        return tuple(given)
    return (given,)


class Encoder:
    """A covariate as numbers: itself, or for each of its categories whether it is that."""

    def __init__(self, column: str, categories: list[Any] | None):
        self.column, self.categories = column, categories
        self.size = 1 if categories is None else len(categories)

    @classmethod
    def of(cls, column: str, values: Any) -> Encoder:
        """For the values of a column, a pandas Series. Booleans are numbers; texts, objects and categories are not."""
        pandas = need("pandas", "forecast", "frames")
        kinds = pandas.api.types
        if kinds.is_bool_dtype(values.dtype) or kinds.is_numeric_dtype(values.dtype):
            return cls(column, None)
        if kinds.is_datetime64_any_dtype(values.dtype):
            raise ValueError(f"{column}: expected numbers or categories, got {values.dtype}")
        known = values.dropna()
        if len(known) and all(isinstance(v, bool) for v in known):
            return cls(column, None)
        found = list(values.cat.categories) if hasattr(values, "cat") else list(known.unique())
        return cls(column, sorted((plain_id(v) for v in found), key=lambda v: (str(type(v)), v)))

    def encoded(self, values: Any) -> Any:
        """[n, size] float64; NaN where a number, all 0 where a category is missing."""
        pandas, numpy = need("pandas", "forecast", "frames"), need("numpy", "forecast", "frames")
        if self.categories is None:
            try:
                return numpy.asarray(pandas.to_numeric(values), float).reshape(-1, 1)
            except (ValueError, TypeError):
                kind = values.dtype
                raise ValueError(f"{self.column}: expected numbers, as in fit, got {kind}") from None
        codes = pandas.Index(self.categories, dtype=object).get_indexer(values.astype(object))
        strange = numpy.flatnonzero((codes < 0) & values.notna().to_numpy())
        if len(strange):
            value = values.iloc[strange[0]]
            raise ValueError(f"{self.column}: expected one of {self.categories}, as in fit, got {value!r}")
        return numpy.eye(self.size + 1)[codes, : self.size]  # the last row, which is 0, where there is none


def plain_id(value: Any) -> Any:
    """A number or text of NumPy's or pandas' as Python's own."""
    if isinstance(value, tuple):
        return tuple(plain_id(part) for part in value)
    return value.item() if hasattr(value, "item") else value
