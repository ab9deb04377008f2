"""Bits that may not change: whatever the batch, the neighbours, the padding or the number of threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import elman
from tests.support.cases import CELLS, make_case, make_layer
from tests.support.covering import DTYPES, ISAS, over

SIZES = [(3, 5), (20, 33), (16, 64), (7, 130)]


@over({"cell": CELLS, "sizes": SIZES, "dtype": DTYPES, "isa": ISAS})
def test_a_sequence_alone_equals_itself_in_a_batch(isa, dtype, cell, sizes):
    layer = make_layer(cell, *sizes, dtype=dtype, bidirectional=True)
    case = make_case(layer, T=6, B=11, lengths=True, reset=True)
    y, state = case.infer()
    for b in range(11):
        length = case.options["lengths"][b]
        alone = case.x[:length, b : b + 1].copy()
        start = case.packed_state([s[:, b : b + 1].copy() for s in case.state])
        y_b, state_b = layer(alone, start, reset=case.options["reset"][:length, b : b + 1].copy())
        np.testing.assert_array_equal(y_b[:, 0], y[:length, b])
        for got, want in zip(state_b if isinstance(state_b, tuple) else [state_b], state, strict=True):
            np.testing.assert_array_equal(got[:, 0], want[:, b])


def everything(case):
    """All that a training step gives."""
    y, state, dx, dstate, grads = case.run()
    return [y, *state, dx, *dstate, *(grad.copy() for grad in grads.values())]


@pytest.mark.slow
@over({"cell": CELLS, "B, H": [(1, 200), (2, 64), (7, 33), (64, 48)], "isa": ISAS})
def test_neither_threads_nor_schedules_matter(isa, cell, B, H, monkeypatch):
    """To outputs or gradients."""
    layer = make_layer(cell, 24, H, bidirectional=B == 7, num_layers=2)
    case = make_case(layer, T=10, B=B, lengths=B > 1)
    elman.set_num_threads(1)
    want = everything(case)
    for threads, schedule in [(2, ""), (5, ""), (3, "rows"), (3, "units"), (4, "both"), (5, "both")]:
        elman.set_num_threads(threads)
        monkeypatch.setenv("ELMAN_SCHEDULE", schedule)
        for got, one in zip(everything(case), want, strict=True):
            np.testing.assert_array_equal(got, one)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_padding_does_not_matter(data):
    """What lies beyond the lengths, NaN included, reaches neither outputs nor gradients."""
    cell = data.draw(st.sampled_from(CELLS))
    T, B = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    lengths = np.array(data.draw(st.lists(st.integers(0, T), min_size=B, max_size=B)))
    layer = make_layer(cell, 3, data.draw(st.integers(1, 20)), bidirectional=data.draw(st.booleans()))
    case = make_case(layer, T, B)
    case.options["lengths"] = lengths
    want = case.run()
    want_grads = {name: grad.copy() for name, grad in want[-1].items()}
    beyond = np.arange(T)[:, None] >= lengths
    case.x[beyond] = np.nan
    case.dy[beyond] = np.nan
    got = case.run()
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_array_equal(got[2], want[2])
    assert not got[0][beyond].any() and not got[2][beyond].any()
    for name, grad in got[-1].items():
        np.testing.assert_array_equal(grad, want_grads[name])


def test_runs_repeat_bit_for_bit(isa):
    layer = make_layer("lstm", 30, 70)
    case = make_case(layer, T=40, B=20, lengths=True)
    first = case.run()
    grads = {name: grad.copy() for name, grad in first[-1].items()}
    for _ in range(5):
        again = case.run()
        np.testing.assert_array_equal(again[0], first[0])
        for name, grad in again[-1].items():
            np.testing.assert_array_equal(grad, grads[name])


@pytest.mark.skipif(len(elman.isas()) < 3, reason="this processor has only one vector instruction set")
@pytest.mark.parametrize("cell", CELLS)
def test_vector_instruction_sets_agree(dtype, cell):
    """AVX2 and AVX-512 fuse the same operations in the same order."""
    case = make_case(make_layer(cell, 20, 33, dtype=dtype), T=6, B=11, lengths=True)
    results = []
    for name in elman.isas()[:-1]:
        elman.use_isa(name)
        results.append(case.infer()[0])
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])
