"""Passes that keep few states: gradients have the bits of those that keep all, in less memory."""

import copy

import numpy as np
import pytest
import torch

import elman
from tests.support.cases import DIRECTIONS, ONE_STAGE, SEQUENCES, make_case, make_layer

CELLS = [
    "lstm",
    "gru",
    "rnn_tanh",
    "peephole_lstm",
    "sru",
    "min_gru",
    "slstm",
    "layer_norm_lstm",
    "gru_before",
    "cfc",
]
# More than the backward pass takes at once: 1,000 rows or 4 MB of the tape.
T, B, H = 400, 8, 150


def everything(case, every):
    case.layer.checkpoint_every = every
    y, state, dx, dstate, grads = case.run()
    return [y, *state, dx, *dstate, *(grad.copy() for grad in grads.values())]


def assert_same(got, want):
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("sequences", SEQUENCES)
@pytest.mark.parametrize("cell", CELLS)
def test_the_bits_are_those_of_a_whole_tape(cell, sequences):
    for direction in DIRECTIONS.values():
        layer = make_layer(cell, 3, H, num_layers=1 + (sequences == "all"), **direction)
        case = make_case(layer, T, B, **SEQUENCES[sequences])
        want = everything(case, None)
        for every in (1, 250, 10**12):
            assert_same(everything(case, every), want)


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell in ONE_STAGE])
def test_recurrent_dropout(cell):
    layer = make_layer(cell, 3, H, num_layers=2, bidirectional=True)
    case = make_case(layer, T, B, factors=True, lengths=True)
    want = everything(case, None)
    assert_same(everything(case, 1), want)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads(threads, monkeypatch):
    for cell in ("lstm", "layer_norm_lstm", "sru"):
        layer = make_layer(cell, 3, H)
        case = make_case(layer, T, B, factors=cell == "lstm")
        elman.set_num_threads(1)
        want = everything(case, None)
        elman.set_num_threads(threads)
        for schedule in ("rows", "units", "both"):
            monkeypatch.setenv("ELMAN_SCHEDULE", schedule)
            assert_same(everything(case, 1), want)


def test_dropout_and_random_numbers():
    for cell in (elman.cells.zoneout_lstm(0.2, 0.1), "lstm"):
        layers = [
            elman.Recurrent(cell, 3, H, 2, dropout=0.3, seed=1, checkpoint_every=every) for every in (None, 1)
        ]
        x = np.random.default_rng(0).standard_normal((T, B, 3), np.float32)
        for layer in layers:
            y, _, backward = layer.forward(x)
            layer.dx, _ = backward(np.ones_like(y))
            layer.y = y
        np.testing.assert_array_equal(layers[0].y, layers[1].y)
        np.testing.assert_array_equal(layers[0].dx, layers[1].dx)
        for name, grad in layers[0].grads.items():
            np.testing.assert_array_equal(grad, layers[1].grads[name])


def test_the_cases_have_several_stretches():
    """Or the tests here would hold nothing."""
    for cell in CELLS:
        layer = make_layer(cell, 3, H, checkpoint_every=1)
        *_, backward = layer.forward(np.zeros((T, B, 3), np.float32))
        states = backward._tape.take().memory.size / (B * H) - T
        count = len(layer._spec.facts.states) - 1
        assert states > count * 0.9 if count else not round(states), cell


def test_what_is_kept():
    """The results and some states: less than a third of a whole tape, however long the sequence is."""
    layer = elman.LSTM(4, 8)
    x = np.zeros((50_000, 1, 4), np.float32)
    sizes = []
    for every in (None, 1000):
        layer.checkpoint_every = every
        *_, backward = layer.forward(x)
        sizes.append(backward._tape.take().memory.size)
    assert sizes[0] == pytest.approx(6 * 8 * 50_000, rel=0.01)  # four slots, c and h
    assert sizes[1] == pytest.approx(8 * 50_050, rel=0.01)  # h, and c at 50 steps


def test_lengths_and_no_steps_at_all():
    layer = elman.GRU(2, 3, checkpoint_every=5)
    y, _, backward = layer.forward(np.ones((0, 2, 2), np.float32))
    dx, dstate = backward(y)
    assert dx.shape == (0, 2, 2) and not dstate.any()
    y, _, backward = layer.forward(np.ones((4, 2, 2), np.float32), lengths=[0, 0])
    backward(np.ones_like(y))
    assert not y.any() and not any(grad.any() for grad in layer.grads.values())


def test_the_layer_keeps_its_argument():
    layer = elman.LSTM(2, 3, checkpoint_every=100)
    assert "checkpoint_every=100" in repr(layer) and copy.deepcopy(layer).checkpoint_every == 100
    tagger = elman.models.SequenceTagger(3, input_size=2, hidden_size=4, checkpoint_every=50)
    assert tagger.network.recurrent.checkpoint_every == 50


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "all"])
def test_refused(wrong):
    with pytest.raises(ValueError, match="checkpoint_every: expected a whole number of at least 1"):
        elman.LSTM(2, 3, checkpoint_every=wrong)


def test_parameters_that_have_changed():
    layer = elman.LSTM(2, 3, checkpoint_every=1)
    y, _, backward = layer.forward(np.ones((3000, 1, 2), np.float32))
    layer.parameters["weight_hh_l0"] = 0 * layer.parameters["weight_hh_l0"]
    with pytest.raises(RuntimeError):
        backward(y)


@pytest.mark.parametrize("value", [0, -5, "a", 1.5, True])
def test_what_is_set_later_is_looked_at(value):
    module, layer = elman.torch.LSTM(2, 3), elman.LSTM(2, 3)
    module.checkpoint_every = layer.checkpoint_every = value
    with pytest.raises(ValueError, match="checkpoint_every: expected a whole number of at least 1, got"):
        module(torch.zeros(4, 1, 2))
    with pytest.raises(ValueError, match="checkpoint_every: expected a whole number of at least 1, got"):
        layer.forward(np.zeros((4, 1, 2), np.float32))
