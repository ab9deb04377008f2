"""The rows of a long table, sorted by series and time, so that a series is a slice of each column."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._extras import need
from .roles import Roles, plain_id


@dataclass(frozen=True)
class Rows:
    """N rows of K series.

    Attributes:
        table: the rows as a DataFrame.
        times: of each, a pandas Index.
        names: of the series.
        bounds: [K + 1], where each series begins, and N.
    """

    table: Any
    times: Any
    names: list[Any]
    bounds: np.ndarray

    @classmethod
    def of(cls, table: Any, roles: Roles, held: Any, given: str) -> Rows:
        """Those of a table that the user calls `given`, whose times are in the column `held`.

        Raises:
            ValueError: there is no row, a name or time is missing, or a series has a time twice.
        """
        column, by = "time" if roles.time is None else roles.time, list(roles.series)
        if len(table) == 0:
            raise ValueError(f"{given}: expected rows, got none")
        for one in by:
            if table[one].isna().any():
                raise ValueError(f"{one}: expected the name of a series in each row, got missing ones")
        of_row: np.ndarray = np.zeros(len(table), int)
        names: list[Any] = [None]
        if by:
            # In a long frame the order of rows says nothing. That of columns stays.
            groups = table.groupby(by, sort=roles.columns == "variables", observed=True)
            of_row = groups.ngroup().to_numpy()
            _, first = np.unique(of_row, return_index=True)
            names = list(zip(*(table[one].iloc[first].tolist() for one in by), strict=True))
            names = [plain_id(name[0] if len(name) == 1 else name) for name in names]
        times = _read(table[held], column)
        numbers = times.asi8 if hasattr(times, "asi8") else np.asarray(times)
        order = np.lexsort((numbers, of_row))
        of_row, numbers, times = of_row[order], numbers[order], times[order]
        twice = np.flatnonzero((of_row[1:] == of_row[:-1]) & (numbers[1:] == numbers[:-1]))
        if len(twice):
            hint = "" if by else "; series= names the column that tells series apart"
            of = f" of series {names[of_row[twice[0]]]!r}" if by else ""
            raise ValueError(f"{column}: expected each time once, got {times[twice[0]]} twice{of}{hint}")
        bounds = np.searchsorted(of_row, np.arange(len(names) + 1))
        return cls(table.iloc[order], times, names, bounds)

    def columns(self, names: Sequence[Any], read: Callable[[Any], np.ndarray]) -> np.ndarray:
        """[N, ...]: what `read` makes of these columns, side by side."""
        parts = [read(self.table[name]) for name in names]
        return np.concatenate(parts, axis=1) if parts else np.zeros((len(self.table), 0))

    def within(self) -> np.ndarray:
        """[N - 1] bool: whether a row and the next are of one series."""
        same = np.ones(len(self.table) - 1, bool)
        same[self.bounds[1:-1] - 1] = False
        return same


def _read(values: Any, column: Any) -> Any:
    """A column of times as an Index."""
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
