"""Agreement with torch.nn where it has the feature: outputs, states and every gradient."""

from functools import partial

import numpy as np
import pytest
import torch

from tests.support.cases import assert_close, make_case, make_layer

TOLERANCE = {np.float32: 2e-6, np.float64: 1e-13}
TWINS = {
    "rnn_tanh": partial(torch.nn.RNN, nonlinearity="tanh"),
    "rnn_relu": partial(torch.nn.RNN, nonlinearity="relu"),
    "lstm": torch.nn.LSTM,
    "gru": torch.nn.GRU,
}


def torch_twin(layer, cell):
    twin = TWINS[cell](
        layer.input_size, layer.hidden_size, layer.num_layers, bias=layer.bias, bidirectional=layer.bidirectional,
        dtype=getattr(torch, layer.dtype.name),
    )  # fmt: skip
    twin.load_state_dict({name: torch.from_numpy(value) for name, value in layer.state_dict().items()})
    return twin


@pytest.mark.parametrize("ragged", [False, True], ids=["equal", "ragged"])
@pytest.mark.parametrize("options", [{}, {"bias": False}, {"num_layers": 2, "bidirectional": True}], ids=str)
@pytest.mark.parametrize("cell", TWINS)
def test_agrees_with_torch(dtype, cell, options, ragged):
    layer = make_layer(cell, 6, 10, dtype=dtype, **options)
    case = make_case(layer, T=8, B=5)
    if ragged:
        case.options["lengths"] = np.array([3, 8, 1, 8, 5])
        case.dy[np.arange(8)[:, None] >= case.options["lengths"]] = 0
    y, state, dx, dstate, grads = case.run()

    twin = torch_twin(layer, cell)
    leaf = lambda a: torch.from_numpy(a.copy()).requires_grad_()  # noqa: E731
    x, start = leaf(case.x), [leaf(part) for part in case.state]
    hx = tuple(start) if len(start) == 2 else start[0]
    rnn = torch.nn.utils.rnn
    if ragged:
        packed = rnn.pack_padded_sequence(x, torch.from_numpy(case.options["lengths"]), enforce_sorted=False)
        out, last = twin(packed, hx)
        out, _ = rnn.pad_packed_sequence(out)
    else:
        out, last = twin(x, hx)
    last = list(last) if isinstance(last, tuple) else [last]
    results = [out, *last]
    torch.autograd.backward(results, [torch.from_numpy(d) for d in (case.dy, *case.dstate)])

    tolerance = TOLERANCE[dtype]
    for got, want in zip([y, *state], results, strict=True):
        assert_close(got, want.detach().numpy(), tolerance)
    for got, want in zip([dx, *dstate], [x, *start], strict=True):
        assert_close(got, want.grad.numpy(), 5 * tolerance)
    for name, parameter in twin.named_parameters():
        assert_close(grads[name], parameter.grad.numpy(), 5 * tolerance, name)


def test_takes_and_gives_tensors():
    layer = make_layer("lstm", 3, 4)
    x = torch.randn(5, 2, 3)
    y, (h, c) = layer(x)
    assert all(isinstance(part, torch.Tensor) for part in (y, h, c))
    np.testing.assert_array_equal(y.numpy(), layer(x.numpy())[0])
    y, _, backward = layer.forward(x)
    dx, _ = backward(torch.ones_like(y))
    assert isinstance(dx, torch.Tensor) and dx.shape == x.shape


def test_tensors_given_may_be_written_to_before_backward():
    layer = make_layer("gru", 3, 4)
    x = torch.randn(5, 2, 3)
    want, _ = layer.forward(x)[2](torch.ones(5, 2, 4))
    y, _, backward = layer.forward(x)
    y.relu_()
    assert torch.equal(backward(torch.ones(5, 2, 4))[0], want)


def test_refuses_a_tensor_with_autograd():
    with pytest.raises(ValueError, match=r"x: expected an array without autograd.*x\.detach\(\)"):
        make_layer("gru", 3, 4)(torch.randn(5, 2, 3, requires_grad=True))


def test_refuses_a_tensor_that_numpy_cannot_hold():
    with pytest.raises(ValueError, match="x: expected an array of numbers in main memory, got Tensor: "):
        make_layer("gru", 3, 4)(torch.zeros(5, 2, 3, dtype=torch.bfloat16))


def test_loads_a_torch_state_dict():
    twin = torch.nn.LSTM(3, 4, num_layers=2, bidirectional=True)
    layer = make_layer("lstm", 3, 4, num_layers=2, bidirectional=True)
    layer.load_state_dict(twin.state_dict())
    x = torch.randn(6, 2, 3)
    with torch.no_grad():
        want, _ = twin(x)
    assert_close(layer(x)[0].numpy(), want.numpy(), 1e-6)
