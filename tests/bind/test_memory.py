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
            "classes": lambda: _core.cross_entropy(logits, index, marks.view(bool), 0.0, 1.0, np.empty_like(logits)),
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
    logits = np.linspace(0, 1, 18, dtype=np.float32).reshape(6, 3)
    target = np.zeros(6, np.int64)
    got, want = (_core.cross_entropy(logits, target, m.ravel(), 0.0, 1.0, None) for m in (odd, plain))
    assert got == want


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


def weights(cell="gru", H=4, I=3, L=1, D=1, dtype=np.float32):  # noqa: E741
    rows = len(_core.cells()[cell]["gates"]) * H
    widths = [I, *[D * H] * (L - 1)]
    return [
        [[zeros(rows, width, dtype=dtype), zeros(rows, H, dtype=dtype), None, None] for _ in range(D)]
        for width in widths
    ]


def pack(cell="gru", **sizes):
    return _core.pack(cell, weights(cell, **sizes))


def full_plan(T=2, B=2, reverse=False):
    return _core.Plan(T, B, False, reverse, None, None, None)


def uneven_plan(*lengths):
    return _core.Plan(2, 2, False, False, np.array(lengths), None, None)


def tape(cell="gru", H=4, L=1, plans=None, dtype=np.float32, memory=None, factors=None):
    return _core.Tape(cell, H, L, plans or [full_plan()], dtype, memory, factors)


def run(packed=None, plans=None, y="new", initial=(None,), final=(None,), dropout=(), tape=None):
    plans = [full_plan()] if plans is None else plans
    y = zeros(2, 2, 4) if isinstance(y, str) else y
    _core.forward(GRU if packed is None else packed, plans, zeros(2, 2, 3), y, initial, final, dropout, tape)


def back(grads=None, dinitial=True, of=None, packed="new"):
    own = weights()
    packed = _core.pack_back("gru", own) if packed == "new" else packed
    grads = [[[np.zeros_like(w) for w in own[0][0][:2]] + [None, None]]] if grads is None else grads
    given = [zeros(1, 2, 4) if dinitial else None]
    of = tape() if of is None else of
    _core.backward(packed, [full_plan()], of, grads, zeros(2, 2, 3), None, None, [None], [None], given, [])


def unaligned():
    return np.empty(25, np.uint8)[1:].view(np.float32).reshape(2, 3)


def stepper(packed, batch_size=2):
    return _core.stepper(packed, batch_size)


