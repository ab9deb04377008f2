"""Logs of runs as their readers see them, and after an interruption."""

import csv
import re

import numpy as np
import pytest

from elman.train import EMA, Callback, Cosine, CSVLog, MLflowLog, Schedule, TensorBoardLog, fit
from tests.support.runs import data, noise, regressor, run
from tests.support.thread_ranks import on_ranks


class Interrupt(Callback):
    """Ends a run at an epoch, as Ctrl-C or, with `lost`, as a kill would: nothing is saved then."""

    def __init__(self, epoch, error=KeyboardInterrupt, lost=False):
        self.epoch, self.error, self.lost = epoch, error, lost

    def on_epoch(self, run):
        if run.epoch == self.epoch:
            run.guard.broken = self.lost
            raise self.error


def interrupted(directory, log, **options):
    with pytest.raises((KeyboardInterrupt, RuntimeError)):
        run(regressor(), directory, None, noise(1), epochs=4, callbacks=[log, Interrupt(2, **options)],
            checkpoint_seconds=0.0 if options.get("lost") else 1e9)  # fmt: skip


def resumed(directory, log):
    return run(regressor(), directory, None, noise(1), epochs=4, callbacks=[log])


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_csv(tmp_path):
    path = tmp_path / "new" / "log.csv"
    history = run(regressor(), None, None, noise(1), callbacks=[CSVLog(path)])
    rows = read(path)
    assert [*rows[0]] == [
        "epoch",
        "train_loss",
        "validation_loss",
        "gradient_norm",
        "learning_rate",
        "seconds",
    ]
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    for name in ("train_loss", "validation_loss", "gradient_norm", "learning_rate", "seconds"):
        assert [float(row[name]) for row in rows] == getattr(history, name)
    run(regressor(), None, epochs=1, callbacks=[CSVLog(path)])
    (row,) = read(path)
    assert row["validation_loss"] == "" and float(row["train_loss"]) > 0


@pytest.mark.parametrize("lost", [False, True])
def test_csv_goes_on(tmp_path, lost):
    log = CSVLog(tmp_path / "log.csv")
    interrupted(tmp_path / "run", log, lost=lost)
    assert len(read(log.path)) == 2
    history = resumed(tmp_path / "run", log)
    rows = read(log.path)
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert [float(row["train_loss"]) for row in rows] == history.train_loss


def scalars(directory):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(directory)).Reload()
    return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


