"""The training loop."""

from __future__ import annotations

import contextlib
import copy
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, overload

import numpy as np

from .. import _check
from .._plain import plain
from ..data import Data
from ..data.batch import size_of
from ..data.split import split
from ..optim import Average, Constant, Groups, Optimizer, Schedule
from . import together
from .callbacks import Callback, as_callbacks
from .communicator import as_communicator
from .history import History
from .metrics import Collector, as_metrics, expect_weighted
from .progress import progress_of
from .resume import Saver
from .run import Run
from .settings import Settings
from .trainable import Trainable, begin, data_for, mean_loss
from .update import optimizer_of

Metrics = str | Sequence[str] | Mapping[str, Any] | None


@overload
def evaluate(model: Trainable, data: Any, batch_size: int = 256) -> float: ...
@overload
def evaluate(model: Trainable, data: Any, batch_size: int = 256, *, metrics: Metrics) -> dict[str, float]: ...
def evaluate(model: Trainable, data: Any, batch_size: int = 256, *, metrics: Metrics = None) -> Any:
    """The model's mean loss over data, and metrics of them.

    Args:
        model: one of elman's, or what else can be trained.
        data: (x, y) with sequences x [n, T, ...] or a list of arrays [t_i, ...]; Sequences, Samples or Stream.
        batch_size: sequences that are computed together.
        metrics: names, or a dict of functions (true, predicted), as `fit` takes them; None: the loss alone.

    Returns:
        The loss; with metrics a dict of "loss" and each of them.

    Raises:
        ValueError: the data do not suit the model, or a metric is not known.
    """
    batch_size = _check.whole_number("batch_size", batch_size, 1)
    asked = as_metrics(metrics, getattr(model, "predicts", ""))
    data = data_for(model, "data", data)
    expect_weighted(asked, getattr(data, "weights", None))
    found = Collector(asked)
    loss = mean_loss(model, data, batch_size, told=found.add)
    return loss if metrics is None else {"loss": loss} | found.values()


