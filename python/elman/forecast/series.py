"""One series with what goes with it, and lists of such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .. import _check


def _empty(*shape: int) -> np.ndarray:
    return np.zeros(shape)


@dataclass(frozen=True)
class Series:
    """A series to forecast: n steps have been seen, and `known` may reach further.

    Attributes:
        target: [n, F], what is to be forecast; NaN where it is not known.
        past: [n, P], covariates that are known only once they are past; NaN where not.
        known: [n + ahead, C], covariates that are known ahead.
        static: [G], what does not change.
        name: of the series, None or any object that JSON can hold.
        times: [n + ahead], datetime64 or whole numbers; None counts from 0.
    """

    target: np.ndarray
    past: np.ndarray = field(default_factory=lambda: _empty(0, 0))
    known: np.ndarray = field(default_factory=lambda: _empty(0, 0))
    static: np.ndarray = field(default_factory=lambda: _empty(0))
    name: Any = None
    times: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.target)

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """F, P, C, G."""
        return self.target.shape[1], self.past.shape[1], self.known.shape[1], len(self.static)

    def between(self, begin: int, end: int) -> Series:
        """The steps from `begin` up to `end`, as they were known then: covariates known ahead stay."""
        begin, end = max(begin, 0), max(end, 0)
        return replace(
            self,
            target=self.target[begin:end],
            past=self.past[begin:end],
            known=self.known[begin:],
            times=None if self.times is None else self.times[begin:],
        )


def checked(series: Sequence[Series]) -> list[Series]:
    """The series, which must be of the same sizes and not all empty."""
    series = list(series)
    if not series:
        raise ValueError("series: expected at least one, got none")
    for one in series:
        if one.sizes != series[0].sizes:
            raise ValueError(
                f"series: expected sizes (targets, past, known, static) {series[0].sizes} for each, "
                f"got {one.sizes} for {one.name!r}"
            )
        if one.sizes[1] and len(one.past) != len(one.target):
            raise ValueError(f"past: expected {len(one.target)} steps, got {_check.describe(one.past)}")
        if one.sizes[2] and len(one.known) < len(one.target):
            want = f"at least {len(one.target)} steps"
            raise ValueError(f"known: expected {want}, got {_check.describe(one.known)}")
    return series


def clock(one: Series, places: np.ndarray) -> np.ndarray:
    """The times of these steps of a series as whole numbers."""
    times = places if one.times is None else one.times[places]
    return np.asarray(times.astype("M8[ns]") if times.dtype.kind == "M" else times, np.int64)


def clocks(series: Sequence[Series], origins: Sequence[np.ndarray], shift: int) -> np.ndarray:
    """[W], the times of the steps that are `shift` after these origins of the series."""
    found = [clock(one, np.asarray(at, np.int64) + shift) for one, at in zip(series, origins, strict=True)]
    return np.concatenate(found)


def named(name: Any) -> Any:
    """The name of a series out of JSON, which makes a list of a tuple."""
    return tuple(name) if isinstance(name, list) else name


def carried(values: np.ndarray) -> np.ndarray:
    """[n, F] with each NaN replaced by the last value before it; NaN stays where there is none."""
    steps = np.where(np.isnan(values), 0, np.arange(len(values))[:, None])
    return np.take_along_axis(values, np.maximum.accumulate(steps, axis=0), axis=0) if values.size else values
