"""What the engine's module refuses: it names the argument, what was expected and what came."""

import numpy as np
import pytest

import elman
from elman import _core
from tests.support.engine_calls import (
    GRU,
    back,
    full_plan,
    pack,
    pieces,
    run,
    step,
    stepper,
    tape,
    unaligned,
    weights,
    zeros,
)
from tests.support.tensors import TENSORS

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
    "mask: expected a C-contiguous bool array of 2 elements, got": lambda: stepper(GRU).step(
        zeros(2, 3), None, np.ones(3, bool)
    ),
    "cell: no cell is named 'no' ": lambda: step("no", weights()),
    "weights: expected one direction, got 2": lambda: step(of=weights(D=2)),
    "x: expected two axes, got float32 .3.": lambda: step(x=zeros(3)),
    "x: expected a C-contiguous float32 array of 6 elements, got float32 .2, 4.": lambda: step(x=zeros(2, 4)),
    "y: expected a writeable C-contiguous float32 array of 8 elements, got float32 .2, 3.": lambda: step(
        y=zeros(2, 3)
    ),
    "initial: expected an array or None for each state, 1, got 0": lambda: step(initial=[]),
    "final: expected a writeable C-contiguous float32 array of 8 elements, got NoneType": lambda: step(final=[None]),
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
        tape=tape(plans=[full_plan(reverse=True)])
    ),
    "tape: expected none to be None": lambda: _core.backward(
        _core.pack_back("gru", weights()), [full_plan()], None, [], zeros(2, 2, 3), None, None, [], [], [], [], 0
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
    "checkpoint_every: expected 0 or more, got -1": lambda: tape(checkpoint_every=-1),
    "tape: expected one that a forward pass of this stack has filled": lambda: back(of=tape(checkpoint_every=1)),
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
    "weight_ih: expected sizes from 1 to 268435456, got 0": lambda: _core.pack_back(
        "gru", [[[zeros(0, 3), zeros(0, 0), None, None]]]
    ),
    "weight_hh: expected sizes from 1 to 268435456, got 0": lambda: _core.pack_back(
        "gru", [[[zeros(12, 3), zeros(12, 0), None, None]]]
    ),
    r"weights: expected weight_ih \[gates \* H, I\] and weight_hh \[gates \* H, H\]$": lambda: _core.pack(
        "gru", [[[zeros(12, 3), zeros(12, 2), None, None]]]  # two heads
    ),
    "weight_ih: expected sizes from 0 to 268435456, got 1099511627776": lambda: _core.pack(
        "gru", [[[zeros(0, 1 << 40), zeros(12, 4), None, None]]]
    ),
    "weight: expected sizes from 1 to 268435456, got 0": lambda: _core.pack_linear(zeros(4, 0), None),
    "weight: expected sizes from 1 to 268435456, got 0 ": lambda: _core.pack_linear(zeros(0, 4), None),
    r"x: expected \[\.\.\., 3\], got float32 \[2, 4\]": lambda: _core.linear(
        _core.pack_linear(zeros(4, 3), None), zeros(2, 4), zeros(2, 4)
    ),
    "heads: expected sizes from 1 to 268435456, got 0": lambda: _core.Module("gru", 3, 4, False, True, False, False, 0),
    "memory: expected sizes from 1 to 268435456, got 0": lambda: _core.pack_memory(zeros(2, 3, 0), None, 1.0),
    "memory: too large, got float32": lambda: _core.pack_memory(zeros(1 << 31, 0, 3), None, 1.0),
    "index: expected 0 to 2, got 3": lambda: _core.add_rows(zeros(3, 2), np.array([3]), zeros(1, 2)),
    "target: expected 0 to 2, got -1": lambda: _core.cross_entropy(zeros(1, 3), np.array([-1]), None, None, 0, None),
    "shape: expected no negative sizes, got -3": lambda: _core.empty((-3,), np.dtype(np.float32)),
    "shape: expected no negative sizes, got -4": lambda: TENSORS.new((-4,), 4),
    "shape: expected no negative sizes, got -5": lambda: _core.zeros([[[(3,), (-5,)]]], np.dtype(np.float32)),
    r"shapes: expected lists \[layer\]\[direction\]\[weight\], got tuple": lambda: _core.zeros(
        [[(3,)]], np.dtype(np.float32)
    ),
    "shapes: expected one of whole numbers, got str": lambda: _core.zeros([[["3"]]], np.dtype(np.float32)),
    "shape: expected fewer elements": lambda: _core.empty((1 << 40, 1 << 40), np.dtype(np.float32)),
    "shape: expected fewer elements ": lambda: TENSORS.new((1 << 61, 4), 8),
    "dtype: expected one of floating-point numbers": lambda: _core.empty((3,), np.dtype(object)),
    "directions: expected sizes from 1": lambda: _core.schedule(0, 1, 1, 1, 1, 1, 1),
    "pass: expected forward, backward or step, got 'up'": lambda: pieces(name="up"),
    "layer: expected one of 2, got 2": lambda: pieces(layer=2),
    "layer: expected one of 2, got -1": lambda: pieces(layer=-1),
    "dtype: expected float32 or float64, got 'int8'": lambda: pieces(dtype="int8"),
    "plans: expected sizes from 1 to 268435456, got 0": lambda: pieces(plans=[]),
    "plans: expected none to be None ": lambda: pieces(plans=[None]),
    "lanes: expected sizes from 1 to 268435456, got 0": lambda: _core.product_threads(1.0, 0, 1),
    "groups: expected sizes from 1 to 268435456, got 0": lambda: _core.gradient_parts(1, 1, 0, 1),
    "threads: expected 1 to 4096, got -3": lambda: _core.moving_threads(1.0, -3),
    "threads: expected 1 to 4096, got 4097": lambda: _core.measure_barrier(4097),
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
