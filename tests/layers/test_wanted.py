"""Gradients that nobody wants are left out; the others keep their bits."""

import threading

import numpy as np
import pytest

from elman import _core
from elman.layers import GRU, LSTM, RNN, Dropout, Embedding, Linear, Parameters, Sequential
from elman.optim import Adam
from elman.stack import processor

RNG = np.random.default_rng(0)
X = RNG.standard_normal((5, 3, 4)).astype(np.float32)
DY = RNG.standard_normal((5, 3, 12)).astype(np.float32)


def stack():
    return LSTM(4, 6, num_layers=3, bidirectional=True, dropout=0.3, recurrent_dropout=0.2, seed=0)


def gradients(layer, only=None, **needs):
    """All gradients, and what backward gives, of one pass; with `only` in its block."""
    layer.zero_grad()
    x = RNG.integers(0, 9, (5, 3)) if isinstance(layer, Embedding) else X

    def go():
        y, *_, backward = layer.forward(x)
        return backward(DY[..., : y.shape[-1]], **needs)

    if only is None:
        result = go()
    else:
        with only.only():
            result = go()
    return {name: grad.copy() for name, grad in layer.grads.items()}, result


@pytest.mark.parametrize(
    "frozen", ["*_l0", "*_l1*", "*_l2*", "*_reverse", "weight*", "*hh*", ["*_l0*", "*_l2*"]]
)
@pytest.mark.parametrize("needs", [{}, {"need_dx": False}, {"need_dx": False, "need_dstate": False}])
def test_a_stack(frozen, needs):
    want, (dx, dstate) = gradients(stack())
    layer = stack()
    optimizer = Adam(layer, frozen=frozen)
    got, (dx_only, dstate_only) = gradients(layer, optimizer, **needs)
    out = optimizer.frozen_of(layer)
    assert out
    for name in want:
        np.testing.assert_array_equal(got[name], 0 * want[name] if name in out else want[name])
    if needs.get("need_dx", True):
        np.testing.assert_array_equal(dx_only, dx)
    else:
        assert dx_only is None
    if needs.get("need_dstate", True):
        np.testing.assert_array_equal(dstate_only, dstate)
    else:
        assert dstate_only is None


@pytest.fixture
def layers_run(monkeypatch):
    """For each call of the engine's backward pass: its first layer, and whether each part's gradients are wanted."""
    calls, backward = [], _core.backward

    def counted(*args):
        calls.append((args[11], [[bool(part) for part in layer] for layer in args[3]]))
        backward(*args)

    monkeypatch.setattr(processor._core, "backward", counted)
    return calls


def test_what_the_engine_leaves_out(layers_run):
    layer = stack()
    optimizer = Adam(layer, frozen=["*_l0*", "*l1_reverse"])
    with optimizer.only():
        _, _, backward = layer.forward(X)
    backward(DY, need_dx=False, need_dstate=False)
    with optimizer.only():
        _, _, backward = layer.forward(X)
    backward(DY, need_dx=False)
    parts = [[False, False], [True, False], [True, True]]
    assert layers_run == [(1, parts), (0, parts)]


def test_nothing_runs_where_nothing_is_wanted(layers_run):
    layer, head = stack(), Linear(12, 1)
    with Adam(head).only():
        _, _, backward = layer.forward(X)
    assert backward(DY, need_dx=False, need_dstate=False) == (None, None)
    assert layers_run == []
    with pytest.raises(RuntimeError, match="expected one call after each forward, got a second one"):
        backward(DY)


def test_linear():
    layer = Linear(4, 2, seed=0)
    want, dx = gradients(layer)
    none, nothing = gradients(layer, Adam(Linear(4, 2)), need_dx=False)
    assert nothing is None and not any(grad.any() for grad in none.values())
    for frozen in ("weight", "bias"):
        got, dx_only = gradients(layer, Adam(layer, frozen=frozen))
        np.testing.assert_array_equal(dx_only, dx)
        for name in want:
            np.testing.assert_array_equal(got[name], 0 * want[name] if name == frozen else want[name])
    got, nothing = gradients(layer, need_dx=False)
    assert nothing is None
    np.testing.assert_array_equal(got["weight"], want["weight"])


def test_an_embedding():
    layer = Embedding(9, 2, seed=0)
    assert gradients(layer)[0]["weight"].any()
    assert not gradients(layer, Adam(Linear(1, 1)))[0]["weight"].any()


def test_a_sequential_goes_back_to_the_first_that_is_trained(layers_run):
    def layers():
        return Sequential(GRU(4, 6, seed=0), Dropout(0.5, seed=1), RNN(6, 5, seed=2), Linear(5, 2, seed=3))

    want, _ = gradients(layers())
    for trained, count in ((["3"], 0), (["2"], 1), (["2", "3"], 1), (["0"], 2)):
        layer = layers()
        layers_run.clear()
        needs = {"need_dx": False, "need_dstate": False}
        got, nothing = gradients(layer, Adam([layer[name] for name in trained]), **needs)
        assert nothing == (None, None) and len(layers_run) == count
        for name in want:
            np.testing.assert_array_equal(got[name], want[name] * (name[0] in trained))


def test_states_are_reached_where_they_are_needed(layers_run):
    layer = Sequential(GRU(4, 6, seed=0), Linear(6, 2, seed=3))
    _, (_, dstate) = gradients(layer)
    _, (nothing, again) = gradients(layer, Adam(layer["1"]), need_dx=False)
    assert nothing is None and len(layers_run) == 2
    np.testing.assert_array_equal(again[0], dstate[0])


def test_a_layer_of_ones_own_is_asked_as_before():
    """Its backward pass takes no need_dx=, and the layer may hold parameters in a way of its own."""

    class Doubled(Linear):
        def forward(self, x):
            y, back = super().forward(x)
            return y, lambda dy: back(dy) * 1

    class Own(Parameters):
        @property
        def parameters(self):
            return {"a": np.ones(1, np.float32)}

        grads = parameters

        def __init__(self):
            self.gone_back = 0

        def forward(self, x):
            def back(dy):
                self.gone_back += 1
                return dy

            return x, back

    own = Own()
    layer = Sequential(own, Doubled(4, 4, seed=0), Linear(4, 2, seed=1))
    with Adam(layer["2"]).only():
        *_, back = layer.forward(X)
    back(DY[..., :2], need_dx=False, need_dstate=False)
    assert own.gone_back == 1 and not layer["1"].grads["weight"].any() and layer["2"].grads["weight"].any()


def test_it_holds_for_the_thread_and_ends_with_the_block():
    layer, other = Linear(4, 2, seed=0), Linear(4, 2)
    found = []
    with pytest.raises(KeyError), Adam(other).only():
        thread = threading.Thread(target=lambda: found.append(gradients(layer)[0]["weight"].any()))
        thread.start()
        thread.join()
        raise KeyError
    assert found == [True] and gradients(layer)[0]["weight"].any()
