"""Callbacks that write what a run records to where other tools read it."""

from __future__ import annotations

import csv
import os
import pathlib
import re
import time
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from .._extras import need
from .._plain import text_of
from .callbacks import Callback
from .run import Run


class Logger(Callback):
    """What writes something down: once, not in each of several processes."""

    everywhere = False


class CSVLog(Logger):
    """A table with a row for each epoch: losses, metrics, gradient norm, learning rate, seconds.

    Args:
        path: of the file. It is written anew at the start of each call of `fit`: a run that goes on from a checkpoint
            has the rows of its epochs so far, each once.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = pathlib.Path(path)

    def on_start(self, run: Run) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rows = [run.history.row(i) for i in range(run.history.epochs)]
        self._names = ["epoch", *run.history.names(run.settings.metrics)]
        self._write("w", [dict(zip(self._names, self._names, strict=True)), *rows])

    def on_epoch(self, run: Run) -> None:
        self._write("a", [run.history.row(-1)])

    def _write(self, mode: str, rows: list[dict[str, Any]]) -> None:
        with open(self.path, mode, newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._names).writerows(rows)


class TensorBoardLog(Logger):
    """What TensorBoard draws: losses, metrics, gradient norm and learning rate over the updates (extra: tensorboard).

    Args:
        directory: of the run's event files. What an earlier run, or this one before it was killed, has written there
            for updates that are made again is no longer shown.
        batches: whether to write loss and gradient norm of each update, too.

    Raises:
        ImportError: tensorboard is missing.
    """

    def __init__(self, directory: str | os.PathLike[str], batches: bool = False):
        self._writer = need(
            "tensorboard.summary.writer.event_file_writer", "tensorboard", "a TensorBoard log"
        ).EventFileWriter
        self._events = need("tensorboard.compat.proto.event_pb2", "tensorboard", "a TensorBoard log")
        self._summary = need(
            "tensorboard.compat.proto.summary_pb2", "tensorboard", "a TensorBoard log"
        ).Summary
        self._directory, self._batches = os.fspath(directory), batches

    def on_start(self, run: Run) -> None:
        self._file = self._writer(self._directory)
        # TensorBoard drops what it has read before of this step and later ones.
        start = self._events.SessionLog(status=self._events.SessionLog.START)
        self._add(run.optimizer.steps + 1, session_log=start)

    def on_batch(self, run: Run) -> None:
        if self._batches:
            self._scalars(run, {"batch/loss": run.loss, "batch/gradient_norm": run.norm})

    def on_epoch(self, run: Run) -> None:
        row = run.history.row(-1)
        self._scalars(
            run, {_TAGS.get(name, name): value for name, value in row.items() if name not in _BESIDE}
        )
        self._file.flush()

    def on_end(self, run: Run) -> None:
        self._file.close()

    def _scalars(self, run: Run, values: dict[str, float]) -> None:
        parts = [self._summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self._add(run.optimizer.steps, summary=self._summary(value=parts))

    def _add(self, step: int, **content: Any) -> None:
        self._file.add_event(self._events.Event(wall_time=time.time(), step=step, **content))


_BESIDE = ("epoch", "seconds")
_TAGS = {"train_loss": "loss/train", "validation_loss": "loss/validation"}  # in one picture


class MLflowLog(Logger):
    """A run of MLflow: the arguments of the model and of `fit` as parameters, under their names ("epochs",
    "model.hidden_size", "schedule" and "schedule.floor"); losses, metrics, gradient norm and learning rate by epoch
    (extra: mlflow).

    A run of MLflow that is active already is used, and stays active. Otherwise one is begun, and ends with `fit`:
    FINISHED, KILLED after Ctrl-C or SIGTERM, FAILED after another exception. A run of `fit` that goes on from a
    checkpoint goes on in the latest run of MLflow of this name, and writes no epoch twice.

    Args:
        name: of the run.
        experiment: its experiment; None: the active one, or MLflow's default.
        uri: of the tracking store; None: the one that MLflow has been set to.

    Raises:
        ImportError: mlflow is missing.
    """

    def __init__(self, name: str, experiment: str | None = None, uri: str | None = None):
        self._mlflow = need("mlflow", "mlflow", "an MLflow log")
        self._name, self._experiment, self._uri = name, experiment, uri

    def on_start(self, run: Run) -> None:
        mlflow = self._mlflow
        if self._uri is not None:
            mlflow.set_tracking_uri(self._uri)
        active = mlflow.active_run()
        self._own = active is None
        if active is None:
            if self._experiment is not None:
                mlflow.set_experiment(self._experiment)
            before = self._before() if run.history.epochs else None
            active = mlflow.start_run(run_id=before) if before else mlflow.start_run(run_name=self._name)
        try:
            self._begin(run, active.info.run_id)
        except BaseException:  # `on_end` is not called then
            if self._own:
                mlflow.end_run("FAILED")
            raise

    def _begin(self, run: Run, active: str) -> None:
        """Write what is known at the start."""
        self._id, client = active, self._mlflow.MlflowClient()
        self._client = client
        if not client.get_run(self._id).data.params:
            for name, value in self._parameters(run).items():
                client.log_param(self._id, name, value)
        # An epoch may have been written, and lost with the end of its process.
        self._written = {entry.step for entry in client.get_metric_history(self._id, "train_loss")}
        for i in range(run.history.epochs):
            self._log(run, i)

    def on_epoch(self, run: Run) -> None:
        self._log(run, run.history.epochs - 1)

    def on_end(self, run: Run) -> None:
        if self._own:
            failed = "FAILED" if isinstance(run.error, Exception) else "KILLED"
            self._mlflow.end_run("FINISHED" if run.error is None else failed)

    def _before(self) -> str | None:
        """The latest run of this name."""
        quote = '"' if "'" in self._name else "'"
        found = self._mlflow.search_runs(
            filter_string=f"attributes.run_name = {quote}{self._name}{quote}", max_results=1, output_format="list",
            order_by=["attributes.start_time DESC"],
        )  # fmt: skip
        return found[0].info.run_id if found else None

    def _parameters(self, run: Run) -> dict[str, Any]:
        optimizer, config = run.optimizer, getattr(run.model, "config", None)
        asked = {field.name: getattr(run.settings, field.name) for field in fields(run.settings)}
        asked |= {"metrics": list(asked["metrics"]), "groups": optimizer.groups and str(optimizer.groups)}
        own = {"optimizer": type(optimizer).__name__, "learning_rate": run.given_rate, "seed": run.seed}
        own |= {"weight_decay": optimizer.weight_decay, "frozen": optimizer.frozen_of(run.model)}
        found = {"model": type(run.model).__name__} | own | asked
        if isinstance(config, dict):
            found |= {f"model.{name}": value for name, value in config.items()}
        return {key: value for name, given in found.items() for key, value in _flat(name, given)}

    def _log(self, run: Run, index: int) -> None:
        row = run.history.row(index)
        epoch = row.pop("epoch")
        if epoch not in self._written:
            for name, value in row.items():
                self._client.log_metric(self._id, _key(name), float(value), step=epoch)
            self._written.add(epoch)


LONGEST = 500  # letters of a parameter that every version of MLflow takes


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """An argument as parameters of MLflow: numbers and texts; what has arguments of its own with these beside it."""
    if is_dataclass(value) and not isinstance(value, type):
        yield _key(name), type(value).__name__
        for field in fields(value):
            yield from _flat(f"{name}.{field.name}", getattr(value, field.name))
    elif isinstance(value, (list, tuple)):
        yield _key(name), ", ".join(map(str, value))[:LONGEST]
    else:
        yield _key(name), value if isinstance(value, (bool, int, float)) else text_of(value)[:LONGEST]


def _key(name: str) -> str:
    """A name with letters that MLflow takes."""
    return re.sub(r"[^\w\-. /]", "_", name)
