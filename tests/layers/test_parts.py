"""The layers beside the recurrent ones: gradients, and what each is for."""

import pickle

import numpy as np
import pytest
import torch

import elman
from elman.layers import GRU, LSTM, RNN, Dropout, Embedding, Linear, Pooling, Sequential
from tests.support.slopes import finite_differences, slope_of_parameter


def check_gradients(layer, x, *options):
    """Of the parameters and of x, under a random weighting of y."""
    result = layer.forward(x, *options)
    y, backward = result[0], result[-1]
    d = np.random.default_rng(9).standard_normal(y.shape)
    dx = backward(d)
    dx = dx[0] if isinstance(dx, tuple) else dx

    def loss():
        y = layer(x, *options)
        return ((y[0] if isinstance(y, tuple) else y) * d).sum()

    if dx is not None:
        np.testing.assert_allclose(dx, finite_differences(x, loss), atol=1e-7)
    for name, grad in layer.grads.items():
        np.testing.assert_allclose(grad, slope_of_parameter(layer, name, loss), atol=1e-7, err_msg=name)


@pytest.mark.parametrize("I, O", [(1, 1), (3, 2), (7, 9), (33, 18)])
def test_linear(I, O, isa, rng):  # noqa: E741
    check_gradients(Linear(I, O, dtype=np.float64, seed=0), rng.standard_normal((2, 3, I)))
    layer = Linear(I, O, seed=0)
    x = rng.standard_normal((500, I)).astype(np.float32)
    twin = torch.nn.functional.linear(
        torch.tensor(x), *(torch.tensor(layer.parameters[n]) for n in ("weight", "bias"))
    )
    y = layer(x)
    np.testing.assert_allclose(y, twin.numpy(), atol=2e-6)
    np.testing.assert_array_equal(layer(x[13:14]), y[13:14])  # a row alone has the same bits
    elman.set_num_threads(1)
    np.testing.assert_array_equal(layer(x), y)


