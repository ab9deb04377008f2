"""Windows of many series as data to train on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..data import Batch
from ..models.reading import cast
from ..sequence import bucket_batches
from .baseline import Baseline
from .scales import LEAST, Scales
from .series import Series, carried

FLOAT32 = np.dtype(np.float32)  # which the networks compute with


@dataclass(frozen=True)
class Part:
    """Some windows: their batch, whose y is what is left over by the baseline; its forecast [B, S, F]; and what
    a number of the network's is in the user's units: level + unit * (baseline + spread * number), with level and unit
    [B, 1, F]."""

    batch: Batch
    baseline: np.ndarray | float
    level: np.ndarray
    unit: np.ndarray


class Windows:
    """Windows of `context` steps to read and `horizon` steps to predict, cut when a batch is made.

    Inputs of a step: the targets [F], whether each was known [F] (only with `marks`), past covariates [P] (and whether
    they were known), known ones [C], static ones [G]; in the scale "last" the last targets [F]. Of a step ahead: known
    and static ones. What is not known is the last value before, or the mean where there is none. Steps before the
    series begin are the mean, and not known.

    Args:
        series: n of them.
        origins: for each, the steps that have been seen when a forecast is made.
    """

    unit = "windows"

    def __init__(
        self,
        series: Sequence[Series],
        origins: Sequence[np.ndarray],
        scales: Scales,
        context: int,
        horizon: int,
        marks: bool,
        baseline: Baseline,
    ):
        self.context, self.horizon, self.marks = context, horizon, marks
        self.baseline = baseline
        self.spread = np.ones((horizon, series[0].target.shape[1]), np.float32)
        self.mode = scales.mode
        F, _, C, _ = series[0].sizes
        self.F, self.ahead = F, C > 0
        inputs, targets, future, rows, levels, units, offset = [], [], [], [], [], [], 0
        for one, at in zip(series, origins, strict=True):
            level, unit = scales.of(one, int(at[0]) if len(at) else len(one))
            read, ahead = self._steps(one, scales, level, unit)
            inputs.append(read)
            future.append(ahead)
            known = np.full((len(read), F), np.nan)
            known[context : context + len(one)] = (one.target - level) / unit
            targets.append(known)
            rows.append(offset + context + np.asarray(at, np.int64))
            levels.append(np.broadcast_to(level, (len(at), F)))
            units.append(np.broadcast_to(unit, (len(at), F)))
            offset += len(read)
        self.inputs = cast("series", np.concatenate(inputs), FLOAT32)
        self.future = cast("series", np.concatenate(future), FLOAT32) if self.ahead else None
        self.targets = np.concatenate(targets).astype(np.float32)
        self.rows = np.concatenate(rows)
        self.level, self.scale = np.concatenate(levels), np.concatenate(units)

    def _steps(
        self, one: Series, scales: Scales, level: np.ndarray, unit: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and what is known ahead, for `context` steps before the series, its steps, and those after it."""
        n, reach = len(one), max(len(one.known), len(one) + self.horizon)
        past, known, static = scales.covariates(one)
        own = [(one.target - level) / unit] + ([past] if past.shape[1] else [])
        columns = []
        for values in own:
            filled = np.nan_to_num(carried(values))
            columns += [_placed(filled, self.context, reach)]
            if self.marks:
                columns += [_placed((~np.isnan(values)).astype(float), self.context, reach)]
        if known.shape[1]:
            known = _placed(np.nan_to_num(carried(known)), self.context, reach)
        else:
            known = np.zeros((self.context + reach, 0))
        always = np.broadcast_to(np.nan_to_num(static), (self.context + reach, len(static)))
        if n < reach:  # what is read there is never asked for
            columns = [column[: self.context + reach] for column in columns]
        ahead = np.concatenate([known, always], axis=1)
        return np.concatenate([*columns, ahead], axis=1), ahead

    @property
    def sizes(self) -> tuple[int, int]:
        """Inputs of a step, and of a step ahead."""
        levels = self.F if self.mode == "last" else 0
        return self.inputs.shape[1] + levels, 0 if self.future is None else self.future.shape[1]

    def __len__(self) -> int:
        return len(self.rows)

    def batches(self, batch_size: int, seed: object = None) -> Iterator[Batch]:
        """Every window once."""
        done = 0
        for index in bucket_batches([self.context] * len(self), batch_size, seed):
            done += len(index)
            yield replace(self.take(index).batch, done=done)

    def take(self, index: np.ndarray) -> Part:
        """These windows."""
        rows = self.rows[index]
        x = self.inputs[rows + np.arange(-self.context, 0)[:, None]]
        ahead = rows + np.arange(self.horizon)[:, None]
        future = None if self.future is None else self.future[ahead]
        y = self.targets[ahead.T]
        level, unit = self.level[index, None], self.scale[index, None]
        if self.mode in ("context", "last"):
            mean, deviation = (
                self._of_context(x) if self.mode == "context" else (x[-1, :, : self.F].copy(), 1)
            )
            x[:, :, : self.F] = (x[:, :, : self.F] - mean) / deviation
            deviation = np.broadcast_to(deviation, mean.shape)[:, None]
            y = (y - mean[:, None]) / deviation
            level, unit = level + unit * mean[:, None], unit * deviation
        if self.mode == "last":
            x = np.concatenate([x, np.broadcast_to(mean, (len(x), *mean.shape))], axis=-1)
        baseline = self.baseline(x, future)
        y = (y - baseline) / self.spread
        return Part(Batch(x, None, y, None, index, future), baseline, level, unit)

    def _of_context(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation [B, F] of the targets that were known in each context."""
        values = x[:, :, : self.F].astype(np.float64)
        known = x[:, :, self.F : 2 * self.F] > 0 if self.marks else np.ones(values.shape, bool)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, values, 0).sum(axis=0) / count
        variance = np.where(known, np.square(values - mean), 0).sum(axis=0) / count
        return mean.astype(np.float32), np.sqrt(variance + LEAST**2).astype(np.float32)


def _placed(values: np.ndarray, before: int, reach: int) -> np.ndarray:
    """[before + reach, K], zeros but for the values."""
    found = np.zeros((before + reach, values.shape[1]))
    found[before : before + len(values)] = values[:reach]
    return found
