"""One of the networks whose forecasts are averaged: how it is trained, and what it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..models import Forecaster
from ..optim import make_optimizer
from ..train import History, Run, fit
from ..train.settings import Settings
from .baseline import Baseline
from .windows import Part, Windows

EVERY = 4096  # windows that are looked at for spreads, shares and linear maps: more say little more


@dataclass
class Member:
    """A network, and the baselines that it goes with.

    Attributes:
        context: steps that it reads.
        baseline: what it improves: its numbers are the difference, in units of `spread` [S, F].
        other, share: a baseline to mix with: other + share * (network - other), share [S, F].
    """

    context: int
    model: Forecaster
    baseline: Baseline
    other: Baseline
    spread: np.ndarray
    share: np.ndarray
    history: History = field(default_factory=History)
    run: Run | None = None

    def train(
        self, windows: Windows, held: Windows | None, training: dict[str, Any], seed: int, progress: bool
    ) -> None:
        """Train on the windows, and choose epoch and share by those that are held out."""
        training = dict(training)
        optimizer = make_optimizer(
            training.pop("optimizer", "adam"), self.model, training.pop("learning_rate", None),
            training.pop("weight_decay", None),
        )  # fmt: skip
        self.run = Run(self.model, optimizer, Settings(clip_norm=training.get("clip_norm", 1.0)), seed)
        self.history = fit(
            self.model, windows, held, optimizer=optimizer, seed=seed, progress=progress, **training
        )
        if held is not None and self.other.kind is not None:
            self.share = self._best_share(held)

    def _best_share(self, held: Windows) -> np.ndarray:
        """[S, F], from 0 to 1: that with the least squared error of the mixed forecast."""
        product, square = np.zeros(self.spread.shape), np.zeros(self.spread.shape)
        for begin in range(0, len(held), 256):
            part = held.take(np.arange(begin, min(begin + 256, len(held))))
            said = self.model.targets.centre(self._raw(part))
            other = self.other(part.batch.x, part.batch.future)
            ahead = part.baseline + self.spread * said - other
            left = part.baseline + self.spread * part.batch.targets() - other
            known = ~np.isnan(left)
            product += np.where(known, left * ahead, 0).sum(axis=0)
            square += np.where(known, np.square(ahead), 0).sum(axis=0)
        return np.clip(product / np.maximum(square, 1e-12), 0, 1)

    def said(self, windows: Windows, batch_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """centre [W, S, F], heads [W, S, F, K] and unit [W, S, F], in the user's units."""
        shape, targets = (len(windows), *self.spread.shape), self.model.targets
        K = len(targets.levels) if targets.name == "quantile" else 1
        centre, heads, unit = np.empty(shape), np.empty((*shape, K)), np.empty(shape)
        for begin in range(0, len(windows), batch_size):
            index = np.arange(begin, min(begin + batch_size, len(windows)))
            part = windows.take(index)
            raw = self._raw(part)
            scaled = part.baseline + self.spread * targets.centre(raw)
            moved = self._mixed(part, scaled) - scaled
            centre[index] = part.level + part.unit * (scaled + moved)
            unit[index] = np.broadcast_to(part.unit, (len(index), *shape[1:]))
            heads[index] = centre[index, ..., None]
            if targets.name == "quantile":
                ahead = [part.baseline + self.spread * raw[..., k] + moved for k in range(K)]
                heads[index] = np.stack([part.level + part.unit * values for values in ahead], axis=-1)
            elif targets.name == "gaussian":
                unit[index] = part.unit * self.spread * np.exp(0.5 * raw[..., 1])
        return centre, heads, unit

    def _raw(self, part: Part) -> np.ndarray:
        """What the network says, float64; quantiles rise, whatever it says."""
        raw = self.model.flow(part.batch)[0].astype(np.float64)
        return np.sort(raw, axis=-1) if self.model.targets.name == "quantile" else raw

    def _mixed(self, part: Part, scaled: np.ndarray) -> np.ndarray:
        if self.other.kind is None:
            return scaled
        other = self.other(part.batch.x, part.batch.future)
        return other + self.share * (scaled - other)


def learnt(baseline: Baseline, windows: Windows) -> Baseline:
    """A baseline that has learnt from windows without one, if it is of the kind that learns."""
    if baseline.kind == "linear":
        batch = windows.take(some(len(windows))).batch
        baseline.fit(batch.x, batch.future, batch.targets())
    return baseline


def spread_of(windows: Windows) -> np.ndarray:
    """The deviation [S, F] of what is left over by the baseline."""
    left = windows.take(some(len(windows))).batch.targets()
    known = ~np.isnan(left)
    square = np.where(known, np.square(left), 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.maximum(np.sqrt(square), 1e-3).astype(np.float32)


def some(n: int) -> np.ndarray:
    """At most EVERY of n windows, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, EVERY)).astype(np.int64))
