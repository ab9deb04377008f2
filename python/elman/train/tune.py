"""Hyper-parameter search, on Optuna: its samplers, its pruning, and its storage for several processes or machines."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .. import _check
from .._extras import need
from .callbacks import as_callbacks
from .fit import fit
from .metrics import METRICS
from .run import Run


class Log(NamedTuple):
    """A number between `low` and `high` whose logarithm is searched evenly."""

    low: float
    high: float


# What a hyper-parameter may be: (low, high) of whole numbers or of floats, Log(low, high), or a list of choices.
Range = tuple[Any, Any] | Log | list[Any]


def tune(
    build: Callable[[dict[str, Any]], Any],
    data: tuple[Any, Any],
    space: Mapping[str, Range],
    trials: int,
    *,
    storage: Any = None,
    name: str = "elman",
    prune: bool = True,
    seed: int | None = None,
    progress: bool = False,
    **options: Any,
) -> Any:
    """Search for the hyper-parameters with the lowest validation loss, or the best value of the metric to `watch`.

    Args:
        build: makes a model from a dict of hyper-parameters, or (model, arguments of `fit`) where some of them are for
            `fit`.
        data: (train, validation), each what `fit` takes.
        space: for each hyper-parameter (low, high) of whole numbers or of floats, Log(low, high), or a list of choices.
        trials: how many to complete, pruned ones too, in all processes together.
        storage: where trials are kept: a path of a file (Optuna's journal), a database URL, or an Optuna storage. Every
            process that gives the same storage and name takes part in the same search, and a search that was stopped
            goes on. None: in memory, for this call alone.
        name: of the search within the storage.
        prune: stop trials that are worse than the median of the others at the same epoch.
        seed: of the sampler (two processes with the same seed would try the same).
        progress: show a bar for each trial (extra: train).
        options: anything else that `fit` takes, by name. `watch` must be the same for all trials.

    Returns:
        The Optuna study: `study.best_params`, `study.best_value`, `study.trials_dataframe()` (extra: tune).

    Raises:
        ValueError: an argument does not fit.
    """
    optuna = need("optuna", "tune", "a search")
    trials = _check.whole_number("trials", trials, 1)
    if not isinstance(data, tuple) or len(data) != 2:
        raise ValueError(f"data: expected a pair (train, validation), got {_check.describe(data)}")
    for key, value in space.items():
        _check_range(key, value)

    watch = options.get("watch", "loss")
    greater = (
        METRICS[watch].greater if watch in METRICS else isinstance(watch, str) and watch.startswith("max ")
    )

    def objective(trial: Any) -> float:
        built = build({key: _suggest(trial, key, value) for key, value in space.items()})
        model, own = built if isinstance(built, tuple) else (built, {})

        def report(run: Run) -> None:
            trial.report(run.history.watched[-1], run.epoch)
            if prune and trial.should_prune():
                raise optuna.TrialPruned

        asked = options | own
        asked["callbacks"] = [report, *as_callbacks(asked.get("callbacks", ()))]
        try:
            history = fit(model, *data, progress=progress, **asked)
        except FloatingPointError as error:  # hyper-parameters that explode are bad ones, not a mistake
            raise optuna.TrialPruned(str(error)) from error
        return history.watched[history.best_epoch]

    study = optuna.create_study(
        storage=_storage(optuna, storage),
        direction="maximize" if greater else "minimize",
        study_name=name,
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.MedianPruner() if prune else optuna.pruners.NopPruner(),
        load_if_exists=True,
    )
    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    if len(study.get_trials(deepcopy=False, states=states)) < trials:
        study.optimize(objective, callbacks=[optuna.study.MaxTrialsCallback(trials, states=states)])
    return study


def _storage(optuna: Any, storage: Any) -> Any:
    if isinstance(storage, os.PathLike) or (isinstance(storage, str) and "://" not in storage):
        backend = optuna.storages.journal.JournalFileBackend(os.fspath(storage))
        return optuna.storages.JournalStorage(backend)
    return storage


def _check_range(name: str, value: Any) -> None:
    if isinstance(value, list) and value:
        return
    numbers = isinstance(value, tuple) and len(value) == 2
    if not numbers or not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in value):
        raise ValueError(
            f"space[{name!r}]: expected (low, high), Log(low, high) or a list of choices, got {value!r}"
        )
    if not value[0] < value[1] or (isinstance(value, Log) and value[0] <= 0):
        raise ValueError(f"space[{name!r}]: expected low below high (above 0 for Log), got {value!r}")


def _suggest(trial: Any, name: str, value: Range) -> Any:
    if isinstance(value, list):
        return trial.suggest_categorical(name, value)
    low, high = value
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(name, low, high, log=isinstance(value, Log))
    return trial.suggest_float(name, low, high, log=isinstance(value, Log))
