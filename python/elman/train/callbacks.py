"""What is called while a run goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .. import _check
from .run import Run


class Callback:
    """Something that follows a run of `fit`: override any of these. Each gets the `Run`.

    It may read everything there, change `run.base_rate` (the learning rate before the schedule's factor), and end the
    run by `run.stop = "a reason"`. An exception ends the run as well: it comes out of `fit`.

    Attributes:
        everywhere: whether each of several processes calls it, or only the first.
    """

    everywhere: bool = True

    def on_start(self, run: Run) -> None:
        """Before the first batch of this call. A run that goes on has its history already.

        Args:
            run: the `Run`.
        """

    def on_batch(self, run: Run) -> None:
        """After each update of the parameters (with `accumulate` that is several batches).

        Args:
            run: the `Run`.
        """

    def on_epoch(self, run: Run) -> None:
        """After each epoch, its validation included.

        Args:
            run: the `Run`.
        """

    def on_end(self, run: Run) -> None:
        """At the end of this call, when the model has its final parameters. However it ends: after an exception
        `run.error` is that. It is called for each one whose `on_start` has returned, the last one first.

        Args:
            run: the `Run`.
        """


class AfterEpochs(Callback):
    """Calls a function of a Run after each epoch."""

    def __init__(self, function: Callable[[Run], Any]):
        self._function = function

    def on_epoch(self, run: Run) -> None:
        self._function(run)


def as_callbacks(callbacks: Iterable[Callback | Callable[[Run], Any]]) -> list[Callback]:
    """Each of them as a Callback."""
    if not isinstance(callbacks, Iterable) or isinstance(callbacks, str):
        raise ValueError(f"callbacks: expected a list, got {_check.describe(callbacks)}")
    found = []
    for i, callback in enumerate(callbacks):
        if isinstance(callback, type) or not (isinstance(callback, Callback) or callable(callback)):
            raise ValueError(
                f"callbacks[{i}]: expected a function of a Run or a Callback, got {_check.describe(callback)}"
            )
        found.append(callback if isinstance(callback, Callback) else AfterEpochs(callback))
    return found
