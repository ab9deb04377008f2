"""What a training run was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .. import _check
from ..optim import Average, Constant, Schedule
from .metrics import Metric, watched_of


@dataclass
class Settings:
    """The arguments of `fit` that say how a run is trained, under the same names.

    Args:
        epochs: times that all of the data is read.
        batch_size: sequences in a batch.
        accumulate: batches of an update.
        schedule: a learning-rate schedule.
        clip_norm: largest joint norm of the gradients in an update; None: no limit.
        clip: largest size of each single gradient; None: no limit.
        patience: epochs without a better one after which it stops; None: never.
        average: EMA(...) or SWA(...), or None.
        metrics: a dict of names to what `elman.train.metrics` has.
        watch: what chooses the best epoch: "loss" or a metric.

    Attributes:
        watched, greater: the number that chooses the best epoch, and whether more of it is better.

    Raises:
        ValueError: an argument does not fit.
    """

    epochs: int = 20
    batch_size: int = 32
    accumulate: int = 1
    schedule: Schedule = field(default_factory=Constant)
    clip_norm: float | None = 1.0
    clip: float | None = None
    patience: int | None = None
    average: Average | None = None
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    watch: str = "loss"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "accumulate"):
            setattr(self, name, _check.whole_number(name, getattr(self, name), 1))
        for name in ("clip_norm", "clip"):
            value = getattr(self, name)
            setattr(self, name, None if value is None else _check.positive(name, value))
        if self.patience is not None:
            self.patience = _check.whole_number("patience", self.patience, 1)
        if isinstance(self.schedule, type) or not isinstance(self.schedule, Schedule):
            raise ValueError(
                f"schedule: expected a learning-rate schedule, got {_check.describe(self.schedule)}"
            )
        self.watched, self.greater = watched_of(self.watch, self.metrics)
        if self.average is not None and not isinstance(self.average, Average):
            raise ValueError(f"average: expected EMA(...) or SWA(...), got {_check.describe(self.average)}")
