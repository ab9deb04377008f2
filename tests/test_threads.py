"""Threads: several at once, forked children, a busy machine."""

import multiprocessing
import os
import threading
import time

import numpy as np
import pytest
from tests.helpers import make_case, make_layer

import elman


def test_calls_from_many_threads_at_once(isa):
    elman.set_num_threads(2)
    layer = make_layer("lstm", 16, 40, bidirectional=True)
    cases = [make_case(layer, 20, 9, seed=seed, lengths=True) for seed in range(6)]
    wanted = [case.infer()[0] for case in cases]
    wrong = []

    def work(case, want):
        for _ in range(30):
            y, _ = case.infer()
            if not np.array_equal(y, want):
                wrong.append(case)

    threads = [threading.Thread(target=work, args=pair) for pair in zip(cases, wanted, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def in_child(connection, case):
    elman.set_num_threads(3)
    connection.send(case.infer()[0])


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # that it has threads is the point
def test_a_child_process_computes_after_its_parent_did(method):
    elman.set_num_threads(2)
    case = make_case(make_layer("gru", 32, 200), 10, 8)
    want, _ = case.infer()
    context = multiprocessing.get_context(method)
    for _ in range(3):
        here, there = context.Pipe()
        child = context.Process(target=in_child, args=(there, case))
        child.start()
        assert here.poll(60), "the child hangs"
        np.testing.assert_array_equal(here.recv(), want)
        child.join(10)
        assert child.exitcode == 0
        np.testing.assert_array_equal(case.infer()[0], want)


def burn(stop):
    while not stop.is_set():
        sum(range(10_000))


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor: every process is in the way")
def test_a_busy_core_does_not_stop_it():
    """With another process on one core, a layer whose threads meet at every step keeps a fair share of its speed."""
    elman.set_num_threads(os.cpu_count())
    layer = make_layer("lstm", 256, 512)
    x = np.zeros((60, 1, 256), np.float32)

    def seconds():
        begin = time.perf_counter()
        for _ in range(15):
            layer(x)
        return time.perf_counter() - begin

    layer.freeze()
    seconds()
    idle = min(seconds() for _ in range(3))
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    other = context.Process(target=burn, args=(stop,))
    other.start()
    time.sleep(0.5)
    busy = sorted(seconds() for _ in range(3))[1]
    stop.set()
    other.join()
    assert busy < 6 * idle, f"{busy / idle:.1f} times slower"  # a pure spin barrier: 10 and more


def test_denormals_cost_nothing_and_the_mode_comes_back():
    """Inputs, states and weights far below the normal range: about the same time, and the caller's
    arithmetic still has its denormals."""
    elman.set_num_threads(1)
    layer = make_layer("lstm", 64, 64)
    x = np.ones((50, 8, 64), np.float32)

    def seconds(scale):
        for name, value in layer.parameters.items():
            value[:] = 1e-3 if name.startswith("weight") else 0
        tiny = x * np.float32(scale)
        state = (np.full((1, 8, 64), scale, np.float32), np.full((1, 8, 64), scale, np.float32))
        times = []
        for _ in range(15):
            begin = time.perf_counter()
            layer(tiny, state)
            times.append(time.perf_counter() - begin)
        return np.median(times)

    normal, denormal = seconds(1), seconds(1e-40)
    assert denormal < 1.5 * normal
    assert np.float32(1e-38) * np.float32(0.1) != 0


def test_thread_count_can_change_between_calls():
    case = make_case(make_layer("gru", 16, 48), 12, 16)
    want, _ = case.infer()
    for n in (1, 4, 2, 7, 1, 3):
        elman.set_num_threads(n)
        assert elman.num_threads() == n
        np.testing.assert_array_equal(case.infer()[0], want)
