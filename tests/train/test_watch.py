"""Metrics in a run: in its history, choosing the best epoch, and what is refused."""

import sys

import numpy as np
import pytest

from elman.train import Plateau, evaluate, fit
from elman.train.metrics import last_is_best
from tests.support.runs import data, noise, regressor, run, same
from tests.support.thread_ranks import on_ranks


def test_the_history_has_them_and_the_best_epoch_is_watched(tmp_path):
    values = iter([0.1, 0.9, float("nan"), 0.5, 0.9, 0.2])
    options = {"metrics": {"mae": "mae", "own": lambda true, predicted: next(values)}, "epochs": 6}
    states, model = [], regressor()
    history = run(
        model, None, None, noise(1), watch="max own", callbacks=[lambda run: states.append(run.model.state_dict())],
        **options,
    )  # fmt: skip
    assert history.metrics["own"][:2] == [0.1, 0.9] and len(history.metrics["mae"]) == 6
    assert (history.watch, history.best_epoch) == ("own", 4) and history.watched == history.metrics["own"]
    assert same(model.state_dict(), states[4])
    plain = run(regressor(), None, None, noise(1), epochs=6)
    assert plain.validation_loss == history.validation_loss  # they change nothing else
    best = run(regressor(), None, None, noise(1), watch="mae", **options | {"metrics": "mae"})
    assert best.best_epoch == int(np.argmin(best.metrics["mae"]))


def test_patience_and_schedules():
    """Patience waits for the metric; a learning-rate schedule watches the loss."""
    values = iter(range(100))
    options = {"metrics": {"own": lambda true, predicted: next(values)}, "epochs": 9, "patience": 3}
    history = run(regressor(), None, noise(0), noise(1), watch="min own", **options)
    assert history.stopped == "no lower own in 3 epochs" and history.epochs == 4
    schedule = Plateau(0.5, patience=0)
    history = run(
        regressor(), None, data(), (data()[0], -data()[1]), watch="max own", schedule=schedule, **options
    )
    assert history.epochs == 9 and history.learning_rate[-1] < history.learning_rate[0]


def test_resume(tmp_path):
    def stop(run):
        if run.epoch == 2:
            raise KeyboardInterrupt

    options = {"metrics": ["mae", "r2"], "watch": "r2", "epochs": 4, "checkpoint_seconds": 1e9}
    whole, model = regressor(), regressor()
    want = run(whole, tmp_path / "a", None, noise(1), **options)
    with pytest.raises(KeyboardInterrupt):
        run(model, tmp_path / "b", None, noise(1), callbacks=[stop], **options)
    model = regressor()
    assert run(model, tmp_path / "b", None, noise(1), **options) == want and same(
        model.state_dict(), whole.state_dict()
    )
    with pytest.raises(ValueError, match=r"metrics: expected \['mae', 'r2'\], as in .*, got \['mae'\];"):
        run(regressor(), tmp_path / "b", None, noise(1), **options | {"metrics": "mae", "watch": "loss"})
    with pytest.raises(ValueError, match=r"watch: expected r2, as in .*, got loss;"):
        run(regressor(), tmp_path / "b", None, noise(1), **options | {"watch": "loss"})


def test_they_are_shown(capsys):
    fit(regressor(), data(), noise(1), epochs=1, metrics="mae", seed=0)
    assert ", mae " in capsys.readouterr().err


def test_a_nan_is_never_the_best():
    nan = float("nan")
    assert last_is_best([nan], True) and last_is_best([nan, 0.1], True) and not last_is_best([0.1, nan], True)
    assert last_is_best([1, 2], True) and not last_is_best([1, 2], False) and last_is_best([2, 2], False)
    assert last_is_best([nan, nan], False)


REFUSALS = {
    "metrics: expected for a model that predicts numbers some of mae, mse, .*, or a function, got 'f1'": {
        "metrics": "f1"
    },
    "metrics: expected validation data with it, got None": {"metrics": "mae", "validation": None},
    r"metrics\[0\]: expected a name, got function; a dict names functions": {"metrics": [last_is_best]},
    "metrics: expected names, or a dict of functions, got 3": {"metrics": 3},
    r"metrics\['own'\]: expected a name or a function \(true, predicted\), got 3": {"metrics": {"own": 3}},
    r"metrics\['own'\]: expected a number, got 'good'": {"metrics": {"own": lambda true, predicted: "good"}},
    "metrics: expected names, none of loss, epoch, .*, got 'seconds'": {"metrics": {"seconds": "mae"}},
    r"watch: expected 'loss' or one of the metrics \[\], got 'mae'": {"watch": "mae"},
    "watch: expected 'loss' or one of the metrics .*, got 3": {"watch": 3, "metrics": "mae"},
    "watch: expected 'max own' or 'min own', got 'own'": {"watch": "own", "metrics": {"own": last_is_best}},
}


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    options = {"validation": noise(1), "progress": False} | REFUSALS[message]
    with pytest.raises(ValueError, match=message):
        fit(regressor(), data(), epochs=1, **options)


def test_a_missing_library_is_named_before_any_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    model = regressor()
    before = model.state_dict()
    with pytest.raises(ImportError, match=r"a metric needs sklearn: pip install 'elman\[sklearn\]'"):
        fit(model, data(), noise(1), epochs=1, metrics="mae", progress=False)
    assert same(before, model.state_dict())
    assert "crps" in evaluate(model, data(), metrics="crps")  # its formula is elman's own


def test_several_processes_have_the_same_ones():
    """Each has them of the whole validation data; the last batch has fewer sequences than there are processes."""

    def work(communicator=None):
        model = regressor()
        history = fit(model, data(), noise(1), epochs=2, batch_size=11, seed=0, metrics=["mae", "r2"], watch="r2",
                      progress=False, communicator=communicator)  # fmt: skip
        return history.metrics, history.best_epoch

    want, got = work(), on_ranks(3, work)
    for metrics, best in got:
        assert metrics == got[0][0] and best == want[1]
        for name in want[0]:
            np.testing.assert_allclose(metrics[name], want[0][name], rtol=1e-4)
