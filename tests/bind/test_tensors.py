"""A whole call from tensors to tensors, with NumPy's arrays in the place of a library's, read by DLPack capsules."""

import numpy as np
import pytest

import elman
from elman import _core
from tests.support.tensors import TENSORS, Refuser, tensors

f32 = np.float32
LAYERS = {"LSTM": elman.LSTM, "GRU": elman.GRU, "RNN_TANH": elman.RNN}


def cell_of(layer):
    return {elman.LSTM: "lstm", elman.GRU: "gru", elman.RNN: "rnn_tanh"}[type(layer)]


def module(layer, one_step=False):
    cell = cell_of(layer)
    sides = layer.bidirectional
    return _core.Module(cell, layer.input_size, layer.hidden_size, sides, True, layer.batch_first, one_step)


def given(layer):
    """Its weights in order, and what is kept of them."""
    weights = [np.array(value) for value in layer.parameters.values()]
    n, D = 4, 1 + layer.bidirectional
    parts = [weights[i : i + n] for i in range(0, len(weights), n)]
    nest = [parts[i : i + D] for i in range(0, len(parts), D)]
    return weights, _core.keep(_core.pack(cell_of(layer), nest), TENSORS.fingerprint(weights))


def normal(*shape):
    return np.random.default_rng(7).standard_normal(shape).astype(f32)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("T, B", [(1, 1), (1, 40), (5, 3)])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_bits_are_the_layer_s(name, T, B, batch_first, bidirectional):
    layer = LAYERS[name](3, 20, num_layers=2, bidirectional=bidirectional, batch_first=batch_first, seed=1)
    weights, kept = given(layer)
    x = normal(B, T, 3) if batch_first else normal(T, B, 3)
    h = normal(4 if bidirectional else 2, B, 20)
    hx = (h, -h) if name == "LSTM" else h
    for start in (None, hx):
        y, state = TENSORS.run(module(layer), kept, False, weights, x, start, pytest.fail)
        want_y, want_state = layer(x, start)
        np.testing.assert_array_equal(y, want_y)
        np.testing.assert_array_equal(np.stack(state), np.stack(want_state))
        steps_outermost = y.transpose(1, 0, 2) if batch_first else y
        assert steps_outermost.flags.c_contiguous


@pytest.mark.parametrize("batched", [False, True])
def test_a_cell_gives_its_state(batched):
    layer = elman.GRU(3, 20, seed=1)
    x, h = normal(1, 2, 3), normal(1, 2, 20)
    want = layer(x, h)[1][0]
    weights, kept = given(layer)
    one = () if batched else (0,)
    found = TENSORS.run(module(layer, True), kept, False, weights, x[(0, *one)], h[(0, *one)], None)
    np.testing.assert_array_equal(found, want[one])


class Subclass(np.ndarray):
    pass


@pytest.mark.parametrize(
    "change",
    [
        lambda a: {"x": a["x"].astype(float)},
        lambda a: {"x": normal(4, 2, 4)},
        lambda a: {"x": normal(4, 2, 3, 1)},
        lambda a: {"x": normal(0, 2, 3)},
        lambda a: {"x": a["x"].transpose(1, 0, 2)},
        lambda a: {"x": a["x"].view(Subclass)},
        lambda a: {"x": [1.0]},
        lambda a: {"hx": normal(1, 1, 20)},
        lambda a: {"hx": [normal(1, 2, 20)]},
        lambda a: {"hx": (normal(1, 2, 20),) * 2},
        lambda a: {"hx": normal(1, 2, 20).astype(float)},
        lambda a: {"weights": a["weights"][:3]},
        lambda a: {"weights": [*a["weights"][:3], None]},
        lambda a: {"weights": [a["weights"][0].astype(float), *a["weights"][1:]]},
        lambda a: {"weights": [a["weights"][0] + 1, *a["weights"][1:]]},
        lambda a: {"weights": [a["weights"][0].T, *a["weights"][1:]]},
        lambda a: {"kept": None},
        lambda a: {"kept": given(elman.GRU(3, 21))[1]},
        lambda a: {"kept": given(elman.GRU(3, 20, dtype=np.float64))[1]},
        lambda a: {"module": _core.Module("lstm", 3, 20, False, True, False, False)},
        lambda a: {"module": _core.Module("gru", 3, 20, True, True, False, False)},
        lambda a: {"module": _core.Module("gru", 3, 20, False, False, False, False)},
    ],
)
def test_none_where_the_long_way_is_due(change):
    layer = elman.GRU(3, 20, seed=1)
    weights, kept = given(layer)
    arguments = dict(
        module=module(layer), kept=kept, trusted=False, weights=weights, x=normal(4, 2, 3), hx=None, node=None
    )
    assert TENSORS.run(**arguments) is not None
    assert TENSORS.run(**(arguments | change(arguments))) is None


@pytest.mark.parametrize("asked", ["negated", "wants_gradient"])
@pytest.mark.parametrize("which", ["weight", "x", "hx"])
def test_none_where_the_library_says_so(asked, which):
    layer = elman.GRU(3, 20, seed=1)
    weights, kept = given(layer)
    x, h = normal(4, 2, 3), normal(1, 2, 20)
    odd = {"weight": weights[3], "x": x, "hx": h}[which]
    careful = tensors(**{asked: lambda array: array is odd})
    assert careful.run(module(layer), kept, False, weights, x, h, pytest.fail) is None
    done = careful.run(module(layer), kept, False, weights, x, h, None)
    assert (done is None) == (asked == "negated")


def test_trusted_weights_are_not_read():
    layer = elman.GRU(3, 20, seed=1)
    weights, kept = given(layer)
    x = normal(4, 2, 3)
    others = [weight + 1 for weight in weights]
    assert TENSORS.run(module(layer), kept, False, others, x, None, None) is None
    y, _ = TENSORS.run(module(layer), kept, True, others, x, None, None)
    np.testing.assert_array_equal(y, layer(x)[0])
    for T in (1, 4):  # a single step does not read them either
        assert TENSORS.run(module(layer), None, True, weights, x[:T], None, None) is None


@pytest.mark.parametrize("B", [2, 40])
@pytest.mark.parametrize("cell", [False, True])
def test_a_step_that_gradients_are_wanted_of_goes_through_its_node(B, cell):
    layer = elman.LSTM(3, 20, seed=1)
    weights, kept = given(layer)
    x, h = normal(1, B, 3), normal(1, B, 20)
    if cell:
        x, h = x[0], h[0]
    one = tensors(wants_gradient=lambda array: array is weights[2])
    seen = []

    def node(made, states, plain):
        seen.append((len(made), [state is h for state in states], plain))
        return [array + 1 for array in made[1:]]

    found = one.run(module(layer, cell), kept, False, weights, x, (h, h), node)
    want = TENSORS.run(module(layer, cell), kept, False, weights, x, (h, h), None)
    assert seen == [(3 if cell else 4, [True, True], B == 2)]
    for got, plain in zip(found, want, strict=True):
        np.testing.assert_array_equal(got, np.add(plain, f32(1)))
    with pytest.raises(ValueError, match=f"node: expected {2 if cell else 3} results, got 1"):
        one.run(module(layer, cell), kept, False, weights, x, (h, h), lambda *_: [x])


def test_an_interrupt_is_not_swallowed():
    with pytest.raises(KeyboardInterrupt):
        tensors(negated=Refuser()).fingerprint([normal(2)])