def fit(
    model: Trainable,
    train: Any,
    validation: Any = None,
    *,
    validation_split: float | None = None,
    epochs: int = 20,
    batch_size: int = 32,
    accumulate: int = 1,
    optimizer: str | Optimizer = "adam",
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    groups: Groups | None = None,
    frozen: str | Sequence[str] = (),
    schedule: Schedule | None = None,
    clip_norm: float | None = 1.0,
    clip: float | None = None,
    average: Average | None = None,
    metrics: Metrics = None,
    watch: str = "loss",
    patience: int | None = None,
    seed: int | None = None,
    progress: bool | str = True,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_seconds: float = 60.0,
    callbacks: Iterable[Callback | Callable[[Run], Any]] = (),
    communicator: Any = None,
) -> History:
    """Train a model, and leave it with the parameters of its best epoch.

    Args:
        model: changed in place.
        train: (x, y) with sequences x [n, T, ...] or a list of arrays [t_i, ...]; Sequences, Samples or Stream.
        validation: the same; its loss, or what `watch` says, chooses the best epoch. None: the last one is the best.
        validation_split: instead of `validation` the share of `train` to set apart. Sequences are drawn by the seed (0
            if it is None); of a Stream, and of windows of one series that overlap, it is the last part in time.
        epochs: times that all of `train` is read.
        batch_size: sequences in a batch (lanes of a Stream).
        accumulate: an update of the parameters follows after so many batches (and at the end of an epoch), as if they
            were one: its gradient is that of the mean over all their targets. The memory is that of one batch.
        optimizer: "adam", "adamw", "rmsprop" or "sgd" (momentum 0.9), or an Optimizer of this model or a part of it,
            which brings its own learning rate, weight decay, groups and frozen; what it does not have stays as it is.
        learning_rate: 1e-3 if None; for "sgd" 0.1.
        weight_decay: as the optimizer defines it; 0 if None, for "adamw" 0.01.
        groups: for patterns of parameters' names another learning_rate or weight_decay, as every `Optimizer` has it:
            {"embedding": {"learning_rate": 1e-4}, "bias*": {"weight_decay": 0}}.
        frozen: patterns of names that stay as they are: ["embedding", "network.recurrent"].
        schedule: a learning-rate schedule, a factor over time, counted in epochs; constant if None.
        clip_norm: largest joint norm of the gradients in an update (Pascanu et al. 2013); None: no limit.
        clip: largest size of each single gradient; None: no limit.
        average: EMA(...) or SWA(...): averages the parameters. The validation is that of the average, once there is
            one, and the model ends with it.
        metrics: numbers beside the loss, of all the validation data: names (accuracy, balanced_accuracy, precision,
            recall, f1, auc; mae, mse, rmse, mape, r2, crps), or a dict of names to functions (true, predicted) ->
            number (extra: sklearn). Of a model of several outputs they are called "output/metric". Where the data have
            weights they count, and functions get them as `sample_weight`. The numbers are in the history.
        watch: what chooses the best epoch: "loss", a metric, or for a function of your own "max name" or "min name".
        patience: stop after so many epochs without a better one; None: never.
        seed: of the order of the sequences; dropout draws from the model's own. None: a new one each time.
        progress: show a bar, with this label if it is a string (extra: train, without which, and where the output is
            no terminal, it is a line for each epoch and one a minute within it).
        checkpoint: a directory (extra: save). If it holds an earlier run of the same call, that run goes on, bit for
            bit. A run that is killed, at any moment, leaves a whole checkpoint there. This call's learning_rate,
            weight_decay, groups, schedule, clip_norm, clip, accumulate, patience and epochs hold from there on, its
            batch_size from the next epoch. If no epochs are left, a setting that differs is refused. Other data,
            another model, optimizer, frozen, average, metrics, watch or seed is another run, and is refused.
        checkpoint_seconds: least time between two checkpoints. One more is written after the last epoch.
        callbacks: functions, called with the Run after each epoch, or `Callback`s.
        communicator: the processes that train this model together, each by the same call with the whole data: mpi4py's
            MPI.COMM_WORLD, a group of torch.distributed, or a `Communicator`. Each takes its share of every batch; the
            gradients are those of the whole batch. Process 0 shows progress and holds the checkpoint; its parameters
            and random streams are those the run begins with, and all end with the same model and history.

    Returns:
        The history.

    Raises:
        ValueError: an argument does not fit, or the checkpoint directory holds another run, or another one uses it.
        FloatingPointError: the loss, or that of the validation data, is no longer a finite number, or has exploded.

    However the run ends, also by an exception or Ctrl-C, the model has the parameters of the best epoch so far. Before
    the end of the first epoch, and without validation data, it has those of the last update; if they have exploded,
    those before the epoch in progress. The exception has the history, as its attribute `history`. If there is a
    checkpoint directory, Ctrl-C, SIGTERM and other exceptions leave a checkpoint of the last update there.
    """
    settings = Settings(
        epochs=epochs, batch_size=batch_size, accumulate=accumulate, clip_norm=clip_norm, clip=clip,
        schedule=Constant() if schedule is None else schedule, patience=patience, average=average,
        metrics=as_metrics(metrics, getattr(model, "predicts", "")), watch=watch,
    )  # fmt: skip
    seed = None if seed is None else _check.whole_number("seed", seed, 0)
    train_data, validation_data = _parts(model, train, validation, validation_split, seed)
    _expect_suiting(settings, train_data, validation_data)
    between = as_communicator(communicator)
    first = between is None or between.rank == 0
    called = [*as_callbacks(callbacks), *progress_of(progress, train_data)]
    called = [callback for callback in called if first or callback.everywhere]
    checkpoint_seconds = _check.not_negative("checkpoint_seconds", checkpoint_seconds)
    if isinstance(getattr(model, "notes", None), dict):
        plain("notes", model.notes)  # type: ignore[attr-defined]  # refused now rather than when it is saved
    optimizer = optimizer_of(optimizer, model, learning_rate, weight_decay, groups, frozen)
    order = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    run, saver = Run(model, optimizer, settings, order, between), None
    if checkpoint is not None and first:
        saver = partial(Saver, run, checkpoint, train_data, validation_data, seed, checkpoint_seconds)
    _carry_out(run, train_data, validation_data, called, saver, termination=checkpoint is not None)
    return run.history


