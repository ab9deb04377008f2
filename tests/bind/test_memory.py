"""No call of the engine's module, however made, touches memory outside an array."""

import os
import pathlib
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import elman
from elman import _core
from tests.support.engine_calls import GRU, back, full_plan, run, stepper, tape, zeros
from tests.support.tensors import TENSORS

ROOT = pathlib.Path(__file__).parents[2]


def python(*arguments, **options):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    run = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        cwd=ROOT,
        **options,
    )
    assert run.returncode == 0, run.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="guards arrays with mprotect")
@pytest.mark.parametrize("seed", [1, 2])
def test_odd_arguments(seed):
    """Each is refused, or gives what an independent computation gives (tests/fuzz)."""
    python("-m", "tests.fuzz", str(seed), "2000")


@pytest.mark.slow
@pytest.mark.parametrize("what", ["lengths", "mask", "tokens", "classes", "labels", "keys"])
def test_indices_that_change_meanwhile(what):
    """Another thread writes to an index array all the time: a call is refused, or works with what it checked."""
    python(
        "-c",
        textwrap.dedent("""
        import sys, threading, time
        import numpy as np
        from elman import _core

        what, n = sys.argv[1], 20000
        index = np.zeros(n, np.int64)
        marks = np.zeros(n, np.uint8)
        logits = np.zeros((n, 64), np.float32)
        losses = np.zeros(n)
        memory = np.zeros((2, n, 3), np.float32)
        nothing = np.zeros((n, 0), np.int64)
        calls = {
            "lengths": lambda: _core.Plan(20, n, False, True, index, None, None),
            "mask": lambda: _core.Plan(1, n, False, False, None, marks.view(bool), marks.view(bool)),
            "tokens": lambda: _core.add_rows(np.zeros((3, 64), np.float32), index, logits),
            "classes": lambda: _core.cross_entropy(logits, index, None, None, 0.0, np.empty_like(logits)),
            "labels": lambda: _core.ctc(
                logits.reshape(1, n, 64), index, index[:, None], index, 0, False, losses, None, None
            ),
            "keys": lambda: _core.pack_memory(memory, index, 1.0),
        }
        done = threading.Event()

        def hammer():
            rng = np.random.default_rng(0)
            while not done.is_set():
                index.fill(0), marks.fill(0)
                time.sleep(rng.random() * 0.004)
                index.fill(1 << 30), marks.fill(255)
                time.sleep(0.001)

        thread = threading.Thread(target=hammer)
        thread.start()
        refused = 0
        end = time.monotonic() + 0.7
        while time.monotonic() < end:
            try:
                calls[what]()
            except ValueError:
                refused += 1
        done.set()
        thread.join()
        """),
        what,
    )


def test_flags_are_bytes_that_are_not_zero():
    bytes_ = np.array([[0, 2], [255, 0], [1, 128]], np.uint8)
    odd, plain = bytes_.view(bool), bytes_ != 0
    for name in ("mask", "reset"):
        got, want = (
            _core.Plan(
                3, 2, False, False, None, *((flags, None) if name == "mask" else (None, flags))
            ).arrays()
            for flags in (odd, plain)
        )
        for key in want:
            np.testing.assert_array_equal(got[key], want[key])


SIZE = tape().memory.size


@pytest.mark.parametrize("part", ["lengths", "mask", "reset", "batch_first"])
def test_a_tape_is_of_plans_and_of_those_equal_to_them(part):
    """Equally large is not enough: a tape of other plans would give wrong gradients without a word."""

    def plan(first, second):
        marks = np.array([first, second]).T.copy()
        parts = {
            "lengths": (False, False, marks.sum(0), None, None),
            "mask": (False, False, None, marks > 0, None),
            "reset": (False, False, None, None, marks == 0),
            "batch_first": (bool(first[1]), False, None, None, None),
        }
        return _core.Plan(2, 2, *parts[part])

    kept = tape(plans=[plan((1, 0), (1, 1))])
    run(plans=[plan((1, 0), (1, 1))], y=None, tape=kept)
    other = plan((1, 1), (1, 0))
    assert other.total == plan((1, 0), (1, 1)).total
    with pytest.raises(ValueError, match=r"^tape: expected one of this stack and these plans$"):
        run(plans=[other], y=None, tape=kept)


def test_a_tape_whose_memory_is_taken_away():
    """Whoever holds the array can make it smaller, or read-only, after the tape was made of it."""
    memory = zeros(SIZE)
    kept = tape(memory=memory)
    run(y=None, tape=kept)
    for change in (lambda: memory.setflags(write=False), lambda: memory.resize(3, refcheck=False)):
        change()
        for call in (lambda: run(y=None, tape=kept), lambda: back(of=kept), lambda: kept.y):
            with pytest.raises(ValueError, match=r"^memory: expected a writeable"):
                call()
        memory.setflags(write=True)


def test_an_unknown_schedule(monkeypatch):
    monkeypatch.setenv("ELMAN_SCHEDULE", "columns")
    for call in (run, back, lambda: stepper(GRU), lambda: _core.schedule(1, 1, 1, 1, 1, 1, 1)):
        with pytest.raises(
            ValueError, match=r"^ELMAN_SCHEDULE: expected rows, units or both, got 'columns'$"
        ):
            call()
    monkeypatch.setenv("ELMAN_SCHEDULE", "")
    run()


def test_results_on_a_tape_are_copied_to_y():
    packed, kept = elman.GRU(3, 4, seed=0)._made().value, tape()
    x, y = np.ones((2, 2, 3), np.float32), zeros(2, 2, 4)
    _core.forward(packed, [full_plan()], x, y, [None], [None], [], kept)
    assert y.any()
    np.testing.assert_array_equal(kept.y, y.reshape(4, 4))


@pytest.mark.parametrize(
    "call",
    [
        lambda: _core.empty((1 << 60,), np.dtype(np.float32)),
        lambda: TENSORS.new((1 << 60, 1), 4),
        lambda: _core.measure_bandwidth(1, (1 << 63) - 1),
        lambda: tape(H=1 << 28, L=1 << 28),
        lambda: tape(H=1 << 28, L=1 << 20),
    ],
)
def test_more_memory_than_there_is(call):
    with pytest.raises(MemoryError):
        call()


def test_libraries_without_threads_to_lend():
    assert not _core.borrow_threads(b"/no/such/library.so")
    with pytest.raises(TypeError):
        _core.borrow_threads(1, 1, 1)


def test_softmax_of_no_classes():
    x = zeros(3, 0)
    _core.softmax(x, x)
    for target in (zeros(3, dtype=np.int64), zeros(3, 0, dtype=np.float64)):
        with pytest.raises(ValueError, match=r"^logits: expected sizes from 1 to 268435456, got 0$"):
            _core.cross_entropy(x, target, None, None, 0.0, x)


def test_what_was_never_made_is_refused():
    plan = _core.Plan.__new__(_core.Plan)
    for call in (
        plan.arrays,
        lambda: plan.T,
        lambda: run(plans=[plan]),
        lambda: run(type(GRU).__new__(type(GRU))),
        lambda: run(tape=_core.Tape.__new__(_core.Tape)),
    ):
        with pytest.raises(RuntimeError, match="instance"):
            call()
