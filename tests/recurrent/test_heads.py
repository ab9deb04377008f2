"""Layers of several heads: block-diagonal recurrent weights."""

import copy
import pickle

import numpy as np
import pytest
import torch

import elman
from elman import cells, models
from tests.support.oracle import from_heads, of_heads

SIZES = [(2, 1), (4, 2), (6, 3), (9, 3), (18, 2), (33, 3), (33, 11), (48, 3), (64, 4), (320, 2)]
CELLS = {
    "slstm": cells.slstm(),
    "gru_before": cells.gru(reset_after=False),  # whose matrix has heads, too
    "dreamer_gru": cells.dreamer_gru(),  # whose norms are of all units
}


def pair(cell, H, heads, dtype=np.float64, **options):
    """A layer, and one of a single head with the same numbers and zeros."""
    layer = elman.Recurrent(cell, 3, H, heads=heads, dtype=dtype, seed=1, init="uniform", **options)
    whole = elman.Recurrent(cell, 3, H, dtype=dtype, seed=2, **options)
    state = layer.state_dict()
    for name, value in state.items():
        if name.startswith("weight_hh"):
            state[name] = from_heads(value, H).astype(dtype)
    whole.load_state_dict(state)
    return layer, whole


@pytest.mark.parametrize("H, heads", SIZES)
@pytest.mark.parametrize("cell", CELLS)
def test_equals_one_head_with_zeros(cell, H, heads):
    layer, whole = pair(CELLS[cell], H, heads)
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((7, 5, 3)), rng.standard_normal((7, 5, H))
    lengths = [7, 0, 3, 7, 1]
    results = []
    for one in (layer, whole):
        y, _, backward = one.forward(x, lengths=lengths)
        dx, _ = backward(dy)
        results.append((y, dx, dict(one.grads)))
    (y, dx, grads), (want_y, want_dx, want_grads) = results
    np.testing.assert_allclose(y, want_y, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(dx, want_dx, rtol=1e-11, atol=1e-11)
    for name, want in want_grads.items():
        want = of_heads(want, H // heads) if name.startswith("weight_hh") else want
        np.testing.assert_allclose(grads[name], want, rtol=1e-10, atol=1e-11, err_msg=name)


def test_recurrent_dropout_and_two_layers_both_ways():
    options = dict(num_layers=2, bidirectional=True, recurrent_dropout=0.5)
    layer, whole = pair(cells.slstm(), 12, 4, **options)
    layer._rng, whole._rng = np.random.default_rng(3), np.random.default_rng(3)
    x = np.random.default_rng(1).standard_normal((6, 2, 3))
    y, _, backward = layer.forward(x)
    want, _, want_backward = whole.forward(x)
    np.testing.assert_allclose(y, want, rtol=1e-12)
    dx, want_dx = backward(np.ones_like(y))[0], want_backward(np.ones_like(y))[0]
    np.testing.assert_allclose(dx, want_dx, rtol=1e-10, atol=1e-12)


def test_a_head_alone_is_a_layer():
    """Without norms over all units a head is what a layer of its units is, bit for bit where it fills vectors."""
    layer = elman.Recurrent(cells.slstm(), 3, 64, heads=4, seed=0)
    one = elman.Recurrent(cells.slstm(), 3, 16, seed=1)
    state = one.state_dict()
    for name, value in layer.state_dict().items():
        state[name] = value.reshape(4, 4, 16, *value.shape[1:])[:, 2].reshape(state[name].shape)
    one.load_state_dict(state)
    x = np.random.default_rng(0).standard_normal((9, 3, 3)).astype(np.float32)
    np.testing.assert_array_equal(layer(x)[0][..., 32:48], one(x)[0])


def test_initial_weights_are_orthogonal_in_each_head():
    layer = elman.Recurrent(cells.slstm(), 3, 12, heads=3, seed=0, dtype=np.float64)
    weight = layer.parameters["weight_hh_l0"]
    assert weight.shape == (48, 4)
    for block in weight.reshape(12, 4, 4):
        np.testing.assert_allclose(block @ block.T, np.eye(4), atol=1e-12)


def test_files_copies_and_words(tmp_path):
    layer = elman.Recurrent(cells.slstm(), 3, 12, heads=3, seed=0)
    assert "heads=3" in repr(layer)
    layer.save(tmp_path / "a.elman")
    x = np.ones((2, 1, 3), np.float32)
    for again in (elman.load(tmp_path / "a.elman"), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert again.heads == 3
        np.testing.assert_array_equal(again(x)[0], layer(x)[0])


def test_in_models():
    model = models.SequenceClassifier(2, input_size=3, hidden_size=12, cell=cells.slstm(), heads=3, seed=0)
    assert model.network["recurrent"].heads == 3
    both = models.Seq2Seq(
        vocabulary=5, target_vocabulary=6, hidden_size=12, cell=cells.gru(reset_after=False), heads=2, seed=0
    )
    assert both.decoder.heads == 2


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda R: R(cells.slstm(), 3, 12, heads=5),
            "heads: expected a divisor of hidden_size, which is 12, got 5",
        ),
        (
            lambda R: R(cells.slstm(), 3, 12, heads=24),
            "heads: expected a divisor of hidden_size, which is 12, got 24",
        ),
        (lambda R: R(cells.slstm(), 3, 12, heads=0), "heads: expected a whole number of at least 1, got 0"),
        (
            lambda R: R(cells.slstm(), 3, 12, heads=2.0),
            "heads: expected a whole number of at least 1, got 2.0",
        ),
        (
            lambda R: R("lstm", 3, 12, heads=2),
            "heads: expected 1 for 'lstm', got 2; cells of elman.cells take more",
        ),
        (
            lambda R: R(cells.sru(), 3, 12, heads=2),
            "heads: expected 1 for a cell without recurrent weights, got 2",
        ),
    ],
)
def test_refusals(make, message):
    for kind in (elman.Recurrent, elman.torch.Recurrent):
        with pytest.raises(ValueError) as error:
            make(kind)
        assert message in str(error.value)