GRU = pack()
SIZE = tape().memory.size
REFUSALS = {
    "packed: expected none to be None": lambda: stepper(None),
    "packed: expected a stack of one direction, got one of 2": lambda: stepper(pack(D=2)),
    "batch_size: expected 0 to 2147483647, got 2147483648": lambda: stepper(GRU, batch_size=2**31),
    "batch_size: expected 0 to 2147483647, got -1": lambda: stepper(GRU, batch_size=-1),
    "k: expected 0 to 0, got 1": lambda: stepper(GRU).get_state(1),
    "k: expected 0 to 0, got -1": lambda: stepper(GRU).set_state(-1, zeros(1, 2, 4)),
    "state: expected a C-contiguous float32 array of 8 elements, got NoneType": lambda: stepper(GRU).set_state(0, None),
    "rows: expected 0 to 1, got 2": lambda: stepper(GRU).reset_rows([2]),
    r"x: expected \[2, 3\] float32, got float32 \[2, 3\], not aligned": lambda: stepper(GRU).step(unaligned()),
    "packed: expected none to be None ": lambda: _core.forward(
        None, [full_plan()], zeros(2, 2, 3), zeros(2, 2, 4), [None], [None], [], None
    ),
    "plans: expected one for each direction, 1, got 0": lambda: run(plans=[]),
    "plans: expected one for each direction, 1, got 2": lambda: run(plans=[full_plan()] * 2),
    "plans: expected none to be None": lambda: run(plans=[None]),
    "plans: expected all to be of one number of rows and of sequences": lambda: run(
        pack(D=2), [full_plan(2, 3), full_plan(3, 2)]
    ),
    "y: expected a writeable C-contiguous float32 array of 16 elements, got NoneType": lambda: run(y=None),
    "y: expected a writeable C-contiguous float32 array of 16 elements, got float32 .3": lambda: run(
        y=zeros(3, 5), tape=tape()
    ),
    "initial: expected an array or None for each state, 1, got 2": lambda: run(initial=[None] * 2),
    "initial: expected a C-contiguous float32 array of 8 elements, got float32 \\[7\\]": lambda: run(
        initial=[zeros(7)]
    ),
    "final: expected a writeable C-contiguous float32": lambda: run(
        final=[np.broadcast_to(np.float32(0), (1, 2, 4))]
    ),
    "dropout: expected one for each layer but the last, 0, or none, got 1": lambda: run(
        dropout=[zeros(2, 2, 4)]
    ),
    "dropout: expected a C-contiguous float32 array of 16 elements, got float32": lambda: run(
        pack(L=2), dropout=[zeros(2, 2, 5)]
    ),
    "tape: expected one of this stack and these plans": lambda: run(tape=tape(H=5)),
    "tape: expected one of this stack and these plans ": lambda: run(tape=tape(L=2)),
    "tape: expected one of this stack and these plans  ": lambda: run(tape=tape("rnn_tanh")),
    "tape: expected one of this stack and these plans   ": lambda: run(tape=tape(dtype=np.float64)),
    "tape: expected one of this stack and these plans    ": lambda: run(tape=tape(plans=[full_plan(4, 1)])),
    "tape: expected one of this stack and these plans     ": lambda: run(tape=tape(plans=[full_plan()] * 2)),
    "tape: expected one of this stack and these plans      ": lambda: run(
        plans=[uneven_plan(2, 1)], tape=tape(plans=[uneven_plan(1, 2)])
    ),
    "tape: expected one of this stack and these plans       ": lambda: run(
        tape=tape(plans=[full_plan(reverse=True)])
    ),
    "tape: expected none to be None": lambda: _core.backward(
        _core.pack_back("gru", weights()), [full_plan()], None, [], zeros(2, 2, 3), None, None, [], [], [], []
    ),
    f"memory: expected a writeable C-contiguous float32 array of at least {SIZE} elements, got float32": (
        lambda: tape(memory=zeros(SIZE - 1))
    ),
    "memory: expected a writeable C-contiguous float32 array of at least": lambda: tape(
        memory=zeros(SIZE, dtype=np.float64)
    ),
    "memory: expected a writeable C-contiguous float32 array of at least ": lambda: tape(
        memory=np.broadcast_to(np.float32(0), (SIZE,))
    ),
    "factors: expected a C-contiguous float32 array of 8 elements, got float32 \\[7\\]": lambda: tape(
        factors=zeros(7)
    ),
    "dtype: expected float32 or float64, got float16": lambda: tape(dtype=np.float16),
    "dtype: expected float32 or float64, got >f4": lambda: tape(dtype=np.dtype(">f4")),
    "H: expected sizes from 1 to 268435456, got 0": lambda: tape(H=0),
    "L: expected sizes from 1 to 268435456, got 0": lambda: tape(L=0),
    "D: expected sizes from 1 to 268435456, got 0": lambda: _core.tape_room("gru", 1, 0, False),
    "plans: expected one for each direction": lambda: _core.Tape("gru", 4, 1, [], np.float32),
    "cell: no cell is named 'no'": lambda: tape("no"),
    "packed: expected none to be None  ": lambda: back(packed=None),
    "grads: expected a writeable C-contiguous float32 array of 36 elements, got NoneType": lambda: back(
        [[[None] * 4]]
    ),
    "grads: expected for each layer and direction weight_ih, weight_hh, bias_ih, bias_hh": lambda: back([]),
    "dinitial: expected a writeable C-contiguous float32 array of 8": lambda: back(dinitial=False),
    "weights: expected for each layer and direction weight_ih, weight_hh, bias_ih, bias_hh": lambda: _core.pack(
        "gru", []
    ),
    "weights: expected for each layer and direction weight_ih": lambda: _core.pack("gru", [[[zeros(12, 3)]]]),
    "weights: expected for each layer and direction weight_ih ": lambda: _core.pack(
        "gru", [*weights(), *weights(I=8, D=2)]
    ),
    "weights: expected all of one hidden size": lambda: _core.pack("gru", [*weights(), *weights(I=5)]),
    "weights: expected all of one hidden size ": lambda: _core.pack("gru", [*weights(), *weights(I=4, H=5)]),
    "weight_ih: expected an array, got NoneType": lambda: _core.pack("gru", [[[None] * 4]]),
    "weight_hh: expected a C-contiguous float32 array of 48 elements, got float64": lambda: _core.pack(
        "gru", [[[zeros(12, 3), zeros(12, 4, dtype=np.float64), None, None]]]
    ),
    "weight_hh: expected sizes from 1 to 268435456, got 0": lambda: _core.pack_back(
        "gru", [[[zeros(0, 3), zeros(0, 0), None, None]]]
    ),
    "weight_ih: expected sizes from 0 to 268435456, got 1099511627776": lambda: _core.pack(
        "gru", [[[zeros(0, 1 << 40), zeros(12, 4), None, None]]]
    ),
    "weight: expected sizes from 1 to 268435456, got 0": lambda: _core.pack_linear(zeros(4, 0), None),
    "weight: expected sizes from 1 to 268435456, got 0 ": lambda: _core.pack_linear(zeros(0, 4), None),
    r"x: expected \[\.\.\., 3\], got float32 \[2, 4\]": lambda: _core.linear(
        _core.pack_linear(zeros(4, 3), None), zeros(2, 4), zeros(2, 4)
    ),
    "memory: expected sizes from 1 to 268435456, got 0": lambda: _core.pack_memory(zeros(2, 3, 0), None, 1.0),
    "memory: too large, got float32": lambda: _core.pack_memory(zeros(1 << 31, 0, 3), None, 1.0),
    "index: expected 0 to 2, got 3": lambda: _core.add_rows(zeros(3, 2), np.array([3]), zeros(1, 2)),
    "target: expected 0 to 2, got -1": lambda: _core.cross_entropy(zeros(1, 3), np.array([-1]), None, 0, 1, None),
    "shape: expected no negative sizes, got -3": lambda: _core.empty((-3,), np.dtype(np.float32)),
    "shape: expected no negative sizes, got -4": lambda: _core.empty_dlpack((-4,), 4),
    "shape: expected fewer elements": lambda: _core.empty((1 << 40, 1 << 40), np.dtype(np.float32)),
    "shape: expected fewer elements ": lambda: _core.empty_dlpack((1 << 61, 4), 8),
    "dtype: expected one of floating-point numbers": lambda: _core.empty((3,), np.dtype(object)),
    "directions: expected sizes from 1": lambda: _core.schedule(0, 1, 1, 1, 1, 1, 1),
    "threads: expected 1 to 4096, got 0": lambda: _core.set_num_threads(0),
    "threads: expected 1 to 4096, got -2": lambda: _core.measure_bandwidth(-2, 4096),
    "threads: expected 1 to 4096, got 5000": lambda: _core.measure_peak(5000, "float32"),
    "bytes: expected at least 0, got -1": lambda: _core.measure_bandwidth(1, -1),
    "dtype: expected 'float32' or 'float64', got 'int8'": lambda: _core.measure_peak(1, "int8"),
    "batch_sizes: expected sizes above 0": lambda: _core.Plan.packed(np.array([2, 3]), False),
    "lengths: expected 0 to 3, got 4": lambda: _core.Plan(3, 1, False, False, np.array([4]), None, None),
    "T, B: expected sizes whose product is at most 2147483647, got 2147483648 and 0": lambda: _core.Plan(
        1 << 31, 0, False, False, None, None, None
    ),
    "T, B: expected sizes whose product is at most 2147483647, got 0 and 2147483648": lambda: _core.Plan(
        0, 1 << 31, False, False, None, None, None
    ),
    r"x: expected fewer than 2\^31 rows, got \[2147483648, 0, 3\] float32": lambda: elman.LSTM(3, 4)(
        zeros(1 << 31, 0, 3)
    ),
    r"x: expected fewer than 2\^31 rows, got \[0, 2147483648, 3\] float32": lambda: elman.GRU(3, 4).forward(
        zeros(0, 1 << 31, 3)
    ),
    "batch_size: expected 0 to 2147483647, got 4294967296": lambda: elman.RNN(3, 4).stepper(1 << 32),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    with pytest.raises(ValueError, match="^" + message.rstrip()):
        REFUSALS[message]()


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
    with pytest.raises(ValueError, match="^tape: expected one of this stack and these plans$"):
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
        lambda: _core.empty_dlpack((1 << 60, 1), 4),
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
    assert _core.cross_entropy(x, zeros(3, dtype=np.int64), zeros(3, dtype=bool), 0.0, 1.0, x) == 0


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
