"""Streaming: steps equal the whole sequence bit for bit, without allocation and without the GIL."""

import functools
import os
import pathlib
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch

import elman
from elman.layers import Pooling, Sequential
from tests.support.cases import CELLS, make_case, make_layer
from tests.support.covering import DTYPES, ISAS, over


@functools.lru_cache(1)
def deep_case(cell, I, H, B, dtype):  # noqa: E741
    return make_case(make_layer(cell, I, H, dtype=dtype, num_layers=3), 6, B)


@over(
    {
        "cell": CELLS,
        "B, I, H": [(1, 3, 18), (4, 40, 33), (3, 300, 300)],
        "threads, schedule": [(1, ""), (2, ""), (2, "rows"), (2, "units"), (4, "both")],
        "dtype": DTYPES,
        "isa": ISAS,
    }
)
def test_steps_equal_the_sequence(isa, dtype, cell, B, I, H, threads, schedule, monkeypatch):  # noqa: E741
    elman.set_num_threads(threads)
    monkeypatch.setenv("ELMAN_SCHEDULE", schedule)
    case = deep_case(cell, I, H, B, dtype)
    y, state = case.infer()
    step = case.layer.stepper(B)
    step.state = case.packed_state(case.state)
    for t in range(6):
        np.testing.assert_array_equal(step(case.x[t]), y[t])
    got = step.state
    for a, b in zip(got if isinstance(got, tuple) else [got], state, strict=True):
        np.testing.assert_array_equal(a, b)


def test_out_is_used_and_returned():
    step = make_layer("lstm", 3, 5).stepper(2)
    x, out = np.ones((2, 3), np.float32), np.empty((2, 5), np.float32)
    assert step(x, out=out) is out
    step.reset()
    np.testing.assert_array_equal(step(x), out)


def test_reset_zeroes_some_or_all_rows():
    step = make_layer("lstm", 3, 5, num_layers=2).stepper(4)
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    step(x)
    h, c = step.state
    step.reset(rows=[1, 3])
    for now, before in zip(step.state, (h, c), strict=True):
        assert not now[:, [1, 3]].any()
        np.testing.assert_array_equal(now[:, [0, 2]], before[:, [0, 2]])
    step.reset(2)
    assert not step.state[0][:, 2].any() and step.state[0][:, 0].any()
    step.reset()
    assert not any(part.any() for part in step.state)


