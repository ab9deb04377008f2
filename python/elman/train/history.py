"""What a training run recorded."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from .._extras import need


@dataclass
class History:
    """One entry for each epoch in every list.

    Attributes:
        train_loss, validation_loss: means over the targets of an epoch; that of training while the parameters change.
        gradient_norm: mean over the epoch's updates of the gradients' joint norm, before clipping.
        learning_rate: at the epoch's end.
        seconds: that the epoch took.
        metrics: of the validation data, by name.
        best_epoch: the index of the best epoch, that with the lowest validation loss, or the best value of the metric
            that is watched; without validation data the last one.
        watch: which number chooses it: "loss" or a metric.
        stopped: why it ended before its last epoch, or "".
    """

    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    gradient_norm: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list, compare=False)
    metrics: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int = 0
    watch: str = "loss"
    stopped: str = ""

    @property
    def epochs(self) -> int:
        """How many epochs have been run."""
        return len(self.train_loss)

    @property
    def watched(self) -> list[float]:
        """The numbers that choose the best epoch."""
        return self.metrics.get(self.watch, self.losses)

    @property
    def losses(self) -> list[float]:
        """Those of the validation data; of the training data if there are none."""
        return self.validation_loss or self.train_loss

    def row(self, index: int) -> dict[str, Any]:
        """The numbers of one epoch.

        Args:
            index: of the epoch, from 0; -1 is the last one.

        Returns:
            A dict of numbers by name, with "epoch" from 1.
        """
        lists = {name: getattr(self, name) for name in self.names({})} | self.metrics
        found = {name: values[index] for name, values in lists.items() if values}
        return {"epoch": range(1, self.epochs + 1)[index]} | found

    def names(self, metrics: Iterable[str]) -> list[str]:
        """The names of a row's numbers but "epoch", in their order.

        Args:
            metrics: their names.

        Returns:
            A list of names.
        """
        return ["train_loss", "validation_loss", *metrics, "gradient_norm", "learning_rate", "seconds"]

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON can hold it.

        Returns:
            A dict of the attributes.
        """
        return asdict(self)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Draw losses, gradient norm and learning rate over the epochs (extra: plot).

        Args:
            path: where to save the picture; None does not.

        Returns:
            The matplotlib figure.

        Raises:
            ImportError: matplotlib is missing.
        """
        need("matplotlib", "plot", "a plot of the history")
        from matplotlib.figure import Figure  # not pyplot: no window, no global state

        figure = Figure(figsize=(9, 3.2), layout="constrained")
        losses, steps = figure.subplots(1, 2)
        epochs = range(1, self.epochs + 1)
        losses.plot(epochs, self.train_loss, label="training")
        if self.validation_loss:
            losses.plot(epochs, self.validation_loss, label="validation")
        if self.epochs:
            best = self.losses[self.best_epoch]
            losses.plot(self.best_epoch + 1, best, "o", color="black", label=f"best: {best:.4g}")
        losses.set(xlabel="epoch", ylabel="loss")
        losses.legend()
        steps.plot(epochs, self.gradient_norm, color="tab:green", label="gradient norm")
        steps.set(xlabel="epoch", ylabel="gradient norm", ylim=(0, None))
        rate = steps.twinx()
        rate.plot(epochs, self.learning_rate, color="tab:gray", linestyle="--", label="learning rate")
        rate.set(ylabel="learning rate", ylim=(0, None))
        steps.legend(handles=[*steps.get_lines(), *rate.get_lines()])
        if path is not None:
            figure.savefig(path, dpi=120)
        return figure
