"""The random numbers of cells that draw (zoneout): the same on every set, type and number of threads."""

import numpy as np
import pytest

import elman
from elman import Recurrent
from elman.cells import zoneout_gru, zoneout_lstm
from tests.support.cases import DRAWING
from tests.support.drawing import KEEPING, by_hand, drawn

LSTM = zoneout_lstm(0.3, 0.5)


def test_they_follow_from_seed_part_row_and_unit(isa, dtype):
    got = drawn(123456789, T=3, B=2, H=33, both=True, dtype=dtype)
    want = [
        [[by_hand(123456789, d, t * 2 + b, u) < 0.3 for d in (0, 1) for u in range(33)] for b in range(2)]
        for t in range(3)
    ]
    np.testing.assert_array_equal(got, want)


def test_as_many_as_the_chance_says():
    y = drawn(1, T=50, B=40, H=100)
    assert set(np.unique(y)) == {0, 1}
    for axes in [(0, 1, 2), (0, 1), (1, 2), (0, 2)]:
        means = y.mean(axes)
        count = y.size / means.size
        assert np.abs(means - 0.3).max() < 5 * np.sqrt(0.21 / count)


def test_they_are_unlike_those_of_neighbours():
    y = drawn(2, T=50, B=40, H=100).astype(np.float64) - 0.3
    for axis in range(3):
        for apart in (1, 2, 7):
            one, other = (np.take(y, range(a, y.shape[axis] - apart + a), axis) for a in (0, apart))
            assert abs((one * other).mean() / 0.21) < 5 / np.sqrt(one.size)
    other = drawn(3, T=50, B=40, H=100) - 0.3
    assert abs((y * other).mean() / 0.21) < 5 / np.sqrt(y.size)
    both = drawn(2, T=50, B=40, H=100, both=True)
    assert abs(((both[..., :100] - 0.3) * (both[..., 100:] - 0.3)).mean() / 0.21) < 5 / np.sqrt(y.size)


@pytest.mark.parametrize("schedule", ["rows", "units", "both"])
def test_threads_change_no_bit(monkeypatch, schedule):
    def run():
        layer = Recurrent(LSTM, 5, 70, num_layers=2, bidirectional=True, seed=4)
        x = np.random.default_rng(0).standard_normal((6, 9, 5)).astype(np.float32)
        y, (h, c), backward = layer.forward(x, lengths=np.array([6, 0, 3, 6, 1, 2, 6, 5, 4]))
        dx, dstate = backward(np.ones_like(y))
        return [y, h, c, dx, *dstate, *layer.grads.values()]

    elman.set_num_threads(1)
    want = run()
    elman.set_num_threads(3)
    monkeypatch.setenv("ELMAN_SCHEDULE", schedule)
    for got, one in zip(run(), want, strict=True):
        np.testing.assert_array_equal(got, one)


def test_a_call_takes_the_mean():
    layer = Recurrent(KEEPING, 2, 6, dtype=np.float64)
    y, _ = layer(np.zeros((3, 2, 2)))
    np.testing.assert_allclose(y, 0.3)


def test_each_forward_draws_anew_and_a_seed_repeats_it():
    layer, twin = (Recurrent(LSTM, 3, 20, seed=7) for _ in range(2))
    x = np.ones((4, 5, 3), np.float32)
    first, second = layer.forward(x)[0], layer.forward(x)[0]
    assert (first != second).any()
    np.testing.assert_array_equal(twin.forward(x)[0], first)
    state = layer.random_state()
    third = layer.forward(x)[0]
    layer.set_random_state(state)
    np.testing.assert_array_equal(layer.forward(x)[0], third)


@pytest.mark.parametrize("cell", DRAWING)
def test_gradients_are_those_of_the_same_numbers(cell):
    assert elman.check_cell(DRAWING[cell]) < 1e-8


@pytest.mark.parametrize("cell", DRAWING)
def test_every_set_draws_the_same(cell, dtype):
    def run():
        layer = Recurrent(DRAWING[cell], 5, 33, num_layers=2, bidirectional=True, seed=4, dtype=dtype)
        x = np.random.default_rng(0).standard_normal((6, 9, 5)).astype(dtype)
        y, _, backward = layer.forward(x, lengths=np.array([6, 0, 3, 6, 1, 2, 6, 5, 4]))
        return [y, backward(np.ones_like(y))[0], *layer.grads.values()]

    sets = []
    for isa in elman.isas():
        elman.use_isa(isa)
        sets.append(run())
    for one in sets[1:]:
        for got, want in zip(one, sets[0], strict=True):
            np.testing.assert_allclose(got, want, atol=2e-5 if dtype == np.float32 else 1e-12)


def logistic(x):
    return 1 / (1 + np.exp(-x))


def test_the_mean_of_an_lstm_and_of_a_gru():
    """A call, beside the equations."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 4, 3))
    lstm, gru = (
        Recurrent(cell, 3, 6, dtype=np.float64, seed=1) for cell in (zoneout_lstm(0.2, 0.6), zoneout_gru(0.3))
    )
    p, h, c = lstm.parameters, np.zeros((4, 6)), np.zeros((4, 6))
    q, k = gru.parameters, np.zeros((4, 6))
    for t in range(5):
        a = x[t] @ p["weight_ih_l0"].T + p["bias_ih_l0"] + h @ p["weight_hh_l0"].T + p["bias_hh_l0"]
        i, f, g, o = np.split(a, 4, axis=1)
        c1 = logistic(f) * c + logistic(i) * np.tanh(g)
        h, c = 0.2 * h + 0.8 * logistic(o) * np.tanh(c1), 0.6 * c + 0.4 * c1
        np.testing.assert_allclose(lstm(x)[0][t], h, atol=1e-14)
        a, b = x[t] @ q["weight_ih_l0"].T + q["bias_ih_l0"], k @ q["weight_hh_l0"].T + q["bias_hh_l0"]
        (r, z, n), (r_h, z_h, n_h) = np.split(a, 3, axis=1), np.split(b, 3, axis=1)
        r, z = logistic(r + r_h), logistic(z + z_h)
        k = 0.3 * k + 0.7 * ((1 - z) * np.tanh(n + r * n_h) + z * k)
        np.testing.assert_allclose(gru(x)[0][t], k, atol=1e-14)


@pytest.mark.parametrize("value", [-0.1, 1.5, True, "x", None])
def test_a_chance_lies_between_0_and_1(value):
    with pytest.raises(ValueError, match="c_chance: expected a number from 0 to 1, got "):
        zoneout_lstm(0.1, value)
    with pytest.raises(ValueError, match=r"^chance: expected a number from 0 to 1, got "):
        zoneout_gru(value)


def test_a_step_of_a_sequence_keeps_the_state_it_had(isa):
    layer = Recurrent(LSTM, 3, 300, seed=1)
    x = np.random.default_rng(0).standard_normal((6, 20, 3)).astype(np.float32)
    y, _, _ = layer.forward(x)
    kept = (y[1:] == y[:-1]).mean()
    assert abs(kept - 0.3) < 0.01
