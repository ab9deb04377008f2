"""A training run in a directory: it goes on from the checkpoint there, if that is of the same run, and is saved."""

from __future__ import annotations

import os
import time
import warnings
from typing import Any

from .._plain import plain, text_of
from ..data import Data
from ..data.fingerprint import fingerprint
from ..layers.parameters import Composite
from ..tracing import CellDefinition
from .checkpoint import Arrays, Checkpoint
from .run import Run
from .snapshot import restore, snapshot

Section = dict[str, Any]


class Saver:
    """Resumes a run from its directory, and saves it there from time to time.

    Args:
        run: a new one.
        directory: locked until `close`.
        train, validation: the data.
        seed: of the call, or None.
        seconds: between two checkpoints.

    Raises:
        ValueError: the directory is in use, or holds another run; then neither it nor the run has been changed.
    """

    def __init__(
        self,
        run: Run,
        directory: str | os.PathLike[str],
        train: Data,
        validation: Data | None,
        seed: int | None,
        seconds: float,
    ):
        before = snapshot(run)  # what cannot be saved is refused now, not after hours of training
        self._run, self._seconds = run, seconds
        self._checkpoint = Checkpoint(directory)
        try:
            self._identity = _identity(run, train, validation)
            self._call: dict[str, Any] = {
                "epochs": run.settings.epochs,
                "patience": run.settings.patience,
                "settings": _settings(run),
            }
            found = self._checkpoint.load()
            if found is not None:
                self._resume(*found, before, seed)
        except BaseException:
            self.close()
            raise
        self._kept: tuple[dict[str, Any], Arrays] | None = None
        self._failed = False  # whether a checkpoint could not be written
        self._saved = time.monotonic()

    def _resume(
        self, numbers: dict[str, Any], arrays: Arrays, before: tuple[dict[str, Any], Arrays], seed: int | None
    ) -> None:
        """Go on from a checkpoint. If it is refused, the run is put back to `before`, a snapshot of it."""
        run, where = self._run, f"the run in {os.fspath(self._checkpoint.directory)!r}"
        try:
            _compare(numbers["identity"], self._identity, where)
            if seed is not None and seed != numbers["seed"]:
                raise ValueError(f"seed: expected {numbers['seed']}, that of {where}, got {seed}")
            restore(run, numbers, arrays)
            self._reconsider(numbers["call"])
            if run.epoch >= self._call["epochs"] or run.stop:
                _compare_settings(numbers["call"].get("settings", {}), self._call["settings"], where)
        except BaseException as error:
            restore(run, *before)
            if isinstance(error, (LookupError, TypeError, AttributeError)):
                raise ValueError(
                    f"checkpoint: expected one that fit wrote, got {where}, which this version cannot read "
                    f"({type(error).__name__}: {error}){_ELSEWHERE}"
                ) from error
            raise

    def _reconsider(self, before: dict[str, Any]) -> None:
        """Whether a run that has stopped is to go on in this call."""
        run, epochs, patience = self._run, self._call["epochs"], self._call["patience"]
        if run.stop and run.stop == run.impatience(before["patience"]):
            run.stop = run.impatience(patience)
        if run.stop and epochs > before["epochs"]:
            run.stop, run.patient_since = "", run.epoch  # patience counts anew

    def after_update(self) -> None:
        """Take a snapshot if it is time. It is written after the next update, if the loss is still a usual one: no run
        could go on from parameters that have exploded, even with a lower rate."""
        if self._kept is not None and self._run.healthy(self._run.loss):
            self._write(self._kept)
        self._kept = snapshot(self._run) if self._due() else None

    def after_epoch(self, last: bool) -> None:
        """The same after an epoch. After the last epoch it is written at once."""
        if not last:
            self._kept = snapshot(self._run) if self._kept or self._due() else None
        elif self._run.healthy(loss := self._run.history.train_loss[-1]):
            self._write(snapshot(self._run))
        else:
            warnings.warn(
                f"checkpoint: the training loss has risen to {loss:.4g}; none is written of where it ended",
                stacklevel=5,  # where fit is called
            )

    def after_error(self, error: BaseException) -> None:
        """Save where an exception has ended the run, if it can go on from there."""
        run = self._run
        exploded = isinstance(error, FloatingPointError) or not run.healthy(run.loss)
        if exploded or run.guard.broken or self._failed:
            return
        where = os.fspath(self._checkpoint.directory)
        try:
            self._write(snapshot(run))
        except OSError as failure:  # the error itself says more
            warnings.warn(f"checkpoint: none could be written to {where!r}: {failure}", stacklevel=4)
            return
        if hasattr(error, "add_note"):
            error.add_note(f"The run is saved in {where!r}: the same call of fit goes on from there.")

    def _due(self) -> bool:
        return time.monotonic() - self._saved >= self._seconds

    def _write(self, taken: tuple[dict[str, Any], Arrays]) -> None:
        numbers, arrays = taken
        try:
            with self._run.guard.deferring():  # a checkpoint half written would only be written again
                self._checkpoint.save(numbers | {"identity": self._identity, "call": self._call}, arrays)
        except OSError:
            self._failed = True
            raise
        self._saved = time.monotonic()

    def close(self) -> None:
        """Let another run use the directory."""
        self._checkpoint.close()


