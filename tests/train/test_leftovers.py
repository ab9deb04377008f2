"""An exception of a signal handler, wherever it comes, leaves no file, lock, descriptor or thread behind."""

import gc
import os
import signal
import sys
import threading

import numpy as np
import pytest

from elman import data as data_room
from elman import files, layers, models, train
from elman.data.ahead import prefetch
from elman.layers import GRU, Linear, Pooling, Sequential
from elman.models import Graph, Input, Output
from elman.train.checkpoint import Checkpoint
from elman.train.resume import Saver
from tests.support.interrupted import interrupted
from tests.support.runs import regressor, run

# A file that is dropped before its block begins is closed, and Python says so.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
posix = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="descriptors are counted in /proc")


@pytest.fixture(autouse=True)
def only_what_the_test_makes_is_garbage():
    """And it is collected before the next test: the exceptions that were kept, and what they hold."""
    gc.freeze()
    yield
    gc.unfreeze()
    gc.collect()


fit_module = sys.modules["elman.train.fit"]  # the room has a function of this name


def at(room, *names):
    return {os.path.join(os.path.dirname(room.__file__), name) for name in names}


def everywhere(call, where):
    """Calls `call(number)` with an interruption at each place; gives how many there were."""
    number = 0
    while interrupted(lambda number=number: call(number), number, where):
        yield number
        number += 1
    assert number > 5


@posix
def test_a_file_is_written_whole_or_not_and_nothing_stays_open(tmp_path):
    where = {files.__file__}
    files.write(tmp_path / "file", {"layer": "old"}, {"a": np.ones(3)}, "a test")
    before = len(os.listdir("/proc/self/fd"))

    def write(number):
        files.write(tmp_path / "file", {"layer": number}, {"a": np.ones(3)}, "a test")

    for number in everywhere(write, where):
        gc.collect()
        content, _ = files.read(tmp_path / "file", "a test")
        assert content["layer"] in ("old", *range(number + 1))
        assert len(os.listdir("/proc/self/fd")) == before, number
        for left in tmp_path.iterdir():
            # The exception of a second handler, as it is here within `except`, may leave an unfinished one.
            assert left.name == "file", (number, left)


def test_a_directory_stays_free(tmp_path):
    """Also while somebody keeps the exception, as an interactive Python does, and with it the frames."""
    kept, made = [], []

    def hold(_):
        try:
            made.append(Checkpoint(tmp_path))
        except BaseException as error:
            kept.append(error)
            raise

    for _ in everywhere(hold, at(train, "lock.py", "checkpoint.py")):
        for one in made:
            one.close()
        Checkpoint(tmp_path).close()
    assert kept


def test_a_directory_stays_free_where_it_cannot_be_read(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "_numbered", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError) as kept:
            Checkpoint(tmp_path)
    Checkpoint(tmp_path).close()
    assert kept.traceback


@pytest.mark.kills
def test_a_run_lets_its_directory_go(tmp_path, monkeypatch):
    """Ctrl-C comes when the directory has been locked, and before `fit` knows by whom."""

    class Slow(Saver):
        def __init__(self, *args):
            super().__init__(*args)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(fit_module, "Saver", Slow)
    with pytest.raises(KeyboardInterrupt) as kept:
        run(regressor(), tmp_path)
    Checkpoint(tmp_path).close()
    assert kept.value.history.epochs == 0


def test_no_thread_goes_on_reading():
    where = at(data_room, "ahead.py")
    before, kept = threading.active_count(), []

    def first(_):
        kept.append(prefetch(iter(range(100)), 2))
        next(kept[-1])

    for number in everywhere(first, where):
        kept.pop().close()
        for thread in threading.enumerate():
            if thread.name == "elman-prefetch":
                thread.join(20)
        assert threading.active_count() == before, number


def stack():
    made = Sequential(GRU(2, 3, seed=0), Linear(3, 1, seed=0)).stepper(1)
    return made, np.zeros((1, 2), np.float32)


def graph():
    steps = Input("x").through(GRU(2, 3, seed=0), Pooling("last"), Linear(3, 1, seed=0))
    made = Graph({"y": Output(steps)}).stepper(1)
    return made, {"x": np.zeros((1, 2), np.float32)}


@pytest.mark.parametrize("make", [stack, graph])
def test_a_stepper_can_take_the_next_step(make):
    where = at(layers, "steppers.py") | at(models, "graph_stepper.py")
    stepper, x = make()
    stepper(x)
    for _ in everywhere(lambda _: stepper(x), where):
        stepper(x)
        with stepper._idle:
            pass


def test_the_drop_in_steps_on_in_one_call():
    torch = pytest.importorskip("torch")
    import elman.torch
    from elman.torch import cache, call

    module = elman.torch.GRU(2, 3)
    x = torch.zeros(1, 1, 2)
    with torch.no_grad():
        want = module(x)[0]

        def step(_):
            with torch.no_grad():
                module(x)

        for _ in everywhere(step, {cache.__file__, call.__file__}):
            torch.testing.assert_close(module(x)[0], want)
