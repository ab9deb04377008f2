"""A forecaster of many series, in their own units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .. import _check, init
from ..models import Forecaster
from .baseline import KINDS, Baseline
from .conformal import Calibration, Distribution
from .member import Member, learnt, spread_of
from .scales import MODES, Scales
from .series import Series, checked, clock, clocks
from .windows import Windows

NEVER = -(2**63)  # before all times


class SeriesForecaster:
    """Scales, windows, networks and calibration, for forecasts of many series.

    Args:
        horizon: S, steps to predict.
        context: steps to read; several numbers make a network for each.
        members: networks for each context, of different seeds. The forecasts of all are averaged.
        scale: of targets, as `Scales` has it: "all", "series", "context", "last" or None.
        residual: what baseline the networks learn to improve: None, "last", "seasonal" or "linear".
        blend: what baseline theirs are mixed with, of the same names: for each step ahead with the share that was
            best on the validation origins.
        season: steps of a season, for "seasonal".
        validation, calibration: shares of the origins, the last in time, that choose the best epoch and calibrate
            quantiles. They are not trained on.
        short: whether series may be shorter than the context.
        network: options of `elman.models.Forecaster`.
        training: options of `elman.train.fit`, and learning_rate, weight_decay.

    Raises:
        ValueError: an argument does not fit.
    """

    def __init__(
        self,
        horizon: int,
        context: int | Sequence[int],
        *,
        members: int = 1,
        scale: str | None = "all",
        residual: str | None = None,
        blend: str | None = None,
        season: int = 1,
        validation: float = 0.0,
        calibration: float = 0.0,
        short: bool = False,
        network: dict[str, Any] | None = None,
        training: dict[str, Any] | None = None,
    ):
        self.options = {k: v for k, v in locals().items() if k not in ("self", "horizon", "context")}
        self.horizon = _check.whole_number("horizon", horizon, 1)
        several = context if isinstance(context, (list, tuple)) else [context]
        self.contexts = [_check.whole_number("context", one, 1) for one in several]
        if not self.contexts:
            raise ValueError("context: expected at least one, got none")
        self.count = _check.whole_number("members", members, 1)
        self.mode = None if scale is None else _check.choice("scale", scale, MODES)
        self.residual, self.blend, self.short = residual, blend, short
        self.season = _check.whole_number("season", season, 1)
        Baseline(residual, horizon, 1)  # refused before any work
        if blend is not None:
            _check.choice("blend", blend, KINDS)
        if blend is not None and not validation:
            raise ValueError(f"blend: expected a validation_fraction above 0 with it, got {validation}")
        if "seasonal" in (residual, blend) and self.season > min(self.contexts):
            raise ValueError(
                f"season: expected at most the context of {min(self.contexts)} steps, got {season}"
            )
        self.validation = _check.fraction("validation_fraction", validation)
        self.apart = _check.fraction("calibration_fraction", calibration)
        self.network, self.training = dict(network or {}), dict(training or {})
        self.scales, self.marks, self.members = Scales(None), False, list[Member]()
        self.calibration: Calibration | None = None
        # By series, the origin after which nothing was trained on or counted; None in files that do not say it.
        self.seen: dict[Any, int] | None = {}

    def fresh(self) -> SeriesForecaster:
        """One like it that has learnt nothing."""
        return SeriesForecaster(self.horizon, self.contexts, **self.options)

    # Training.

    def fit(self, series: Sequence[Series], seed: int, progress: bool = False) -> SeriesForecaster:
        """Learn from all windows of the series; `seed` is that of weights and order, `progress` shows a bar.

        Raises:
            ValueError: the series differ in their sizes, or are too short.
        """
        series = checked(series)
        series = [one for one in series if not np.isnan(one.target).all()] or series
        # In scales of their own, if there are such: without names they would be strangers.
        several = len(series) > 1
        series = [
            replace(one, name=f"series {i}") if several and one.name is None else one
            for i, one in enumerate(series)
        ]
        self.sizes = series[0].sizes
        train, validation, calibration = self._parts(series)
        read = [
            one.between(0, int(at[-1]) + self.horizon if len(at) else len(one))
            for one, at in zip(series, train, strict=True)
        ]
        self.scales = Scales(self.mode).fit(read)
        self.marks = any(np.isnan(one.target).any() or np.isnan(one.past).any() for one in series) or any(
            len(at) and at[0] < max(self.contexts) for at in train
        )
        seeds: list[Any] = [seed, *init.seeds(seed, len(self.contexts) * self.count)[1:]]
        self.members = []
        for i, context in enumerate(np.repeat(self.contexts, self.count).tolist()):
            self.members.append(self._member(series, train, validation, context, seeds[i], seed, progress))
        self.calibration, self.seen = None, {}
        if self.apart:
            self.calibrate(series, calibration)
        self._see(series, [self.origins(one) for one in series])
        return self

    def _member(
        self, series: Any, train: Any, validation: Any, context: int, own: Any, seed: int, progress: bool
    ) -> Member:
        S, F = self.horizon, self.sizes[0]
        windows = Windows(series, train, self.scales, context, S, self.marks, Baseline(None, S, F))
        baseline, other = (
            learnt(Baseline(kind, S, F, self.season), windows) for kind in (self.residual, self.blend)
        )
        windows.baseline = baseline
        if self.residual:
            windows.spread = spread_of(windows)
        inputs, ahead = windows.sizes
        model = Forecaster(S, targets=F, input_size=inputs, future_size=ahead, seed=own, **self.network)
        member = Member(context, model, baseline, other, windows.spread, np.ones((S, F)))
        held = self._windows(series, validation, member) if self.validation else None
        member.train(windows, held, self.training, seed, progress)
        return member

    def _parts(self, series: list[Series]) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        """Origins to train on, to choose the epoch, and to calibrate, in this order in time. Between two of these there
        are none whose steps ahead lie in both."""
        train, validation, calibration = [], [], []
        for one in series:
            at = self.origins(one)
            cuts = [round(len(at) * (1 - self.apart - self.validation)), round(len(at) * (1 - self.apart))]
            parts = np.split(at, np.maximum(cuts, 0))
            train.append(self._ending_before(parts[0], np.concatenate(parts[1:])))
            validation.append(self._ending_before(parts[1], parts[2]))
            calibration.append(parts[2])
        for name, share, part in (
            ("series", 1.0, train), ("validation_fraction", self.validation, validation),
            ("calibration_fraction", self.apart, calibration),
        ):  # fmt: skip
            if share and not sum(map(len, part)):
                least = max(self.contexts) + self.horizon
                raise ValueError(
                    f"{name}: expected series long enough for windows of context and horizon, {least} steps, in "
                    f"each part, got the longest of {max(map(len, series))} steps"
                )
        return train, validation, calibration

    def _ending_before(self, at: np.ndarray, later: np.ndarray) -> np.ndarray:
        """Those origins whose steps ahead end before the first of the later ones."""
        return at[at + self.horizon <= later[0]] if len(later) else at

    def origins(self, one: Series) -> np.ndarray:
        """The origins of all windows of a series that have a whole context and horizon; a short series has one."""
        last = len(one) - self.horizon
        first = max(self.contexts)
        if self.short:
            first = min(first, max(1, last))
        return np.arange(first, last + 1)

    def train_epoch(self, series: Sequence[Series]) -> None:
        """One more epoch, on these series alone.

        Raises:
            ValueError: the series are not like those of `fit`, or the forecaster is from a file.
        """
        series = self._known(series)
        at = [self.origins(one) for one in series]
        for member in self.members:
            if member.run is None:
                raise ValueError(
                    "partial_fit: expected an estimator fitted in this program, got one from a file"
                )
            member.run.settings.batch_size = self.training.get("batch_size", 32)
            for _ in member.run.train_epoch(self._windows(series, at, member)):
                pass
            member.run.end_epoch(None)
            member.history = member.run.history
        self._see(series, at)

    # Forecasts.

    def _known(self, series: Sequence[Series]) -> list[Series]:
        series = checked(series)
        if series[0].sizes != self.sizes:
            raise ValueError(
                f"series: expected sizes (targets, past, known, static) {self.sizes}, as in fit, got {series[0].sizes}"
            )
        return series

    def _windows(self, series: list[Series], origins: Sequence[np.ndarray], member: Member) -> Windows:
        windows = Windows(
            series, origins, self.scales, member.context, self.horizon, self.marks, member.baseline
        )
        windows.spread = member.spread
        return windows

    def forecast(
        self, series: Sequence[Series], origins: Sequence[np.ndarray] | None = None, batch_size: int = 256
    ) -> Distribution:
        """The mean of what all networks say, for W windows: those with these origins of each series, or its end.
        `batch_size` windows are computed at a time."""
        series = self._known(series)
        if origins is None:
            origins = [np.array([len(one)]) for one in series]
        found = [member.said(self._windows(series, origins, member), batch_size) for member in self.members]
        centre, heads, unit = (np.mean(values, axis=0) for values in zip(*found, strict=True))
        targets = self.members[0].model.targets
        levels = targets.levels if targets.name == "quantile" else None
        names = tuple(one.name for one, at in zip(series, origins, strict=True) for _ in at)
        return Distribution(centre, heads, unit, levels, targets.name == "gaussian", names)

    def baseline(
        self, kind: str, known: Sequence[Series], series: Sequence[Series], origins: Sequence[np.ndarray]
    ) -> np.ndarray:
        """What the baseline of that `kind` says, [W, S, F], of these origins of the series; "linear" learns from all
        windows of the series `known`."""
        known, series, S, F = self._known(known), self._known(series), self.horizon, self.sizes[0]
        context, nothing = self.season if kind == "seasonal" else max(self.contexts), Baseline(None, S, F)
        at = [self.origins(one) for one in known]
        before = Windows(known, at, self.scales, context, S, self.marks, nothing)
        baseline = learnt(Baseline(kind, S, F, self.season), before)
        windows = Windows(series, origins, self.scales, context, S, self.marks, baseline)
        said = np.empty((len(windows), S, F))
        for begin in range(0, len(windows), 256):
            index = np.arange(begin, min(begin + 256, len(windows)))
            part = windows.take(index)
            said[index] = part.level + part.unit * part.baseline
        return said

    def calibrate(self, series: Sequence[Series], origins: Sequence[np.ndarray] | None = None) -> None:
        """Learn how far the forecasts of these origins of the series (all, if None) are from the truth. They must not
        be among those trained on."""
        series = self._known(series)
        origins = [self.origins(one) for one in series] if origins is None else origins
        said, truth = self.forecast(series, origins), self.truth(series, origins)
        self.calibration = Calibration.of(said, truth, clocks(series, origins, -1))
        self.seen = self.seen or {}
        self._see(series, origins)

    def observe(self, series: Sequence[Series]) -> None:
        """Learn from the errors of forecasts of these series, whose truth is known by now, at all origins after those
        that were trained on, calibrated with or observed before. Series without times are all new.

        Raises:
            ValueError: the series are not like those of `fit`, or nothing is calibrated.
        """
        series = self._known(series)
        if self.calibration is None or self.seen is None:
            raise ValueError(
                "observe: expected a forecaster with calibration_fraction or calibrate(), got "
                + (
                    "one without"
                    if self.calibration is None
                    else "one from an older file: calibrate() it anew"
                )
            )
        origins = [self.origins(one) for one in series]
        for i, one in enumerate(series):
            if one.times is not None and one.name in self.seen:
                origins[i] = origins[i][clock(one, origins[i] - 1) > self.seen[one.name]]
        said, truth = self.forecast(series, origins), self.truth(series, origins)
        self.calibration = self.calibration.after(said, truth, clocks(series, origins, -1))
        self._see(series, origins)

    def _see(self, series: Sequence[Series], origins: Sequence[np.ndarray]) -> None:
        assert self.seen is not None
        for one, at in zip(series, origins, strict=True):
            last = int(clock(one, at[-1:] - 1)[0]) if len(at) else NEVER
            self.seen[one.name] = max(last, self.seen.get(one.name, NEVER))

    def truth(self, series: Sequence[Series], origins: Sequence[np.ndarray]) -> np.ndarray:
        """[W, S, F], what came after each of the origins of the series; NaN beyond the end."""
        found = []
        for one, at in zip(series, origins, strict=True):
            end = np.full((self.horizon, one.target.shape[1]), np.nan)
            steps = np.asarray(at, np.int64)[:, None] + np.arange(self.horizon)
            found.append(np.concatenate([one.target, end])[np.minimum(steps, len(one))])
        return np.concatenate(found)
