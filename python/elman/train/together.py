"""How several processes begin a run, end its epochs and stop."""

from __future__ import annotations

from .ranks import GOES_ON, STOPS, parameter_bits
from .run import Run
from .snapshot import restore, snapshot


def begin(run: Run) -> None:
    """Begin as the first process does: with its parameters, its random streams and its checkpoint."""
    if run.ranks.size > 1:
        taken = snapshot(run)
        run.ranks.joined()  # all have come as far as this
        taken = run.ranks.same(taken)
        if run.ranks.rank:
            restore(run, *taken)
        run.ranks.joined(bits=parameter_bits(run.model.parameters))


def stops(run: Run) -> bool:
    """Whether the epoch ends before its time. Alone, a process stops where it has a reason to. One of several says so
    in its next update, and all stop after that."""
    return bool(run.stop) if run.ranks.size == 1 else run.ranks.stopper is not None


def end_epoch(run: Run) -> None:
    """Agree whether to go on. By then all must have the same parameters."""
    if run.ranks.size > 1:
        mark, bits = STOPS if run.stop else GOES_ON, parameter_bits(run.model.parameters)
        (seconds,) = run.ranks.joined(run.history.seconds[-1], mark=mark, bits=bits)
        run.history.seconds[-1] = seconds / run.ranks.size
        run.stop = run.ranks.same(run.stop, run.ranks.stopper)
