"""Means and deviations of the data of many series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _check
from ..sequence import Standardizer
from .series import Series, named

SCALED = ("target", "past", "known", "static")  # parts of a Series, each with scales of its own
MODES = ("all", "series", "context", "last")
LEAST = 0.03  # of a context's deviation, in deviations of all series: a constant context has no scale


class Scales:
    """What each target and covariate is measured in.

    Args:
        mode: for targets. "all": mean and deviation over all series. "series": those of each series. "context": as
            "all", and then each window by mean and deviation of its context, which its forecast is given back
            (reversible instance normalisation without its affine map: Kim et al. 2022). "last": as "all", and then each
            window as its difference to the last value, which is an input of each step. None: nothing is scaled.
    """

    def __init__(self, mode: str | None):
        self.mode = mode
        self.target: Standardizer | None = None
        self.past: Standardizer | None = None
        self.known: Standardizer | None = None
        self.static: Standardizer | None = None
        self.by_series: dict[Any, tuple[np.ndarray, np.ndarray]] = {}

    def fit(self, series: Sequence[Series]) -> Scales:
        if self.mode is None:
            return self
        self.target = _fitted("target", [one.target for one in series])
        for name in ("past", "known"):
            rows = [getattr(one, name)[: len(one)] for one in series]
            if rows[0].shape[1]:
                setattr(self, name, _fitted(name, rows))
        if len(series[0].static):
            self.static = _fitted("static", [one.static[None] for one in series])
        if self.mode == "series":
            named = [one for one in series if one.name is not None or len(series) == 1]
            self.by_series = {one.name: self._own(one.target) for one in named}
        return self

    def of(self, series: Series, until: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean and scale of the targets of a series, each [F]; of a new one those of its steps up to `until`."""
        F = series.target.shape[1]
        if self.target is None:
            return np.zeros(F), np.ones(F)
        if self.mode != "series":
            return self.target.mean_, self.target.scale_
        return self.by_series.get(series.name) or self._own(series.target[:until])

    def _own(self, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert self.target is not None
        mean, scale = self.target.mean_.copy(), self.target.scale_.copy()
        for f, values in enumerate(target.T):
            if not np.isnan(values).all():
                own = Standardizer().fit(values[:, None])
                mean[f] = own.mean_[0]
                if np.nanmax(values) > np.nanmin(values):
                    scale[f] = own.scale_[0]
        return mean, scale

    def covariates(self, series: Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """past, known and static of a series, scaled."""
        found = []
        for name in ("past", "known", "static"):
            scaler, values = getattr(self, name), getattr(series, name)
            found.append(values if scaler is None else scaler.transform(values))
        return found[0], found[1], found[2]

    def as_plain(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        own = [[name, mean.tolist(), scale.tolist()] for name, (mean, scale) in self.by_series.items()]
        scalers = {name: getattr(self, name) for name in SCALED}
        return {"mode": self.mode, "series": own} | {
            name: None if scaler is None else scaler.as_plain() for name, scaler in scalers.items()
        }

    @classmethod
    def from_plain(cls, state: dict[str, Any], sizes: Sequence[int]) -> Scales:
        """The scales whose `as_plain` gave this `state`, of series of these `sizes`."""
        found = cls(None if state["mode"] is None else _check.choice("mode", state["mode"], MODES))
        for name, size in zip(SCALED, sizes, strict=True):
            if state[name] is not None:
                setattr(found, name, _read(name, state[name], size))
            elif found.mode is not None and size:
                raise ValueError(f"scales of {name}: expected them for the mode {found.mode!r}, got none")
        for name, *pair in state["series"]:
            own = _read(f"series {name!r}", pair, sizes[0])
            found.by_series[named(name)] = (own.mean_, own.scale_)
        return found


def _read(name: str, pair: Any, size: int) -> Standardizer:
    try:
        return Standardizer.from_plain(pair, size)
    except ValueError as error:
        raise ValueError(f"scales of {name}: {error}") from error


def _fitted(name: str, rows: Sequence[np.ndarray]) -> Standardizer:
    try:
        return Standardizer().fit(np.concatenate(list(rows)))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