@pytest.mark.parametrize(
    ("rows", "want"),
    [
        (None, [0, 1, 2, 3]),
        (3, [3]),
        (np.int64(3), [3]),
        ([], []),
        (np.array([2, 0], np.uint8), [0, 2]),
        (np.array([False, True, True, False]), [1, 2]),
        ([False, True, True, False], [1, 2]),
        (torch.tensor([False, True, True, False]), [1, 2]),
        (torch.tensor([2, 0]), [0, 2]),
    ],
)
@pytest.mark.parametrize("make", ["stepper", "pooling", "sequential"])
def test_rows_are_indices_or_flags(make, rows, want):
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    layer = {"stepper": make_layer("gru", 3, 3), "pooling": Pooling("mean")}.get(make)
    layer = layer or Sequential(make_layer("gru", 3, 3), Pooling("max"))
    step, again = layer.stepper(4), layer.stepper(4)
    for _ in range(2):
        step(x)
        again(x)
    step.reset(rows)
    fresh, went_on = layer.stepper(4)(x), again(x)
    wanted = np.isin(np.arange(4), want)[:, None]
    np.testing.assert_array_equal(step(x), np.where(wanted, fresh, went_on))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        # Arrays of flags in whole numbers: indices 0 and 1, over and over.
        (np.array([1, 0, 0, 1]), "rows: expected each index once, got 0 2 times; flags are booleans .4."),
        (
            np.array([1, 0, 0, 1], np.uint8),
            "rows: expected .* flags .4. bool, got .4. uint8; .*astype.bool. makes fl",
        ),
        ([1, 3, 1], "rows: expected each index once, got 1 2 times"),
        ([True, False], "rows: expected .4. bool, got .2. bool"),
        (True, "rows: expected .4. bool, got True"),
        (1.0, "rows: expected indices, whole numbers, or flags .4. bool, got 1.0"),
        (
            np.zeros(4, np.float32),
            "rows: expected indices, whole numbers, or flags .4. bool, got .4. float32",
        ),
        ([[0, 1]], "rows: expected indices, whole numbers, or flags .4. bool, got .1, 2. int64"),
        ([4], "rows: expected 0 to 3, got 4 to 4"),
        ([-1], "rows: expected 0 to 3, got -1 to -1"),
        (["a"], "rows.*: expected an array, got str"),
    ],
)
@pytest.mark.parametrize("layer", [make_layer("lstm", 3, 3), Pooling("mean")], ids=["stepper", "pooling"])
def test_rows_that_are_neither_are_refused(layer, rows, message):
    step, x = layer.stepper(4), np.ones((4, 3), np.float32)
    step(x)
    before = step.state
    with pytest.raises(ValueError, match="^" + message):
        step.reset(rows)
    for now, then in zip(step.state, before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_weights_are_those_of_its_making():
    layer = make_layer("gru", 3, 5)
    step, x = layer.stepper(1), np.ones((1, 3), np.float32)
    want = step(x)
    layer.parameters["weight_ih_l0"] = np.zeros_like(layer.parameters["weight_ih_l0"])
    step.reset()
    np.testing.assert_array_equal(step(x), want)


def test_state_is_a_copy():
    step = make_layer("gru", 3, 5).stepper(1)
    step(np.ones((1, 3), np.float32))
    before = step.state
    before[:] = 7
    assert not (step.state == 7).any()


@pytest.mark.parametrize(
    ("x", "out", "message"),
    [
        (np.zeros((2, 4), np.float32), None, r"x: expected \[2, 3\] float32, got \[2, 4\] float32"),
        (np.zeros((2, 3)), None, r"x: expected \[2, 3\] float32, got \[2, 3\] float64"),
        ([[0, 0, 0]], None, r"x: expected \[2, 3\] float32, got \[1, 3\] float32"),
        ([[0, 0, 0]] * 2, "y", r"out: expected \[2, 5\] float32, got str"),
        (np.zeros((2, 3), np.float32), np.zeros((2, 4), np.float32), r"out: expected \[2, 5\] float32"),
        (np.zeros((2, 3), np.float32), "y", r"out: expected \[2, 5\] float32, got str"),
        (
            np.zeros((2, 3), np.float32),
            np.broadcast_to(np.float32(0), (2, 5)),
            r"out: expected \[2, 5\] float32",
        ),
    ],
)
def test_a_refused_step_changes_nothing(x, out, message):
    step = make_layer("lstm", 3, 5).stepper(2)
    step(np.ones((2, 3), np.float32))
    before = step.state
    with pytest.raises(ValueError, match=message):
        step(x, out)
    for now, then in zip(step.state, before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_read_only_out_is_refused():
    out = np.zeros((2, 5), np.float32)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out: expected a writeable array, got a read-only one"):
        make_layer("gru", 3, 5).stepper(2)(np.zeros((2, 3), np.float32), out)


def test_two_threads_in_one_stepper():
    """Whoever comes second is refused, and the stepper is sound afterwards."""
    step, alone = (elman.LSTM(64, 128, seed=0).stepper(64) for _ in range(2))
    x, state = np.ones((64, 64), np.float32), alone.state
    calls = [lambda: step(x), lambda: step.state, lambda: setattr(step, "state", state), step.reset]
    done, unsound = threading.Event(), []

    def work():
        while not done.is_set():
            try:
                if not (abs(step(x)) <= 1).all():
                    unsound.append("h")
            except RuntimeError:  # the other thread came first
                pass

    worker = threading.Thread(target=work)
    worker.start()
    try:
        end = time.monotonic() + 60
        for call in calls:
            with pytest.raises(
                RuntimeError, match="stepper: expected one call at a time, got a second one from"
            ):
                while time.monotonic() < end:
                    call()
                    time.sleep(0.001)  # who is inside stays inside: let the other one in
    finally:
        done.set()
        worker.join()
    assert not unsound
    step.reset()
    np.testing.assert_array_equal(step(x), alone(x))


LEAK_CHECK = """
import elman, numpy as np
step = elman.LSTM(8, 32, num_layers=2).stepper(4)
x, out = np.ones((4, 8), np.float32), np.empty((4, 32), np.float32)
pages = lambda: int(open("/proc/self/statm").read().split()[1])
for _ in range(20_000):
    step(x, out)
before = pages()
for _ in range(200_000):
    step(x, out)
print(pages() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not pathlib.Path("/proc/self/statm").exists(), reason="no /proc on this system")
def test_memory_does_not_grow():
    """Not by two bytes a step: 200,000 steps leave the process as large as it was. (That a step makes no
    allocation at all is counted in tests/cpp/stepper.cpp.)"""
    out = subprocess.run(
        [sys.executable, "-c", LEAK_CHECK], check=True, capture_output=True, text=True
    ).stdout
    assert int(out) < 100  # pages of 4 KB


def test_the_gil_is_free_while_it_computes():
    """A Python thread counts on while another is inside a long step."""
    elman.set_num_threads(1)
    step = make_layer("lstm", 512, 512).stepper(256)
    x, out = np.ones((256, 512), np.float32), np.empty((256, 512), np.float32)
    stop, counted = threading.Event(), [0]

    def count():
        while not stop.is_set():
            counted[0] += 1
            time.sleep(0)

    counter = threading.Thread(target=count)
    counter.start()
    end, inside = time.monotonic() + 60, 0
    while (
        inside < 20 and time.monotonic() < end
    ):  # on a busy machine it may not get its turn in the first ones
        before = counted[0]
        step(x, out)
        inside = counted[0] - before
    stop.set()
    counter.join()
    assert inside >= 20


FOLLOWS = """
import os, numpy as np, elman
elman.set_num_threads(1)
step = elman.LSTM(600, 600, seed=0).stepper(2)
x = np.ones((2, 600), np.float32)
one = step(x), len(os.listdir("/proc/self/task"))
elman.set_num_threads(2)
step.reset()
two = [step(x)], len(os.listdir("/proc/self/task"))
assert two[1] == one[1] + 1, (one[1], two[1])
assert np.array_equal(one[0], two[0][0])
"""


@pytest.mark.skipif(
    not pathlib.Path("/proc/self/task").exists(), reason="counts its threads as Linux tells them"
)
def test_it_follows_the_number_of_threads():
    """A worker starts when a step is the first to use two threads."""
    environment = os.environ | {"ELMAN_OVERSUBSCRIBE": "1", "ELMAN_SCHEDULE": "rows"}
    ran = subprocess.run([sys.executable, "-c", FOLLOWS], env=environment, capture_output=True, text=True)
    assert not ran.returncode, ran.stderr
