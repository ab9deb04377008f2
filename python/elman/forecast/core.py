"""A forecaster of many series, in their own units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check, init
from ..models import Forecaster
from ..optim import make_optimizer
from ..train import History, Run, fit
from ..train.settings import Settings
from .conformal import Calibration, Distribution
from .linear import Baseline
from .scales import MODES, Scales
from .series import Series, checked
from .windows import Windows

EVERY = 4096  # windows that are looked at for spreads and linear maps: more say little more


@dataclass
class Member:
    """One of the networks whose forecasts are averaged."""

    context: int
    model: Forecaster
    plain: Baseline
    spread: np.ndarray  # [S, F], of what the network learns
    history: History
    run: Run | None = None


class SeriesForecaster:
    """Scales, windows, networks and calibration, for forecasts of many series.

    Args:
        horizon: S, steps to predict.
        context: steps to read; several numbers make a network for each.
        members: networks for each context, of different seeds. The forecasts of all are averaged.
        scale: of targets, as `Scales` has it: "all", "series", "context" or None.
        residual: what plain forecast the networks learn to improve: None, "last", "seasonal" or "linear".
        season: steps of a season, for "seasonal".
        validation, calibration: shares of the origins, the last in time, that choose the best epoch and calibrate
            quantiles. They are not trained on.
        short: whether series may be shorter than the context.
        network: options of `elman.models.Forecaster`.
        training: options of `elman.train.fit`, and learning_rate, weight_decay.
    """

    def __init__(
        self,
        horizon: int,
        context: int | Sequence[int],
        *,
        members: int = 1,
        scale: str | None = "all",
        residual: str | None = None,
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
        self.residual, self.short = residual, short
        self.season = _check.whole_number("season", season, 1)
        Baseline(residual, horizon, 1)  # refused before any work
        if residual == "seasonal" and self.season > min(self.contexts):
            raise ValueError(
                f"season: expected at most the context of {min(self.contexts)} steps, got {season}"
            )
        self.validation = _check.fraction("validation_fraction", validation)
        self.apart = _check.fraction("calibration_fraction", calibration)
        self.network, self.training = dict(network or {}), dict(training or {})
        self.scales, self.marks, self.members = Scales(None), False, list[Member]()
        self.calibration: Calibration | None = None

    def fresh(self) -> SeriesForecaster:
        """One like it that has learnt nothing."""
        return SeriesForecaster(self.horizon, self.contexts, **self.options)

    # Training.

    def fit(self, series: Sequence[Series], seed: int, progress: bool = False) -> SeriesForecaster:
        """Learn from all windows of the series."""
        series = checked(series)
        series = [one for one in series if not np.isnan(one.target).all()] or series
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
        self.calibration = None
        if self.apart:
            self.calibrate(series, calibration)
        return self

    def _member(
        self, series: Any, train: Any, validation: Any, context: int, own: Any, seed: int, progress: bool
    ) -> Member:
        F = self.sizes[0]
        plain = Baseline(None, self.horizon, F)
        windows = Windows(series, train, self.scales, context, self.horizon, self.marks, plain)
        plain = self._learnt(windows, F)
        windows.plain = plain
        spread = self._spread(windows) if self.residual else np.ones((self.horizon, F), np.float32)
        windows.spread = spread
        inputs, ahead = windows.sizes
        model = Forecaster(
            self.horizon, targets=F, input_size=inputs, future_size=ahead, seed=own, **self.network
        )
        training = dict(self.training)
        optimizer = make_optimizer(
            training.pop("optimizer", "adam"), model, training.pop("learning_rate", None),
            training.pop("weight_decay", None),
        )  # fmt: skip
        member = Member(context, model, plain, spread, History())
        member.run = Run(model, optimizer, Settings(clip_norm=training.get("clip_norm", 1.0)), seed)
        held = None
        if self.validation:
            held = Windows(series, validation, self.scales, context, self.horizon, self.marks, plain)
            held.spread = spread
        member.history = fit(
            model, windows, held, optimizer=optimizer, seed=seed, progress=progress, **training
        )
        return member

    def _learnt(self, windows: Windows, F: int) -> Baseline:
        plain = Baseline(self.residual, self.horizon, F, self.season)
        if self.residual == "linear":
            batch = windows.take(_some(len(windows))).batch
            plain.fit(batch.x, batch.future, batch.targets())
        return plain

    def _spread(self, windows: Windows) -> np.ndarray:
        """The deviation [S, F] of what is left over by the plain forecast."""
        left = windows.take(_some(len(windows))).batch.targets()
        known = ~np.isnan(left)
        square = np.where(known, np.square(left), 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        return np.maximum(np.sqrt(square), 1e-3).astype(np.float32)

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
        """One more epoch, on these series alone."""
        series = self._known(series)
        at = [self.origins(one) for one in series]
        for member in self.members:
            if member.run is None:
                raise ValueError("partial_fit: expected an estimator that was not loaded from a file")
            member.run.settings.batch_size = self.training.get("batch_size", 32)
            for _ in member.run.train_epoch(self._windows(series, at, member)):
                pass
            member.run.end_epoch(None)
            member.history = member.run.history

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
            series, origins, self.scales, member.context, self.horizon, self.marks, member.plain
        )
        windows.spread = member.spread
        return windows

    def forecast(
        self, series: Sequence[Series], origins: Sequence[np.ndarray] | None = None, batch_size: int = 256
    ) -> Distribution:
        """The mean of what all networks say, for W windows: those with these origins of each series, or its end."""
        series = self._known(series)
        if origins is None:
            origins = [np.array([len(one)]) for one in series]
        found = [
            self._said(self._windows(series, origins, member), member, batch_size) for member in self.members
        ]
        centre, heads, unit = (np.mean(values, axis=0) for values in zip(*found, strict=True))
        targets = self.members[0].model.targets
        levels = targets.levels if targets.name == "quantile" else None
        return Distribution(centre, heads, unit, levels, targets.name == "gaussian")

    def _said(self, windows: Windows, member: Member, batch_size: int) -> tuple[np.ndarray, ...]:
        """centre [W, S, F], heads [W, S, F, K] and unit [W, S, F] of one network."""
        shape = (len(windows), self.horizon, self.sizes[0])
        targets = member.model.targets
        K = len(targets.levels) if targets.name == "quantile" else 1
        centre, heads, unit = np.empty(shape), np.empty((*shape, K)), np.empty(shape)
        for begin in range(0, len(windows), batch_size):
            index = np.arange(begin, min(begin + batch_size, len(windows)))
            part = windows.take(index)
            raw = member.model.flow(part.batch)[0].astype(np.float64)

            def own(values: Any, part: Any = part) -> np.ndarray:
                return part.level + part.unit * (part.plain + member.spread * values)

            centre[index] = own(targets.centre(raw))
            unit[index] = np.broadcast_to(part.unit, (len(index), *shape[1:]))
            if targets.name == "quantile":  # rising, whatever the network says
                raw = np.sort(raw, axis=-1)
                centre[index] = own(targets.centre(raw))
                heads[index] = np.stack([own(raw[..., k]) for k in range(K)], axis=-1)
            else:
                heads[index] = centre[index, ..., None]
            if targets.name == "gaussian":
                unit[index] = part.unit * member.spread * np.exp(0.5 * raw[..., 1])
        return centre, heads, unit

    def calibrate(self, series: Sequence[Series], origins: Sequence[np.ndarray] | None = None) -> None:
        """Learn how far the forecasts of these origins (all, if None) are from the truth. They must not be among those
        trained on."""
        series = self._known(series)
        origins = [self.origins(one) for one in series] if origins is None else origins
        self.calibration = Calibration.of(self.forecast(series, origins), self.truth(series, origins))

    def truth(self, series: Sequence[Series], origins: Sequence[np.ndarray]) -> np.ndarray:
        """[W, S, F], what came after each origin; NaN beyond the end."""
        found = []
        for one, at in zip(series, origins, strict=True):
            end = np.full((self.horizon, one.target.shape[1]), np.nan)
            steps = np.asarray(at, np.int64)[:, None] + np.arange(self.horizon)
            found.append(np.concatenate([one.target, end])[np.minimum(steps, len(one))])
        return np.concatenate(found)


def _some(n: int) -> np.ndarray:
    """At most EVERY of n windows, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, EVERY)).astype(np.int64))
