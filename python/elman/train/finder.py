"""A learning rate to begin with, found by trying rising ones (Smith 2017)."""

from __future__ import annotations

import copy
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._extras import need
from ..data import Batch, Data
from ..optim import Groups, Optimizer
from .settings import Settings
from .trainable import Trainable, begin, data_for
from .update import Update, optimizer_of

SMOOTH = 0.9  # share of the losses before in a smoothed one
TOO_HIGH = 4.0  # times the lowest loss, at which there is nothing more to learn


@dataclass(frozen=True)
class LearningRates:
    """What `find_learning_rate` found.

    Attributes:
        rates: that were tried, rising.
        losses: of the update with each.
        smoothed: running means of the losses, in which single batches count less.
        suggestion: a tenth of the rate at which the smoothed loss is lowest: there it still falls fast.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Draw the losses over the rates, and the suggestion (extra: plot).

        Args:
            path: where to save the picture; None does not.

        Returns:
            The matplotlib figure.

        Raises:
            ImportError: matplotlib is missing.
        """
        need("matplotlib", "plot", "a plot of learning rates")
        from matplotlib.figure import Figure  # not pyplot: no window, no global state

        figure = Figure(figsize=(5, 3.2), layout="constrained")
        axes = figure.subplots()
        axes.plot(self.rates, self.losses, ".", color="tab:gray", label="loss")
        axes.plot(self.rates, self.smoothed, label="smoothed")
        axes.axvline(self.suggestion, color="black", linestyle="--", label=f"{self.suggestion:.2g}")
        axes.set(xlabel="learning rate", ylabel="loss", xscale="log")
        axes.legend()
        if path is not None:
            figure.savefig(path, dpi=120)
        return figure


def find_learning_rate(
    model: Trainable,
    data: Any,
    *,
    low: float = 1e-6,
    high: float = 1.0,
    updates: int = 100,
    batch_size: int = 32,
    accumulate: int = 1,
    optimizer: str | Optimizer = "adam",
    weight_decay: float | None = None,
    groups: Groups | None = None,
    frozen: str | Sequence[str] = (),
    clip_norm: float | None = 1.0,
    clip: float | None = None,
    seed: int = 0,
) -> LearningRates:
    """Try rising learning rates, one for each update, and see at which the loss falls (Smith 2017).

    Args:
        model: it is trained, and then left with what it had before: parameters, gradients, random streams.
        data: (x, y) with sequences x [n, T, ...] or a list of arrays [t_i, ...], or other data that `fit` takes.
        low, high: the first rate and the last, with equal ratios between.
        updates: how many rates. It ends before where the loss has grown far above its lowest.
        batch_size, accumulate, optimizer, weight_decay, groups, frozen, clip_norm, clip: those for `fit`. An Optimizer
            keeps its states and its rate, too.
        seed: of the order of the sequences.

    Returns:
        Rates, losses and a suggestion.

    Raises:
        ValueError: an argument does not fit, or the loss is no finite number from the start.
    """
    data = data_for(model, "data", data)
    settings = Settings(batch_size=batch_size, accumulate=accumulate, clip_norm=clip_norm, clip=clip)
    low, high = _check.positive("low", low), _check.positive("high", high)
    if low >= high:
        raise ValueError(f"low: expected a rate below high, got {low} and {high}")
    updates = _check.whole_number("updates", updates, 2)
    seed = _check.whole_number("seed", seed, 0)
    optimizer = optimizer_of(optimizer, model, None, weight_decay, groups, frozen)
    rates = low * (high / low) ** (np.arange(updates) / (updates - 1))

    notes = copy.deepcopy(getattr(model, "notes", None))
    before = model.state_dict(), model.random_state(), optimizer.state_dict(), optimizer.learning_rate
    grads = {name: grad.copy() for name, grad in model.grads.items()}
    try:
        begin(model, data)
        losses = _losses(Update(model, optimizer, settings), optimizer, _endless(data, settings, seed), rates)
    finally:
        parameters, random, states, optimizer.learning_rate = before
        model.load_state_dict(parameters)
        model.set_random_state(random)
        optimizer.load_state_dict(states)
        for name, grad in model.grads.items():
            grad[...] = grads[name]
        if notes is not None:
            model.notes = notes  # type: ignore[attr-defined]
    if not losses:
        raise ValueError("data: expected a loss that is a finite number, got none at the lowest rate")
    smoothed = _smoothed(losses)
    tried = rates[: len(losses)]
    return LearningRates(tried, np.array(losses), smoothed, float(tried[np.argmin(smoothed)] / 10))


class _NotFiniteError(Exception):
    pass


def _losses(
    update: Update, optimizer: Optimizer, groups: Iterator[list[Batch]], rates: np.ndarray
) -> list[float]:
    """The loss of each update, until it has grown too high."""

    def check(value: float, batch: Batch, number: int) -> None:
        if not np.isfinite(value):
            raise _NotFiniteError

    losses: list[float] = []
    with np.errstate(over="ignore", invalid="ignore"):  # it is meant to go too far
        for rate, batches in zip(rates, groups, strict=False):
            update.begin()
            try:
                for batch in batches:
                    update.add(batch, update.state if batch.continues else None, check, 0)
            except _NotFiniteError:
                break
            norm = update.finish()
            losses.append(update.total / update.count if update.count else 0.0)
            smoothed = _smoothed(losses)
            if not np.isfinite(norm) or smoothed[-1] > TOO_HIGH * smoothed.min():
                break
            optimizer.learning_rate = rate
            update.apply(norm)
    return losses


def _endless(data: Data, settings: Settings, seed: int) -> Iterator[list[Batch]]:
    """The batches of each update, epoch after epoch."""
    for epoch in itertools.count():
        batches = iter(data.batches(settings.batch_size, seed=[seed, epoch]))
        group = list(itertools.islice(batches, settings.accumulate))
        if not group:
            raise ValueError("data: expected at least one batch, got none")
        while group:
            yield group
            group = list(itertools.islice(batches, settings.accumulate))


def _smoothed(losses: Sequence[float]) -> np.ndarray:
    """Running means, corrected for their start at 0."""
    mean, found = 0.0, []
    for i, loss in enumerate(losses, 1):
        mean = SMOOTH * mean + (1 - SMOOTH) * loss
        found.append(mean / (1 - SMOOTH**i))
    return np.array(found)
