"""All that the rest of a run depends on, as numbers and arrays."""

from __future__ import annotations

from typing import Any

from .._plain import plain
from .averaging import Averaged
from .checkpoint import Arrays, flatten, under, unflatten, within
from .history import History
from .run import Run

_NUMBERS = (
    "seed", "epoch", "batches", "updates", "done", "length", "count", "total", "norms", "seconds", "given_rate",
    "base_rate", "rate", "first", "batch_size", "patient_since", "stop",
)  # fmt: skip


def snapshot(run: Run) -> tuple[dict[str, Any], Arrays]:
    """All that the rest of the run depends on, as numbers and arrays.

    Raises:
        ValueError: the state of something of your own (a learning-rate schedule, a model) cannot be saved.
    """
    state: Arrays = {}
    optimizer = dict(run.optimizer.state_dict())
    moments = optimizer.pop("arrays")
    numbers = {name: plain(name, getattr(run, name)) for name in _NUMBERS} | {
        "history": plain("history", run.history.as_dict()),
        "random": plain("random_state", run.model.random_state()),
        "optimizer": plain("optimizer", optimizer),
        "schedule": plain("schedule", run.settings.schedule.state_dict()),
        "state": flatten("state", run.state, state),
        "averaged": run.average.count,
    }
    arrays = under("parameters", run.model.state_dict()) | under("best", run.best)
    arrays |= under("average", run.average.copy().arrays)
    return numbers, arrays | under("optimizer", moments) | under("state", state)


def restore(run: Run, numbers: dict[str, Any], arrays: Arrays) -> None:
    """Go on from a snapshot of this model, or of one like it. Rates, clipping and the learning-rate schedule stay
    those of this run."""
    # Older ones do not have these.
    older = {
        "updates": numbers["batches"],
        "done": 0,
        "length": None,
        "averaged": 0,
        "rate": numbers["base_rate"],
    }
    numbers = older | numbers
    run.model.load_state_dict(within("parameters", arrays))
    run.model.set_random_state(numbers["random"])
    run.optimizer.load_state_dict(numbers["optimizer"] | {"arrays": within("optimizer", arrays)})
    run.history = History(**numbers["history"])
    schedule = run.settings.schedule
    if numbers["schedule"].keys() == schedule.state_dict().keys():
        schedule.load_state_dict(numbers["schedule"])
    else:  # another learning-rate schedule: it is told the losses so far
        for loss in run.history.losses:
            schedule.observe(loss)
    given, base = run.given_rate, run.base_rate
    for name in _NUMBERS:
        setattr(run, name, numbers[name])
    if run.given_rate != given:  # this call asks for another rate
        run.given_rate, run.base_rate = given, base
    run.best = within("best", arrays)
    average = Averaged(run.settings.average, within("average", arrays), numbers["averaged"])
    run.average = average.copy()  # which may be written to
    run.safe = {} if run.best else run.model.state_dict()
    run.state = unflatten(numbers["state"], within("state", arrays))
