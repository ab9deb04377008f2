"""Callbacks: when they are called, how they end a run, and what happens after an exception."""

import numpy as np
import pytest

from elman.train import Callback, fit
from tests.support.runs import data, noise, regressor, run, same


class Recorder(Callback):
    def __init__(self, name="", calls=None):
        self.name, self.calls = name, [] if calls is None else calls

    def on_start(self, run):
        self.calls.append(f"{self.name}start")

    def on_batch(self, run):
        self.calls.append(f"{self.name}{run.epoch}.{run.batches}")

    def on_epoch(self, run):
        self.calls.append(f"{self.name}epoch {run.epoch}")

    def on_end(self, run):
        self.calls.append(f"{self.name}end")


def call(*callbacks, **options):
    options = {"epochs": 2, "batch_size": 12, "seed": 0} | options
    return fit(regressor(), data(), progress=False, callbacks=callbacks, **options)


def test_all_of_them_in_their_order():
    recorder, functions = Recorder(), []
    call(recorder, lambda run: functions.append(run.epoch))
    assert recorder.calls == ["start", "0.1", "0.2", "epoch 1", "1.1", "1.2", "epoch 2", "end"]
    assert functions == [1, 2]


def test_with_accumulate_a_batch_is_an_update():
    recorder = Recorder()
    call(recorder, epochs=1, batch_size=5, accumulate=2)
    assert recorder.calls == ["start", "0.2", "0.4", "0.5", "epoch 1", "end"]


def test_any_subset():
    class Only(Callback):
        def on_batch(self, run):
            losses.append((run.loss, run.norm))

    losses = []
    history = call(Only())
    assert len(losses) == 4 and np.mean([loss for loss, _ in losses[:2]]) == pytest.approx(
        history.train_loss[0]
    )


def test_stop_after_a_batch(tmp_path):
    class Stop(Callback):
        def on_batch(self, run):
            if (run.epoch, run.batches) == (1, 2):
                run.stop = "enough"

    recorder = Recorder()
    model = regressor()
    history = run(model, tmp_path, callbacks=[Stop(), recorder], epochs=4)
    assert history.epochs == 2 and history.stopped == "enough"
    assert recorder.calls[-3:] == ["1.2", "epoch 2", "end"]
    again = regressor()
    assert run(again, tmp_path, epochs=4) == history and same(again.state_dict(), model.state_dict())
    assert run(regressor(), tmp_path, epochs=5).epochs == 5


@pytest.mark.parametrize("where", ["on_start", "on_batch", "on_epoch"])
def test_an_exception_ends_the_run(where):
    seen = []

    class Failing(Recorder):
        def on_end(self, run):
            super().on_end(run)
            seen.append((type(run.error), run.model.state_dict()))

    def fail(self, run):
        raise KeyError("mine")

    last = Recorder("b ", calls := [])
    failing = type("F", (Failing,), {where: fail})("a ", calls)
    model = regressor()
    with pytest.raises(KeyError, match="mine") as caught:
        fit(
            model,
            data(),
            noise(1),
            epochs=2,
            seed=0,
            progress=False,
            callbacks=[Recorder("0 ", calls), failing, last],
        )
    assert caught.value.history.epochs == (where == "on_epoch")
    if where == "on_start":  # whose on_start has not returned has no end
        assert calls == ["0 start", "0 end"] and not seen
    else:
        assert calls[-3:] == ["b end", "a end", "0 end"]
        assert seen[0][0] is KeyError and same(seen[0][1], model.state_dict())


def test_every_end_is_called_whatever_one_of_them_does():
    class Failing(Callback):
        def on_end(self, run):
            raise OSError("full")

    recorder = Recorder()
    with pytest.raises(OSError, match="full"):
        call(recorder, Failing())
    assert recorder.calls[-1] == "end"


def test_refusals():
    for wrong, got in ((3, "3"), (Recorder, "the class Recorder"), ("f", "'f'")):
        with pytest.raises(
            ValueError, match=rf"callbacks\[1\]: expected a function of a Run or a Callback, got {got}"
        ):
            call(print, wrong)
    for wrong, got in ((print, "builtin_function_or_method"), ("f", "'f'"), (None, "None")):
        with pytest.raises(ValueError, match=f"callbacks: expected a list, got {got}"):
            fit(regressor(), data(), callbacks=wrong)