def test_refusal_in_models():
    with pytest.raises(ValueError, match=r"heads: expected 1 for 'gru', got 2; cells of elman\.cells"):
        models.SequenceClassifier(2, input_size=3, cell="gru", heads=2)


def of_torch(cell, H, heads, **options):
    layer = elman.Recurrent(cell, 3, H, heads=heads, dtype=np.float64, seed=0, **options)
    module = elman.torch.Recurrent(cell, 3, H, heads=heads, dtype=torch.float64, **options)
    module.load_state_dict(layer.state_dict())
    return layer, module


@pytest.mark.parametrize("cell", CELLS)
def test_under_torch(cell):
    layer, module = of_torch(CELLS[cell], 12, 3, num_layers=2, bidirectional=True)
    assert "heads=3" in repr(module)
    x = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    y, _ = module(x)
    want, _, backward = layer.forward(x.detach().numpy())
    np.testing.assert_array_equal(y.detach().numpy(), want)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), backward(np.ones_like(want))[0])
    for name, value in module.named_parameters():
        np.testing.assert_array_equal(value.grad.numpy(), layer.grads[name])
    with torch.no_grad():
        np.testing.assert_array_equal(module(x)[0].numpy(), want)
        np.testing.assert_array_equal(module(x)[0].numpy(), want)  # by what the first call kept
    again = pickle.loads(pickle.dumps(module))
    np.testing.assert_array_equal(again(x)[0].detach().numpy(), want)


@pytest.mark.parametrize("cell", CELLS)
def test_single_steps_and_second_derivatives_under_torch(cell):
    _, module = of_torch(CELLS[cell], 6, 2)
    x = torch.randn(1, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: module(x)[0], (x,))
    assert torch.autograd.gradgradcheck(lambda x: module(x)[0], (x,), atol=1e-4)


def test_compiled_by_torch():
    _, module = of_torch(cells.slstm(), 6, 2)
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    np.testing.assert_array_equal(compiled(x)[0].detach().numpy(), module(x)[0].detach().numpy())


@pytest.mark.parametrize("heads", [1, 0, -3, 5, "3", 2**40])
def test_other_heads_than_the_weights_have(heads):
    """Set later, also where a call would take what is kept without a look at the weights."""
    module = elman.torch.assume_frozen(elman.torch.Recurrent(cells.slstm(), 3, 12, heads=3))
    x = torch.zeros(4, 2, 3)
    with torch.no_grad():
        module(x)
        module.heads = heads
        with pytest.raises((ValueError, RuntimeError), match="heads: expected"):
            module(x)


def test_weights_of_other_heads():
    module = elman.torch.Recurrent(cells.slstm(), 3, 12)
    for columns in (4, 0):
        module.weight_hh_l0 = torch.nn.Parameter(torch.zeros(48, columns))
        with pytest.raises(RuntimeError, match="heads: expected"):
            module(torch.zeros(4, 2, 3))


def test_a_change_of_heads_makes_other_packed_weights():
    """The same numbers in another shape are other weights."""
    _, module = of_torch(cells.slstm(), 6, 2)
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    with torch.no_grad():
        before = module(x)[0]
        module.heads = 3
        module.weight_hh_l0 = torch.nn.Parameter(module.weight_hh_l0.reshape(-1)[:48].reshape(24, 2).clone())
        layer = elman.Recurrent(cells.slstm(), 3, 6, heads=3, dtype=np.float64)
        layer.load_state_dict(module.state_dict())
        after = module(x)[0]
    assert not torch.equal(before, after)
    np.testing.assert_array_equal(after.numpy(), layer(x.numpy())[0])