def _identity(run: Run, train: Data, validation: Data | None) -> dict[str, Any]:
    """What cannot change within a run."""
    return {
        "train": fingerprint(train),
        "validation": None if validation is None else fingerprint(validation),
        "optimizer": {
            "kind": type(run.optimizer).__qualname__,
            "states": sorted({name.partition(".")[0] for name in run.optimizer.state_dict()["arrays"]}),
        },
        "metrics": {"metrics": sorted(run.settings.metrics), "watch": run.settings.watch},
        "average": None if run.settings.average is None else text_of(run.settings.average),
        "frozen": run.optimizer.frozen_of(run.model),  # type: ignore[arg-type]
        "model": _describe(run.model),
    }


def _settings(run: Run) -> Section:
    """What may change within a run, for the updates that are left."""
    own, asked = vars(run.optimizer), run.settings
    settings: Section = {name: own[name] for name in own if name[:1] != "_" and name not in _CHANGING}
    settings = {
        name: value for name, value in settings.items() if isinstance(value, (int, float, str, tuple))
    }
    settings |= {"learning_rate": run.given_rate, "groups": run.optimizer.groups}
    settings |= {name: getattr(asked, name) for name in ("batch_size", "accumulate", "clip_norm", "clip")}
    return plain("settings", settings) | {"schedule": text_of(asked.schedule)}


_CHANGING = ("learning_rate", "steps")  # of an optimiser, during a run


def _compare_settings(saved: Section, now: Section, where: str) -> None:
    """Refuse, by name, settings that come too late: the run has ended, and it would look as if it had had them."""
    for name in sorted(saved.keys() & now.keys()):
        if saved[name] != now[name]:
            raise ValueError(
                f"{name}: expected {saved[name]}, as in {where}, which has no epochs left, got {now[name]}; "
                "it goes on with more epochs, and another run needs another directory"
            )


def _describe(model: Any) -> list[Section]:
    """What tells this model from others, general things first; `_compare` names the first that differs."""
    random: Section = {}
    _streams(model.random_state(), "", random)
    return [
        {"class": type(model).__qualname__},
        plain("config", config) if isinstance(config := getattr(model, "config", None), dict) else {},
        {} if getattr(model, "_seed", None) is None else {"seed": model._seed},
        _layers(model, ""),
        {name: f"{list(value.shape)} {value.dtype}" for name, value in model.parameters.items()},
        random,
    ]


# Sections of `_describe` in which a name may be missing: arguments left to their defaults, and an unknown seed.
_OPTIONAL = (1, 2)


def _layers(part: Any, name: str) -> Section:
    if isinstance(part, Composite):
        inner = {f"{name}.{key}".lstrip("."): value for key, value in part.parts.items()}
        return {key: text for at, value in inner.items() for key, text in _layers(value, at).items()}
    if not name:
        return {}
    return {name: text_of(part)}


def _streams(state: Any, name: str, found: Section) -> None:
    """The kind of each random stream in a model's `random_state`, by its place."""
    if isinstance(state, dict) and "bit_generator" in state:
        found[f"the random stream of {name or 'the model'}"] = state["bit_generator"]
    elif isinstance(state, dict):
        for key, value in state.items():
            _streams(value, f"{name}.{key}".lstrip("."), found)


def _shown(value: Any) -> Any:
    """What a message says of a value: of a traced cell, which is long, its name and size."""
    traced = value.get(CellDefinition.tag) if isinstance(value, dict) else None
    return value if traced is None else f"{traced['name']} of {len(traced['nodes'])} operations"


def _compare(saved: dict[str, Any], now: dict[str, Any], where: str) -> None:
    """Refuse, by name, what is not as it was in the run."""
    for name in ("train", "validation"):
        if saved[name] != now[name]:
            expected = "no data, as in" if saved[name] is None else "the data of"
            got = "none" if now[name] is None else "data" if saved[name] is None else "other values"
            raise ValueError(f"{name}: expected {expected} {where}, got {got}{_ELSEWHERE}")
    for i, (before, after) in enumerate(zip(saved["model"], now["model"], strict=True)):
        names = before.keys() & after.keys() if i in _OPTIONAL else before.keys() | after.keys()
        wrong = [name for name in sorted(names) if before.get(name) != after.get(name)]
        if wrong:
            expected, got = (
                ", ".join(f"{name} {_shown(section.get(name, 'not there'))}" for name in wrong[:5])
                for section in (before, after)
            )
            raise ValueError(f"model: expected {expected}, as in {where}, got {got}{_ELSEWHERE}")
    before = saved.get("metrics", {"metrics": [], "watch": "loss"})
    for name, got in now["metrics"].items():
        if before[name] != got:
            raise ValueError(f"{name}: expected {before[name]}, as in {where}, got {got}{_ELSEWHERE}")
    if saved.get("average") != now["average"]:
        expected, got = (one.get("average") or "none" for one in (saved, now))
        raise ValueError(f"average: expected {expected}, as in {where}, got {got}{_ELSEWHERE}")
    if saved.get("frozen", now["frozen"]) != now["frozen"]:
        expected, got = (", ".join(one["frozen"]) or "nothing" for one in (saved, now))
        raise ValueError(f"frozen: expected {expected}, as in {where}, got {got}{_ELSEWHERE}")
    if saved["optimizer"] != now["optimizer"]:
        expected, got = (
            f"{one['kind']} with the states {', '.join(one['states']) or 'none'}"
            for one in (saved["optimizer"], now["optimizer"])
        )
        raise ValueError(f"optimizer: expected {expected}, as in {where}, got {got}{_ELSEWHERE}")


_ELSEWHERE = "; another run needs another directory"