def test_linear_gradient_bits_do_not_depend_on_threads(rng):
    grads = []
    x, d = (rng.standard_normal((900, n)).astype(np.float32) for n in (70, 130))
    for threads in (1, 2, 3):
        elman.set_num_threads(threads)
        layer = Linear(70, 130, seed=0)
        grads.append([layer.forward(x)[1](d), layer.grads["weight"], layer.grads["bias"]])
    for other in grads[1:]:
        for a, b in zip(grads[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_linear_without_bias(rng):
    layer = Linear(3, 2, bias=False, seed=0)
    assert "bias" not in layer.parameters
    x = rng.standard_normal((4, 3)).astype(np.float32)
    y = layer(x)
    layer.forward(x)[1](np.ones_like(y))
    copy = pickle.loads(pickle.dumps(layer))
    np.testing.assert_array_equal(copy(x), y)
    step = layer.stepper(4)
    layer.parameters["weight"] = np.zeros((2, 3), np.float32)
    assert not layer(x).any()
    np.testing.assert_array_equal(step(x), y)  # as the weights were when it was made


def test_embedding(rng):
    layer = Embedding(5, 3, dtype=np.float64, seed=0)
    tokens = np.array([[0, 4, 4], [2, 0, 4]])
    check_gradients_of_embedding = layer.forward(tokens)
    d = rng.standard_normal((2, 3, 3))
    check_gradients_of_embedding[1](d)
    slope = slope_of_parameter(layer, "weight", lambda: (layer(tokens) * d).sum())
    np.testing.assert_allclose(layer.grads["weight"], slope, atol=1e-8)
    step = layer.stepper(2)
    np.testing.assert_array_equal(step(tokens[0]), layer(tokens)[0])


def test_embedding_vectors_begin_with_the_deviation_asked_for():
    one, small = (
        Embedding(200, 100, dtype=np.float64, seed=0, std=std).parameters["weight"] for std in (1, 0.1)
    )
    assert abs(one.std() - 1) < 0.02
    np.testing.assert_allclose(small, 0.1 * one)


def test_embedding_gradient_bits_do_not_depend_on_threads(rng):
    tokens, d = rng.integers(0, 50, 20000), rng.standard_normal((20000, 9)).astype(np.float32)
    grads = []
    for threads in (1, 2, 3):
        elman.set_num_threads(threads)
        layer = Embedding(50, 9)
        layer.forward(tokens)[1](d)
        grads.append(layer.grads["weight"])
    np.testing.assert_array_equal(grads[0], grads[1])
    np.testing.assert_array_equal(grads[0], grads[2])
    want = np.zeros((50, 9))
    np.add.at(want, tokens, d.astype(float))
    np.testing.assert_allclose(grads[0], want, atol=1e-3)


def test_dropout(rng):
    x = np.ones((50, 4, 100), np.float32)
    layer = Dropout(0.4, seed=0)
    assert layer(x) is x
    y, backward = layer.forward(x)
    assert set(np.unique(y)) == {0, np.float32(1 / 0.6)}
    assert 0.38 < (y == 0).mean() < 0.42
    np.testing.assert_array_equal(backward(2 * x), 2 * y)
    assert not np.array_equal(layer.forward(x)[0], y)
    np.testing.assert_array_equal(Dropout(0.4, seed=0).forward(x)[0], y)
    y, _ = Dropout(0.4, variational=True, seed=0).forward(x)
    np.testing.assert_array_equal(y, np.broadcast_to(y[:1], y.shape))  # one mask for all steps
    assert not np.array_equal(y[:, 0], y[:, 1])
    assert Dropout(0.0).forward(x)[0] is x


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", ["last", "mean", "max"])
@pytest.mark.parametrize("ragged", [False, True])
def test_pooling(kind, bidirectional, ragged, rng):
    x = rng.standard_normal((5, 4, 6))
    lengths = np.array([5, 1, 0, 3]) if ragged else None
    layer = Pooling(kind, bidirectional)
    check_gradients(layer, x, lengths)
    y = layer(x, lengths)
    for b, end in enumerate([5, 1, 0, 3] if ragged else [5] * 4):
        own = x[:end, b]
        if end == 0:
            want = np.zeros(6)
        elif kind == "last":
            want = np.concatenate([own[-1, :3], own[0, 3:]]) if bidirectional else own[-1]
        else:
            want = getattr(own, kind)(axis=0)
        np.testing.assert_allclose(y[b], want, rtol=1e-15)
        if end:
            np.testing.assert_array_equal(layer(np.ascontiguousarray(own[:, None])), y[b : b + 1])


def test_pooling_with_mask_and_nothing(rng):
    x = rng.standard_normal((4, 2, 3))
    mask = np.array([[1, 0], [0, 1], [1, 0], [0, 0]], bool)
    np.testing.assert_array_equal(Pooling("last")(x, mask=mask), [x[2, 0], x[1, 1]])
    np.testing.assert_allclose(Pooling("mean")(x, mask=mask)[0], (x[0, 0] + x[2, 0]) / 2)
    assert not Pooling("mean")(np.zeros((0, 2, 3))).any()
    x[~mask] = np.nan
    for kind in ("last", "mean", "max"):
        y, backward = Pooling(kind).forward(x, mask=mask)
        assert np.isfinite(y).all() and not backward(y)[~mask].any()


@pytest.mark.parametrize("kind", ["last", "mean", "max"])
def test_pooling_stepper(kind, rng):
    x = rng.standard_normal((6, 3, 5)).astype(np.float32)
    layer = Pooling(kind)
    step = layer.stepper(3)
    for t in range(6):
        np.testing.assert_array_equal(step(x[t]), layer(x[: t + 1]))
        if t == 3:
            state = step.state
    step.state = state
    step(x[4])
    np.testing.assert_array_equal(step(x[5]), layer(x))
    step.reset([1])
    y = step(x[0])
    np.testing.assert_array_equal(y[1], x[0, 1])


def small_network(cell=GRU, **options):
    return Sequential(
        Linear(2, 4, dtype=np.float64, seed=1),
        cell(4, 3, dtype=np.float64, seed=2, **options),
        pooling=Pooling("mean"),
        head=Linear(3, 2, dtype=np.float64, seed=3),
    )


@pytest.mark.parametrize("cell", [RNN, GRU, LSTM])
def test_sequential_gradients(cell, rng):
    model = small_network(cell)
    assert list(model.parameters)[:3] == ["0.weight", "0.bias", "1.weight_ih_l0"]
    check_gradients(model, rng.standard_normal((4, 3, 2)), None, np.array([4, 0, 2]))


def test_sequential_state_and_its_gradient(rng):
    model = Sequential(LSTM(2, 3, dtype=np.float64, seed=0), Sequential(GRU(3, 2, dtype=np.float64, seed=1)))
    x, d = rng.standard_normal((6, 2, 2)), rng.standard_normal((6, 2, 2))
    y, end = model(x)
    first, middle = model(x[:2])
    second, last = model(x[2:], middle)
    np.testing.assert_array_equal(np.concatenate([first, second]), y)
    np.testing.assert_array_equal(last[1][0], end[1][0])
    h = rng.standard_normal((1, 2, 3))
    start = ((h, np.zeros_like(h)), None)
    _, _, backward = model.forward(x, start)
    dx, ((dh, _), _) = backward(d)
    np.testing.assert_allclose(dh, finite_differences(h, lambda: (model(x, start)[0] * d).sum()), atol=1e-7)
    _, _, backward = model.forward(x, start)
    assert backward(d, need_dx=False)[0] is None
    assert dx is not None


def test_sequential_stepper_gives_the_bits_of_the_sequence(rng):
    model = Sequential(
        Embedding(7, 5, seed=0), Dropout(0.5), LSTM(5, 9, num_layers=2, seed=1), Linear(9, 3, seed=2)
    )
    tokens = rng.integers(0, 7, (8, 4))
    y, end = model(tokens)
    step = model.stepper(4)
    np.testing.assert_array_equal(np.stack([step(t) for t in tokens]), y)
    np.testing.assert_array_equal(step.state[0][0], end[0][0])
    step.reset()
    step.state = model(tokens[:5])[1]
    np.testing.assert_array_equal(step(tokens[5]), y[5])


def test_composite_is_one_layer(rng):
    model = small_network()
    twin = small_network()
    with twin.editing() as parameters:
        for value in parameters.values():
            value[:] = 0
    twin.load_state_dict(model.state_dict())
    x = rng.standard_normal((4, 3, 2))
    np.testing.assert_array_equal(twin(x)[0], model(x)[0])
    y, _, backward = model.forward(x)
    backward(y)
    assert all(grad.any() for grad in model.grads.values())
    model.zero_grad()
    assert not any(grad.any() for grad in model.grads.values())


REFUSALS = {
    r"x: expected \[..., 3\] float32, got \[4, 2\] float32": lambda: Linear(3, 2)(
        np.zeros((4, 2), np.float32)
    ),
    r"x: expected \[..., 3\] float32, got \[4, 3\] float64": lambda: Linear(3, 2)(np.zeros((4, 3))),
    r"dy: expected \[4, 2\] float32, got \[4, 3\] float32": lambda: Linear(3, 2).forward(
        np.zeros((4, 3), np.float32)
    )[1](np.zeros((4, 3), np.float32)),
    "std: expected a number above 0, got 0": lambda: Embedding(5, 2, std=0),
    "tokens: expected 0 to 4, got 0 to 5": lambda: Embedding(5, 2)(np.array([0, 5])),
    "tokens: expected 0 to 4, got -1 to 0": lambda: Embedding(5, 2)(np.array([0, -1])),
    r"tokens: expected an array of whole numbers, got \[1\] float64": lambda: Embedding(5, 2)(np.zeros(1)),
    "p: expected a number from 0 up to, not including, 1, got 1.0": lambda: Dropout(1.0),
    r"x: expected \[T, B, F\] for variational dropout, got \[3, 2\] float64": lambda: Dropout(
        0.5, variational=True
    ).forward(np.zeros((3, 2))),
    "kind: expected one of 'last', 'mean', 'max', got 'sum'": lambda: Pooling("sum"),
    r"x: expected \[T, B, F\] float64, got \[3, 2\] float64": lambda: Pooling()(np.zeros((3, 2))),
    r"lengths: expected 0 to 3, got 1 to 4": lambda: Pooling()(np.zeros((3, 2, 1)), [1, 4]),
    r"mask: expected \[3, 2\] bool, got \[3\] bool": lambda: Pooling()(
        np.zeros((3, 2, 1)), mask=np.ones(3, bool)
    ),
    "stepper: expected a layer that runs forward in time, got bidirectional=True": lambda: Pooling(
        "last", bidirectional=True
    ).stepper(1),
    "layers: expected at least one, got none": lambda: Sequential(),
    "state: expected a tuple of 1, got list": lambda: small_network()(np.zeros((1, 1, 2)), [1, 2]),
    "state_dict: expected the names 0.weight": lambda: small_network().load_state_dict({}),
}


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    with pytest.raises(ValueError, match=message):
        REFUSALS[message]()


APPLIED = {
    "recurrent": (lambda: elman.LSTM(3, 4, num_layers=2, dropout=0.5, seed=0), True),
    "sequential": (
        lambda: Sequential(elman.GRU(3, 4, seed=0), Dropout(0.5, seed=1), Linear(4, 2, seed=2)),
        True,
    ),
    "linear": (lambda: Linear(3, 2, seed=0), False),
    "dropout": (lambda: Dropout(0.5, seed=0), False),
    "pooling": (lambda: Pooling("mean"), False),
}


@pytest.mark.parametrize("name", APPLIED)
def test_apply_is_a_call_or_forward(name, rng):
    make, with_state = APPLIED[name]
    x = rng.standard_normal((5, 2, 3)).astype(np.float32)
    *called, backward = make().apply(x, keep=False)
    want = make()(x) if with_state else (make()(x),)
    assert backward is None and len(called) == 1 + with_state
    np.testing.assert_array_equal(called[0], want[0])
    kept, forward = make().apply(x, keep=True), make().forward(x)
    np.testing.assert_array_equal(kept[0], forward[0])
    assert len(kept) == len(forward) and callable(kept[-1])
