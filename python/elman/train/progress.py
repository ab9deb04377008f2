"""What a run shows while it goes on: a bar on a terminal or in a notebook, and lines anywhere else."""

from __future__ import annotations

import importlib
import os
import sys
import time
import warnings
from typing import Any

from .. import _check
from ..data import Data
from .callbacks import Callback
from .run import Run


def progress_of(progress: bool | str, data: Data) -> list[Callback]:
    """What shows the progress of a run over this data: nothing, a bar or lines."""
    if not isinstance(progress, str) and not _check.flag("progress", progress):
        return []
    label = progress if isinstance(progress, str) else ""
    notebook = "IPKernelApp" in getattr(_ipython(), "config", {})
    if notebook or _on_terminal():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # tqdm's, where a notebook has no widgets: it shows text then
                return [Bar(importlib.import_module("tqdm.auto").tqdm, label, data)]
        except ImportError:  # the bare wheel
            pass
    return [Lines(label, data)]


def _on_terminal() -> bool:
    if not getattr(sys.stderr, "isatty", bool)():
        return False
    try:
        # Some have no width, and so no room for a bar.
        return os.get_terminal_size(sys.stderr.fileno()).columns > 0
    except (OSError, ValueError):
        return True


def _ipython() -> Any:
    module = sys.modules.get("IPython")
    return None if module is None else module.get_ipython()


class Shown(Callback):
    """What shows the progress: that of the first of several processes."""

    everywhere = False


class Bar(Shown):
    """One bar over all epochs: loss, gradient norm, and how many sequences (or steps) a second (extra: train)."""

    def __init__(self, tqdm: Any, label: str, data: Data):
        self._make, self._label, self._data = tqdm, label, data
        self._shown: dict[str, str] = {}
        self._written = 0.0

    def on_start(self, run: Run) -> None:
        self._bar = self._make(
            total=self._total(run), unit=f" {self._data.unit}", unit_scale=True,
            desc=self._label or None, initial=self._done(run),
        )  # fmt: skip

    def on_batch(self, run: Run) -> None:
        self._show(run, {"loss": run.loss, "norm": run.norm})

    def on_epoch(self, run: Run) -> None:
        self._bar.total = self._total(run)  # known now, if it was not
        self._show(run, last_of(run))

    def on_end(self, run: Run) -> None:
        self._bar.set_postfix(self._shown)
        self._bar.close()

    def _total(self, run: Run) -> int | None:
        whole = run.length_of(self._data)
        return None if whole is None else run.settings.epochs * whole

    def _done(self, run: Run) -> int:
        return run.epoch * (run.length_of(self._data) or 0) + run.done

    def _show(self, run: Run, numbers: dict[str, float]) -> None:
        self._shown |= {name: f"{value:.4g}" for name, value in numbers.items()}
        if time.monotonic() - self._written > 0.1:  # writing text for every small batch would take its time
            self._written = time.monotonic()
            self._bar.set_postfix(self._shown, refresh=False)
        self._bar.update(self._done(run) - self._bar.n)


class Lines(Shown):
    """A line for each epoch, and at most one a minute within it."""

    seconds = 60.0

    def __init__(self, label: str, data: Data):
        self._label, self._data = f"{label}: " if label else "", data

    def on_start(self, run: Run) -> None:
        self._written = time.monotonic()

    def on_batch(self, run: Run) -> None:
        if time.monotonic() - self._written >= self.seconds:
            whole = run.length_of(self._data)
            share = f"{run.done / whole:.0%} of " if whole else f"{run.done} {self._data.unit} of "
            self._write(run, f"{share}epoch {run.epoch + 1}", {"loss": run.loss, "norm": run.norm})

    def on_epoch(self, run: Run) -> None:
        numbers = {"loss": run.history.train_loss[-1], "norm": run.history.gradient_norm[-1], **last_of(run)}
        self._write(run, f"epoch {run.epoch}", numbers, f", {run.history.seconds[-1]:.1f} s")

    def _write(self, run: Run, where: str, numbers: dict[str, float], rest: str = "") -> None:
        self._written = time.monotonic()
        shown = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
        print(f"{self._label}{where} of {run.settings.epochs}: {shown}{rest}", file=sys.stderr, flush=True)


def last_of(run: Run) -> dict[str, float]:
    """What the validation data said after the last epoch."""
    loss = {"validation": run.history.validation_loss[-1]} if run.history.validation_loss else {}
    return loss | {name: values[-1] for name, values in run.history.metrics.items()}
