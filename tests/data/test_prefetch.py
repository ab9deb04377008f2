"""The thread that makes batches ahead: same items, exceptions arrive, nothing hangs."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import traceback

import numpy as np
import pytest

from elman.data import Samples, prefetch
from tests.support.runs import data, regressor, run


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "elman-prefetch"]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    gc.collect()
    for thread in threads():
        thread.join(60)
    assert not threads()


@pytest.mark.parametrize("depth", [0, 1, 2, 7])
def test_the_same_items_in_order(depth):
    assert list(prefetch(iter(range(100)), depth)) == list(range(100))
    assert list(prefetch(iter(()), depth)) == []


def test_no_more_than_the_depth_is_made_ahead():
    made = []

    def items():
        for i in range(50):
            made.append(i)
            yield i

    ahead = prefetch(items(), 3)
    assert not made  # nothing before it is asked for
    for i in ahead:
        time.sleep(0.001)
        assert len(made) <= i + 1 + 3 + 1
    assert made == list(range(50))


@pytest.mark.parametrize("depth", [0, 2])
def test_an_exception_arrives_after_all_items_before_it(depth):
    def broken():
        yield from range(5)
        raise OSError("the disk is gone")

    got = []
    with pytest.raises(OSError, match="the disk is gone") as caught:
        for item in prefetch(broken(), depth):
            got.append(item)
    assert got == list(range(5))
    assert "broken" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]


def test_an_exception_of_a_source_comes_out_of_fit():
    x, y = data()

    def broken():
        yield from zip(x, y, strict=True)
        raise LookupError("row 24 cannot be read")

    with pytest.raises(LookupError, match="row 24") as caught:
        run(regressor(), None, Samples(broken, window=8))
    assert "broken" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]


def test_an_early_end_ends_the_thread_and_closes_the_source():
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield np.zeros(1)
        finally:
            closed.set()

    ahead = prefetch(endless())
    next(ahead)
    assert threads()
    ahead.close()
    assert not threads() and closed.is_set()


def test_an_exception_in_the_loop_ends_the_thread():
    """Though the traceback still holds the frames that read from it."""
    x, y = data()

    def stop(run):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        run(regressor(), None, Samples(lambda: zip(x, y, strict=True), window=8), callbacks=[stop])
    assert not threads() and caught


def test_it_reads_while_the_loop_works():
    """At each item the loop waits until the next one is being made: without a thread it would wait in vain."""
    begun = [threading.Event() for _ in range(5)]

    def source():
        for i in range(5):
            begun[i].set()
            yield i

    for i in prefetch(source()):
        assert i == 4 or begun[i + 1].wait(60)


def test_the_settings_of_the_caller_hold_in_the_thread():
    def divide():
        yield np.array(1.0) / np.array([0.0])

    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        next(prefetch(divide()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # since Python 3.12, where there are threads
def test_a_forked_child_is_told():
    ahead = prefetch(iter(range(9)))
    next(ahead)
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()

    def child():
        try:
            next(ahead)
        except RuntimeError as error:
            queue.put((str(error), list(prefetch(iter(range(3))))))

    process = context.Process(target=child)
    process.start()
    process.join(60)
    assert process.exitcode == 0
    text, own = queue.get()
    assert "call batches() again in the child" in text and own == [0, 1, 2]
    assert list(ahead) == list(range(1, 9))


ENDS = {
    "main ends": "next(ahead)",
    "exit": "next(ahead); sys.exit(0)",
    "exception": "next(ahead); 1 / 0",
    "blocked": "next(ahead); blocked.set(); time.sleep(0.2)",
}


@pytest.mark.kills
@pytest.mark.parametrize("end", ENDS)
def test_the_program_ends_whatever_the_thread_does(end):
    code = f"""
import sys, time, threading, elman.data.ahead
elman.data.ahead.PATIENCE = 0.2
from elman.data import prefetch
blocked = threading.Event()
def endless():
    while True:
        if blocked.is_set():
            time.sleep(3600)
        yield 1
ahead = prefetch(endless())
{ENDS[end]}
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=60, capture_output=True, text=True)
    assert done.returncode == (1 if end == "exception" else 0), done.stderr
    assert ("ZeroDivisionError" in done.stderr) == (end == "exception") == bool(done.stderr)


@pytest.mark.kills
def test_ctrl_c_while_waiting_for_a_source():
    code = """
import time
from elman.data import prefetch
def stuck():
    yield 1
    time.sleep(3600)
try:
    for one in prefetch(stuck()):
        print("ready", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert out == "interrupted\n" and process.returncode == 0
