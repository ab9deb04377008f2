"""Ctrl-C and SIGTERM: the run is saved where it was, and goes on with the same bits."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from elman.models import SequenceClassifier
from elman.train import SGD, Adam, Callback, Plateau, Sequences, fit
from elman.train.guard import Guard
from tests.support.runs import data, noise, regressor, run, same

ROOT = pathlib.Path(__file__).parents[2]
rng = np.random.default_rng(0)
X = [rng.standard_normal((t, 3)).astype(np.float32) for t in rng.integers(1, 20, 120)]
Y = np.array([int(x.sum() > 0) for x in X])


def classifier(**options):
    return SequenceClassifier(
        2, input_size=3, hidden_size=16, num_layers=2, dropout=0.2, recurrent_dropout=0.1, seed=0, **options
    )


def call(model, directory, **options):
    options = {"epochs": 8, "batch_size": 8, "schedule": Plateau(0.5, patience=1)} | options
    return fit(model, Sequences(X, Y), (X[:40], Y[:40]), seed=0, progress=False, checkpoint=directory,
               checkpoint_seconds=1e9, **options)  # fmt: skip


@pytest.mark.kills
@pytest.mark.parametrize("options", [{}, {"accumulate": 3}], ids=["", "accumulate"])
def test_ctrl_c_at_any_moment(tmp_path, options):
    """Thirty of them at random moments, in forward and backward passes, updates, validation and between. No checkpoint
    is written but by them, so one that saved nothing would be seen in the updates."""
    whole, updates = classifier(), []

    class Count(Callback):
        def on_start(self, run):
            self.timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
            self.timer.start()

        def on_batch(self, run):
            updates.append((run.epoch, run.batches))

        def on_end(self, run):
            self.timer.cancel()

    seconds, begin = 1e3, time.perf_counter()
    want = call(whole, tmp_path / "whole", callbacks=[Count()], **options)
    longest = (time.perf_counter() - begin) / 20
    once, times, interrupts = list(updates), np.random.default_rng(1), 0
    updates.clear()
    while True:
        seconds = times.uniform(longest / 20, longest) if interrupts < 30 else 1e3
        model = classifier()
        try:
            got = call(model, tmp_path / "run", callbacks=[Count()], **options)
            break
        except KeyboardInterrupt:
            interrupts += 1
    assert interrupts > 5 and got == want and same(model.state_dict(), whole.state_dict())
    # No update was lost and made again. Of one before an interrupt the callback may not have been told.
    assert updates == [update for update in once if update in updates]
    assert len(once) - len(updates) <= interrupts


@pytest.mark.kills
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_asked_to_end(tmp_path, number):
    code = (
        "import sys; from tests.train.test_interrupts import *\n"
        "class Ready(Callback):\n"
        "    def on_batch(self, run):\n"
        "        if run.epoch == 2: print('ready', flush=True)\n"
        f"call(classifier(), {str(tmp_path / 'run')!r}, epochs=100000, callbacks=[Ready()])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == {signal.SIGINT: -2, signal.SIGTERM: 143}[number]
    if number == signal.SIGINT and sys.version_info >= (3, 11):
        assert "The run is saved in" in told
    seen = []

    class First(Callback):
        def on_start(self, run):
            seen.append((run.epoch, run.batches))
            run.stop = "seen"

    call(classifier(), tmp_path / "run", epochs=100000, callbacks=[First()])
    assert seen[0] >= (2, 1)


def test_one_that_comes_within_an_update_waits_for_its_end(tmp_path):
    class Interrupting(SGD):
        def _update(self, *arguments):
            if self.steps == 4 and not ended[3:]:
                signal.raise_signal(signal.SIGINT)
            super()._update(*arguments)
            ended.append(self.steps)

    ended, whole, model = [], regressor(), regressor()
    want = run(whole, tmp_path / "a", optimizer=SGD(whole, 0.1))
    with pytest.raises(KeyboardInterrupt) as caught:
        run(model, tmp_path / "b", optimizer=Interrupting(model, 0.1), checkpoint_seconds=1e9)
    assert ended == [1, 2, 3, 4] and caught.value.history.train_loss == want.train_loss[:1]
    model = regressor()
    assert run(model, tmp_path / "b", optimizer=Interrupting(model, 0.1)) == want
    assert ended[4:] == [5, 6, 7, 8, 9] and same(model.state_dict(), whole.state_dict())


def test_one_that_comes_while_a_checkpoint_is_written_waits_for_its_end(tmp_path, monkeypatch):
    whole, fsync, seen = regressor(), os.fsync, []
    want = run(whole, tmp_path / "a")

    def interrupted(file):
        if not seen and any((tmp_path / "b").glob(".*.new")):
            seen.append(file)
            signal.raise_signal(signal.SIGINT)
        fsync(file)

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(regressor(), tmp_path / "b", checkpoint_seconds=0)
    assert seen and {path.name for path in (tmp_path / "b").glob("*.safetensors")} == {
        "checkpoint-0.safetensors", "checkpoint-1.safetensors"
    }  # fmt: skip
    model = regressor()
    assert run(model, tmp_path / "b") == want and same(model.state_dict(), whole.state_dict())


def test_an_update_that_fails_is_not_saved(tmp_path):
    class Failing(Adam):
        def _update(self, *arguments):
            super()._update(*arguments)
            if self.steps == fails:
                raise KeyboardInterrupt

    def model_and_run(directory):
        model = regressor()
        return model, run(model, directory, optimizer=Failing(model), checkpoint_seconds=1e9)

    fails = 4
    with pytest.raises(KeyboardInterrupt):
        model_and_run(tmp_path)
    assert not list(tmp_path.glob("checkpoint-*"))  # half an update is no place to go on from


@pytest.mark.parametrize("deferring", [True, False])
def test_one_whose_block_ends_in_an_exception_is_not_lost(deferring):
    guard = Guard()
    block = guard.deferring() if deferring else guard
    with pytest.raises(KeyboardInterrupt) as caught, guard.watching(False), block:
        signal.raise_signal(signal.SIGINT)
        raise ValueError("mine")
    assert isinstance(caught.value.__context__, ValueError) and guard.broken != deferring
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with guard.deferring():  # and it comes once
        pass


def test_the_handlers_are_those_of_before(tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    within = []

    def look(run):
        within.append((signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)))

    run(regressor(), tmp_path, callbacks=[look], epochs=1)
    assert within[0][0] is not before[0] and within[0][1] is not before[1]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    fit(regressor(), data(), epochs=1, progress=False, callbacks=[look])
    assert within[1][1] is before[1]  # without a checkpoint nothing could be saved


def test_a_handler_of_ones_own_is_called(tmp_path):
    """It decides what happens: here nothing but a mark."""
    marks = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: marks.append(number))
    try:
        history = run(
            regressor(), tmp_path, callbacks=[lambda run: signal.raise_signal(signal.SIGTERM)], epochs=2
        )
    finally:
        signal.signal(signal.SIGTERM, before)
    assert history.epochs == 2 and marks == [signal.SIGTERM] * 2


def test_in_another_thread(tmp_path):
    found = []
    thread = threading.Thread(target=lambda: found.append(run(regressor(), tmp_path / "a")))
    thread.start()
    thread.join()
    assert found == [run(regressor(), tmp_path / "b")]


def test_other_exceptions_are_saved_too(tmp_path):
    def fail(run):
        if run.epoch == 2:
            raise RuntimeError("mine")

    whole, model = regressor(), regressor()
    want = run(whole, tmp_path / "a", None, noise(1))
    with pytest.raises(RuntimeError, match="mine") as caught:
        run(model, tmp_path / "b", None, noise(1), callbacks=[fail], checkpoint_seconds=1e9)
    assert caught.value.history.validation_loss == want.validation_loss[:2]
    epochs = []
    model = regressor()
    got = run(model, tmp_path / "b", None, noise(1), callbacks=[lambda run: epochs.append(run.epoch)])
    assert epochs == [3] and got == want and same(model.state_dict(), whole.state_dict())


def test_a_full_disk_hides_no_exception(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    def fail(run):
        monkeypatch.setattr(os, "fsync", full)
        raise RuntimeError("mine")

    with (
        pytest.warns(UserWarning, match=r"checkpoint: none could be written to .*No space left"),
        pytest.raises(RuntimeError, match="mine"),
    ):
        run(regressor(), tmp_path, callbacks=[fail], checkpoint_seconds=1e9)


@pytest.mark.parametrize("at", [(0, 2), (1, 0), (1, 2)], ids=str)
def test_another_learning_rate_holds_from_the_next_batch(tmp_path, at):
    """After Ctrl-C in the middle of an epoch; the right values come from one run whose rate is changed there."""

    class Change(Callback):
        def on_batch(self, run):
            if (run.epoch, run.batches) == at:
                run.base_rate = 1e-3

        def on_epoch(self, run):
            if (run.epoch, 0) == at:
                run.base_rate = 1e-3

    class Interrupt(Change):
        def on_batch(self, run):
            if (run.epoch, run.batches) == at:
                signal.raise_signal(signal.SIGINT)

        def on_epoch(self, run):
            if (run.epoch, 0) == at:
                signal.raise_signal(signal.SIGINT)

    whole, model = regressor(), regressor()
    options = {"checkpoint_seconds": 1e9, "epochs": 3}
    want = run(whole, tmp_path / "a", learning_rate=0.05, callbacks=[Change()], **options)
    with pytest.raises(KeyboardInterrupt):
        run(model, tmp_path / "b", learning_rate=0.05, callbacks=[Interrupt()], **options)
    model = regressor()
    got = run(model, tmp_path / "b", learning_rate=1e-3, **options)
    assert got == want and got.learning_rate[-1] == 1e-3 and same(model.state_dict(), whole.state_dict())


def test_no_time_is_lost_by_waiting_for_an_epoch(tmp_path):
    """Ctrl-C is heard at once, not after the epoch, nor after the batch that is waited for."""
    waited = []

    class Slow(Sequences):
        def batches(self, batch_size, seed=None):
            for batch in super().batches(batch_size, seed):
                if seed:
                    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
                    threading.Event().wait(120)
                    waited.append(batch)
                yield batch

    with pytest.raises(KeyboardInterrupt):
        run(regressor(), tmp_path, Slow(*data()))
    assert not waited