def _parts(
    model: Trainable, train: Any, validation: Any, share: float | None, seed: int | None
) -> tuple[Data, Data | None]:
    """What to train on, and what to validate with."""
    if share is not None and validation is not None:
        raise ValueError("validation_split: expected None beside validation")
    train_data = data_for(model, "train", train)
    validation_data = None if validation is None else data_for(model, "validation", validation)
    if share is not None:
        train_data, validation_data = split(train_data, share, seed or 0)
    return train_data, validation_data


def _expect_suiting(settings: Settings, train: Data, validation: Data | None) -> None:
    """Refuse settings that do not suit the data."""
    for name in ("patience", "metrics"):
        if getattr(settings, name) and validation is None:
            raise ValueError(f"{name}: expected validation data with it, got None")
    expect_weighted(settings.metrics, getattr(validation, "weights", None))
    schedule, epochs = settings.schedule, settings.epochs
    if size_of(train) is None and not schedule(0.0):
        raise ValueError(
            "schedule: expected one that does not begin at 0, for data of unknown size, whose first epoch counts it; "
            "Samples(..., count=) says it, and WarmUp(..., start=) begins higher"
        )
    if epochs > 1 and not any(schedule(epochs - part) for part in (1, 0.5)):
        warnings.warn(
            f"schedule: the learning rate is 0 in the whole of the last epoch: {schedule!r} ends before "
            f"epochs={epochs}",
            stacklevel=3,
        )


def _carry_out(
    run: Run,
    train: Data,
    validation: Data | None,
    callbacks: list[Callback],
    make_saver: Callable[[], Saver] | None,
    termination: bool,
) -> None:
    """Train, and leave everything in order, however it ends. `termination`: whether SIGTERM is an exception."""
    notes, begun = copy.deepcopy(getattr(run.model, "notes", None)), False
    with contextlib.ExitStack() as ends:
        saver = None
        try:
            begin(run.model, train)
            with run.guard.watching(termination):
                if make_saver is not None:
                    with run.guard.deferring():  # a signal waits until it is known who lets the directory go
                        saver = make_saver()
                        ends.callback(saver.close)
                together.begin(run)
                begun = True
                for callback in callbacks:
                    callback.on_start(run)
                    ends.callback(callback.on_end, run)
                _train(run, train, validation, callbacks, saver)
        except BaseException as error:
            run.error = error
            run.rewind()
            if not begun and notes is not None:  # the run is refused, so the model stays as it was
                run.model.notes = notes  # type: ignore[attr-defined]
            with contextlib.suppress(AttributeError):  # an exception of another library may take none
                error.history = run.history  # type: ignore[attr-defined]
            if saver is not None:
                saver.after_error(error)
            run.ranks.leave(error)
            run.fall_back(exploded=isinstance(error, FloatingPointError))
            raise
        finally:
            # For whoever goes on with it: the last factor is no longer due.
            run.optimizer.learning_rate = run.base_rate
        run.history.stopped = run.stop
        run.fall_back(exploded=False)


def _train(
    run: Run, train: Data, validation: Data | None, callbacks: list[Callback], saver: Saver | None
) -> None:
    """Train the epochs that are left."""
    while not run.finished:
        with contextlib.closing(run.train_epoch(train)) as updates:
            for _ in updates:
                for callback in callbacks:
                    callback.on_batch(run)
                if together.stops(run):
                    break
                if saver is not None:
                    saver.after_update()
        run.end_epoch(validation)
        for callback in callbacks:
            callback.on_epoch(run)
        together.end_epoch(run)
        if saver is not None:
            saver.after_epoch(last=run.finished)
