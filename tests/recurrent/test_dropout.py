"""Recurrent dropout: against the oracle with the same factors, its bits, and what is drawn when."""

import copy

import numpy as np
import pytest

import elman
from elman.layers.dropout import factors_within
from tests.support.cases import (
    DIRECTIONS,
    ONE_STAGE,
    SEQUENCES,
    TOLERANCE,
    assert_agrees,
    make_case,
    make_layer,
)
from tests.support.covering import DTYPES, ISAS, KERNELS, over


def bits(case):
    """Everything that a training step gives."""
    y, state, dx, dstate, grads = case.run()
    return [y, *state, dx, *dstate, *(grad.copy() for grad in grads.values())]


def assert_same(got, want):
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


@over({"cell": ONE_STAGE, "sequences": SEQUENCES, "direction": DIRECTIONS, "isa, dtype": KERNELS})
def test_sequences(isa, dtype, cell, sequences, direction):
    layer = make_layer(cell, 5, 9, dtype=dtype, num_layers=2, **DIRECTIONS[direction])
    assert_agrees(make_case(layer, T=7, B=5, factors=True, **SEQUENCES[sequences]), *TOLERANCE[dtype])


@over({"cell": ONE_STAGE, "H": [1, 3, 7, 18, 33], "B": [1, 3, 8], "dtype": DTYPES, "isa": ISAS})
def test_sizes(isa, dtype, cell, H, B):
    case = make_case(make_layer(cell, 4, H, dtype=dtype), T=3, B=B, lengths=True, factors=True)
    assert_agrees(case, *TOLERANCE[dtype])


@pytest.mark.slow
@over({"cell": ONE_STAGE, "B, H": [(1, 200), (2, 64), (7, 33), (64, 48)], "isa": ISAS})
def test_neither_threads_nor_schedules_matter(isa, cell, B, H, monkeypatch):
    layer = make_layer(cell, 24, H, bidirectional=B == 7)
    case = make_case(layer, T=10, B=B, lengths=B > 1, reset=B == 7, factors=True)
    elman.set_num_threads(1)
    want = bits(case)
    for threads, schedule in [(2, ""), (5, ""), (3, "rows"), (3, "units"), (4, "both")]:
        elman.set_num_threads(threads)
        monkeypatch.setenv("ELMAN_SCHEDULE", schedule)
        assert_same(bits(case), want)
    assert_agrees(case, 2e-6, 1e-5)


@over({"cell": ONE_STAGE, "threads": [1, 2], "dtype": DTYPES, "isa": ISAS})
def test_factors_of_one_are_no_dropout(isa, dtype, cell, threads):
    """The rows that the products read in the place of h change no bit, nor does the way back by them."""
    elman.set_num_threads(threads)
    layer = make_layer(cell, 7, 130, dtype=dtype, num_layers=2, bidirectional=True)
    case = make_case(layer, T=6, B=5, lengths=True, mask=True, reset=True)
    want = bits(case)
    case.factors = np.ones((4, 5, 130), dtype)
    assert_same(bits(case), want)


@over({"cell": ONE_STAGE, "dtype": DTYPES, "isa": ISAS})
def test_factors_of_zero_take_the_recurrent_weights_out(isa, dtype, cell):
    """And them alone: z * h of a GRU, c of an LSTM and the biases are as ever."""
    layer = make_layer(cell, 3, 18, dtype=dtype)
    case = make_case(layer, T=6, B=5)
    case.factors = np.zeros((1, 5, 18), dtype)
    got = bits(case)
    assert not layer.grads["weight_hh_l0"].any()
    case.factors = None
    layer.parameters["weight_hh_l0"] = np.zeros_like(layer.parameters["weight_hh_l0"])
    want = bits(case)
    assert layer.grads["weight_hh_l0"].any()
    which = list(layer.grads).index("weight_hh_l0") - len(layer.grads)
    del got[which], want[which]
    assert_same(got, want)


@over({"cell": ONE_STAGE, "sizes": [(3, 5), (20, 33), (7, 130)], "dtype": DTYPES, "isa": ISAS})
def test_a_sequence_alone_equals_itself_in_a_batch(isa, dtype, cell, sizes):
    layer = make_layer(cell, *sizes, dtype=dtype, bidirectional=True)
    case = make_case(layer, T=6, B=11, lengths=True, reset=True, factors=True)
    y, state, dx, dstate, _ = case.run()
    for b in range(11):
        n, alone = case.options["lengths"][b], copy.copy(case)
        one = lambda parts, b=b: [part[:, b : b + 1].copy() for part in parts]  # noqa: E731
        alone.state, alone.dstate, (alone.factors,) = one(case.state), one(case.dstate), one([case.factors])
        alone.x, alone.dy, reset = one([case.x[:n], case.dy[:n], case.options["reset"][:n]])
        alone.options = {"reset": reset}
        y_b, state_b, dx_b, dstate_b, _ = alone.run()
        assert_same([y_b, dx_b, *state_b, *dstate_b], [*one([y[:n], dx[:n]]), *one(state), *one(dstate)])


