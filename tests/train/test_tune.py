"""Hyper-parameter search: pruning, resuming, several processes on one storage."""

import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from elman.train import Log, tune
from tests.support.tune_in_pieces import DATA, SPACE, build

optuna = pytest.importorskip("optuna")
optuna.logging.set_verbosity(optuna.logging.WARNING)
ROOT = pathlib.Path(__file__).parents[2]


def test_a_search_finds_what_is_best():
    study = tune(build, DATA, SPACE, trials=12, epochs=4, seed=0)
    assert len(study.trials) == 12
    assert study.best_params.keys() == SPACE.keys()
    values = [trial.value for trial in study.trials if trial.value is not None]
    assert study.best_value == min(values) < np.median(values)
    rates = [trial.params["learning_rate"] for trial in study.trials]
    assert min(rates) >= 1e-5 and max(rates) <= 1e-1
    assert all(2 <= trial.params["hidden_size"] <= 12 for trial in study.trials)
    again = tune(build, DATA, SPACE, trials=12, epochs=4, seed=0)
    assert [t.params for t in again.trials] == [t.params for t in study.trials]


def test_bad_trials_are_pruned():
    space = {"learning_rate": [1e-2, 1e-7]}
    study = tune(lambda p: build(p | {"hidden_size": 8}), DATA, space, trials=14, epochs=10, seed=0)
    states = [trial.state.name for trial in study.trials]
    assert "PRUNED" in states and study.best_params == {"learning_rate": 1e-2}
    pruned = [trial for trial in study.trials if trial.state.name == "PRUNED"]
    assert all(len(trial.intermediate_values) < 10 for trial in pruned)
    free = tune(lambda p: build(p | {"hidden_size": 8}), DATA, space, trials=6, epochs=2, seed=0, prune=False)
    assert {trial.state.name for trial in free.trials} == {"COMPLETE"}


def test_hyper_parameters_that_explode_are_pruned():
    def explode(p):
        model, options = build({"hidden_size": 4, "learning_rate": 0.01})
        return model, options | {"learning_rate": p["learning_rate"], "optimizer": "sgd", "clip_norm": None}

    study = tune(explode, (DATA[0], DATA[1]), {"learning_rate": [1e30, 0.01]}, trials=6, epochs=3, seed=0)
    states = {trial.params["learning_rate"]: trial.state.name for trial in study.trials}
    assert states == {1e30: "PRUNED", 0.01: "COMPLETE"}


@pytest.mark.kills
@pytest.mark.parametrize("kind", ["file", "database"])
def test_two_processes_share_a_search_that_is_interrupted_and_resumed(kind, tmp_path):
    storage = str(tmp_path / "search.log") if kind == "file" else f"sqlite:///{tmp_path / 'search.db'}"
    command = [sys.executable, "-m", "tests.support.tune_in_pieces", storage]

    def trials():
        try:
            return tune(build, DATA, SPACE, 1, storage=storage, epochs=1).get_trials(deepcopy=False)
        except Exception:
            return []

    tune(build, DATA, SPACE, trials=1, storage=storage, epochs=2)  # makes the storage
    first = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    end = time.monotonic() + 60
    while sum(t.state.is_finished() for t in trials()) < 8 and time.monotonic() < end:
        time.sleep(0.05)
    for process in first:
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = sum(t.state.is_finished() for t in trials())
    assert 8 <= done < 30
    second = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    assert [process.wait(60) for process in second] == [0, 0]
    finished = [t for t in trials() if t.state.is_finished()]
    assert 30 <= len(finished) <= 31  # the last two may begin before either ends
    assert len({t.number for t in finished}) == len(finished)
    study = tune(build, DATA, SPACE, trials=30, storage=storage)  # nothing is left to do
    assert study.best_value == min(t.value for t in finished if t.value is not None)


REFUSALS = {
    "trials: expected a whole number of at least 1, got 0": {"trials": 0},
    r"data: expected a pair \(train, validation\), got \[2\] float64": {"data": np.zeros(2)},
    r"space\['a'\]: expected \(low, high\), Log\(low, high\) or a list of choices, got 3": {
        "space": {"a": 3}
    },
    r"space\['a'\]: expected low below high \(above 0 for Log\), got \(2, 1\)": {"space": {"a": (2, 1)}},
    r"space\['a'\]: expected low below high \(above 0 for Log\), got Log": {"space": {"a": Log(0, 1)}},
}


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    arguments = {"build": build, "data": DATA, "space": SPACE, "trials": 1} | REFUSALS[message]
    with pytest.raises(ValueError, match=message):
        tune(**arguments)


def test_a_metric_is_searched_for_and_callbacks_are_called():
    """The best trial is that of the highest accuracy, in its best epoch."""
    epochs = []
    options = {"metrics": ["accuracy"], "watch": "accuracy", "epochs": 3, "seed": 0}
    study = tune(build, DATA, SPACE, 4, callbacks=[lambda run: epochs.append(run.history.watched)], **options)
    assert study.direction.name == "MAXIMIZE" and study.best_value == max(max(values) for values in epochs)
    assert {trial.value for trial in study.trials if trial.value is not None} <= {max(v) for v in epochs}
    own = {"metrics": {"own": lambda true, predicted: len(true)}, "watch": "max own", "epochs": 1, "seed": 0}
    assert tune(build, DATA, SPACE, 1, **own).best_value == 60