@pytest.mark.slow
def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    history = run(regressor(), None, None, noise(1), callbacks=[TensorBoardLog(tmp_path / "a", batches=True)])
    found = scalars(tmp_path / "a")
    assert found.keys() == {"loss/train", "loss/validation", "gradient_norm", "learning_rate", "batch/loss",
                            "batch/gradient_norm"}  # fmt: skip
    assert [step for step, _ in found["loss/validation"]] == [3, 6, 9]
    np.testing.assert_allclose([v for _, v in found["loss/validation"]], history.validation_loss, rtol=1e-6)
    assert [step for step, _ in found["batch/loss"]] == [*range(1, 10)]
    np.testing.assert_allclose(
        [v for _, v in found["batch/gradient_norm"]], np.array(history.gradient_norm).repeat(3), rtol=1
    )
    for lost in (False, True):
        log = TensorBoardLog(tmp_path / f"{lost}", batches=True)
        interrupted(tmp_path / f"run {lost}", log, lost=lost)
        history = resumed(tmp_path / f"run {lost}", log)
        found = scalars(tmp_path / f"{lost}")
        assert [step for step, _ in found["batch/loss"]] == [*range(1, 13)]
        assert [step for step, _ in found["loss/train"]] == [3, 6, 9, 12]
        np.testing.assert_allclose([v for _, v in found["loss/train"]], history.train_loss, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_mlflow(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow = pytest.importorskip("mlflow")
    uri = (tmp_path / "mlruns").as_uri()
    log = MLflowLog("it's mine", experiment="tests", uri=uri)
    interrupted(tmp_path / "run", log, lost=True)
    client = mlflow.MlflowClient(uri)

    def runs():
        (experiment,) = client.search_experiments(filter_string="name = 'tests'")
        return client.search_runs([experiment.experiment_id])

    (before,) = runs()
    assert before.info.status == "KILLED" and before.data.params["optimizer"] == "Adam"
    assert before.data.params["batch_size"] == "8" and before.data.params["model"] == "SequenceRegressor"
    assert before.data.params["model.hidden_size"] == "4" and before.data.params["schedule"] == "Constant"
    history = resumed(tmp_path / "run", log)
    (after,) = runs()
    assert after.info.run_id == before.info.run_id and after.info.status == "FINISHED"
    losses = client.get_metric_history(after.info.run_id, "validation_loss")
    assert [(m.step, m.value) for m in losses] == [*enumerate(history.validation_loss, 1)]

    with pytest.raises(RuntimeError):
        run(regressor(), None, callbacks=[log, Interrupt(1, RuntimeError)])
    new, _ = sorted(runs(), key=lambda one: -one.info.start_time)
    assert new.info.status == "FAILED"
    with mlflow.start_run() as active:
        run(regressor(), None, callbacks=[MLflowLog("not used")])
        assert mlflow.active_run() is not None
    assert len(client.get_metric_history(active.info.run_id, "train_loss")) == 3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_mlflow_gets_numbers_and_names(tmp_path, monkeypatch):
    """Metrics are numbers under their names, and arguments parameters: no text of an object, with its address."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow = pytest.importorskip("mlflow")

    class Own(Schedule):
        def __call__(self, epoch):
            return 1.0

    uri = (tmp_path / "mlruns").as_uri()
    metrics = {"mae": "mae", "worst|": lambda true, predicted: np.float32(abs(true - predicted).max())}
    options = {
        "epochs": 1,
        "metrics": metrics,
        "average": EMA(0.9),
        "groups": {"bias*": {"weight_decay": 0.5}},
    }
    for name, schedule in (("a", Cosine(2, floor=0.5)), ("b", Own())):
        log = MLflowLog(name, experiment="own", uri=uri)
        history = run(
            regressor(),
            None,
            validation=data(1),
            callbacks=[log],
            schedule=schedule,
            frozen=["head.bias"],
            **options,
        )
    client = mlflow.MlflowClient(uri)
    found = client.search_runs([client.get_experiment_by_name("own").experiment_id])
    own, cosine = (one.data for one in sorted(found, key=lambda one: -one.info.start_time))
    assert own.params["schedule"].endswith("Own") and not any(
        " at 0x" in text for text in own.params.values()
    )
    want = {
        "schedule": "Cosine", "schedule.epochs": "2", "schedule.floor": "0.5", "metrics": "mae, worst|",
        "groups": "{'bias*': {'weight_decay': 0.5}}", "frozen": "network.head.bias", "weight_decay": "0.0",
        "patience": "None", "clip_norm": "1.0", "model.loss": "squared",
    }  # fmt: skip
    assert {name: cosine.params.get(name) for name in want} == want
    assert cosine.params["average"] == "EMA" and cosine.params["average.decay"] == "0.9"
    assert own.metrics["mae"] == history.metrics["mae"][0]
    assert own.metrics["worst_"] == pytest.approx(history.metrics["worst|"][0])


@pytest.mark.parametrize(("log", "module"), [(TensorBoardLog, "tensorboard"), (MLflowLog, "mlflow")])
def test_what_is_missing_is_named(log, module, monkeypatch):
    name = module if module == "mlflow" else "tensorboard.summary.writer.event_file_writer"
    monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(ImportError, match=re.escape(f"pip install 'elman[{module}]'")):
        log("name")


def test_a_log_that_cannot_be_written_ends_the_run_before_it_begins(tmp_path):
    (tmp_path / "file").write_text("")
    model = regressor()
    before = model.state_dict()
    with pytest.raises(OSError):
        fit(model, data(), progress=False, callbacks=[CSVLog(tmp_path / "file" / "log.csv")])
    assert all(np.array_equal(before[name], value) for name, value in model.parameters.items())


def test_of_several_processes_the_first_writes(tmp_path):
    def work(communicator):
        log = CSVLog(tmp_path / f"{communicator.rank}.csv")
        return run(regressor(), None, callbacks=[log], communicator=communicator)

    first, second = on_ranks(2, work)
    assert first == second and len(read(tmp_path / "0.csv")) == 3
    assert not (tmp_path / "1.csv").exists()