@pytest.mark.parametrize("cell", ONE_STAGE)
def test_a_forward_draws_one_mask_for_each_sequence_layer_and_direction(cell):
    """The layer's seed decides it; the oracle with that mask agrees."""
    options = {"num_layers": 2, "bidirectional": True, "recurrent_dropout": 0.25, "dtype": np.float64}
    layer, twin = (make_layer(cell, 3, 9, seed=5, **options) for _ in range(2))
    case = make_case(layer, T=7, B=5, lengths=True, reset=True)
    drawn = [factors_within(twin._spec, 0.25, 5, twin._rng) for _ in range(2)]
    assert not np.array_equal(*drawn)  # each call has its own
    assert set(np.unique(drawn)) == {0, 1 / 0.75}
    for case.factors in drawn:
        y, state, backward = layer.forward(
            case.x, case.packed_state(case.state), **case.options, **case.named_scalars
        )
        dx, _ = backward(case.dy, case.packed_state(case.dstate))
        want_y, want_state, want_dx, _, _ = case.expected()
        np.testing.assert_allclose(y, want_y, atol=1e-14)
        np.testing.assert_allclose(dx, want_dx, atol=1e-13)
        for got, want in zip(state if isinstance(state, tuple) else [state], want_state, strict=True):
            np.testing.assert_allclose(got, want, atol=1e-14)


def test_it_keeps_the_share_it_says():
    layer = make_layer("gru", 4, 64, recurrent_dropout=0.25, seed=1)
    factors = factors_within(layer._spec, 0.25, 500, layer._rng)
    assert factors.dtype == np.float32
    assert abs((factors == 0).mean() - 0.25) < 0.01


@pytest.mark.parametrize("cell", ONE_STAGE)
def test_it_is_at_work_in_forward_only(cell):
    plain, dropping = (make_layer(cell, 3, 9, seed=2, recurrent_dropout=p) for p in (0.0, 0.5))
    case = make_case(plain, T=5, B=4)
    want, want_state = case.infer()
    y, _, _ = dropping.forward(case.x, case.packed_state(case.state))
    assert not np.array_equal(y, want)
    case.layer = dropping
    y, state = case.infer()
    assert_same([y, *state], [want, *want_state])
    stepper = dropping.stepper(4)
    stepper.state = case.packed_state(case.state)
    assert_same([stepper(x) for x in case.x], want)


def test_without_it_nothing_is_drawn():
    """The stream of the seed is as it was before there was any; with it, dropout's own masks stay."""
    x = np.ones((6, 4, 3), np.float32)
    layers = [
        make_layer("gru", 3, 9, num_layers=2, seed=4, **options)
        for options in ({}, {"dropout": 0.5}, {"dropout": 0.5, "recurrent_dropout": 0.5})
    ]
    before = layers[0]._rng.bit_generator.state
    layers[0].forward(x)
    assert layers[0]._rng.bit_generator.state == before
    masks = [layer.forward(x)[2]._run._dropout[0] for layer in layers[1:]]
    np.testing.assert_array_equal(*masks)


def test_batch_first_and_single_sequences_are_the_same_numbers():
    """Masks belong to sequences: no layout of x turns them round."""
    case = make_case(make_layer("gru", 3, 5), 6, 4, lengths=True, reset=True, factors=True)
    y, state, dx, dstate, _ = case.run()
    other = make_layer("gru", 3, 5, batch_first=True)
    turned = copy.copy(case)
    turned.layer = other
    turned.x, turned.dy = (np.ascontiguousarray(part.swapaxes(0, 1)) for part in (case.x, case.dy))
    turned.options = case.options | {"reset": np.ascontiguousarray(case.options["reset"].T)}
    y_bf, state_bf, dx_bf, dstate_bf, _ = turned.run()
    assert_same([y_bf.swapaxes(0, 1), dx_bf.swapaxes(0, 1), *state_bf, *dstate_bf], [y, dx, *state, *dstate])
    for b, n in enumerate(case.options["lengths"]):
        alone = copy.copy(case)
        alone.x, alone.dy = case.x[:n, b].copy(), case.dy[:n, b].copy()
        alone.options = {"reset": case.options["reset"][:n, b].copy()}
        alone.state, alone.dstate = ([part[:, b].copy() for part in s] for s in (case.state, case.dstate))
        alone.factors = case.factors[:, b : b + 1].copy()
        y_b, _, dx_b, _, _ = alone.run()
        assert_same([y_b, dx_b], [y[:n, b], dx[:n, b]])
