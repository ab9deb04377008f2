"""elman's own layers on arrays of other libraries."""

from __future__ import annotations

import numpy as np
import pytest

import elman
from elman.optim import Adam
from elman.stack.gpu import arrays as of_gpu
from elman.stack.gpu.plan import uploaded
from elman.stack.steps import Steps


@pytest.fixture
def arrays(monkeypatch, played):
    """NumPy's arrays count as CuPy's on a GPU."""
    monkeypatch.setattr(of_gpu, "on_gpu", lambda x: isinstance(x, np.ndarray))
    monkeypatch.setattr(of_gpu, "library_of", lambda x: of_gpu.Arrays(np))


def both_ways(layer, monkeypatch, *args, **kwargs):
    """Results and gradients on the GPU and in main memory."""
    outcomes = []
    for on_gpu in (of_gpu.on_gpu, lambda x: False):
        monkeypatch.setattr(of_gpu, "on_gpu", on_gpu)
        layer.zero_grad()
        y, state, backward = layer.forward(*args, **kwargs)
        state = state if isinstance(state, tuple) else (state,)
        dx, dstate = backward(np.cos(y), tuple(map(np.sin, state)) if len(state) > 1 else np.sin(state[0]))
        dstate = dstate if isinstance(dstate, tuple) else (dstate,)
        plain, _ = layer(*args, **kwargs)
        np.testing.assert_array_equal(plain, y)
        outcomes.append([y, *state, dx, *dstate, *(grad.copy() for grad in layer.grads.values())])
    for one, other in zip(*outcomes, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(
    "options", [{}, {"batch_first": True}, {"bidirectional": True, "num_layers": 2}, {"bias": False}]
)
@pytest.mark.parametrize("kind", [elman.RNN, elman.LSTM, elman.GRU])
def test_arrays_of_other_libraries(kind, options, arrays, monkeypatch):
    layer = kind(3, 9, seed=1, **options)
    x = np.random.default_rng(0).standard_normal((4, 5, 3), np.float32)
    both_ways(layer, monkeypatch, x)


def test_arrays_with_lengths_state_and_kept_weights(arrays, monkeypatch):
    layer = elman.LSTM(3, 8, seed=1)
    rng = np.random.default_rng(0)
    x, h, c = (rng.standard_normal(s, np.float32) for s in [(6, 4, 3), (1, 4, 8), (1, 4, 8)])
    both_ways(layer, monkeypatch, x, (h, c), lengths=[6, 0, 3, 1])
    both_ways(layer, monkeypatch, x[:, 0].copy(), reset=np.array([0, 0, 1, 0, 1, 0], bool))
    monkeypatch.setattr(of_gpu, "on_gpu", lambda x: True)
    before = layer(x)[0]
    kept = layer._store._made["uploaded"]
    assert np.array_equal(layer(x)[0], before) and layer._store._made["uploaded"] is kept
    layer.parameters["bias_ih_l0"] = before[0, 0, 0] + layer.parameters["bias_ih_l0"]
    assert not np.array_equal(layer(x)[0], before)


@pytest.mark.parametrize("needs", [{}, {"need_dx": False, "need_dstate": False}])
def test_gradients_that_nobody_wants(needs, arrays, monkeypatch):
    layer = elman.GRU(3, 8, num_layers=2, bidirectional=True, seed=1)
    x = np.random.default_rng(0).standard_normal((6, 4, 3), np.float32)
    monkeypatch.setattr(of_gpu, "on_gpu", lambda x: True)
    y, _, backward = layer.forward(x)
    dx = backward(np.cos(y))[0]
    want = layer.grads["weight_ih_l1"].copy()
    layer.zero_grad()
    with Adam(layer, frozen=["*_l0*", "*_reverse"]).only():
        y, _, backward = layer.forward(x)
    got = backward(np.cos(y), **needs)
    np.testing.assert_array_equal(layer.grads["weight_ih_l1"], want)
    assert [name for name, grad in layer.grads.items() if grad.any()] == [
        "weight_ih_l1", "weight_hh_l1", "bias_ih_l1", "bias_hh_l1"
    ]  # fmt: skip
    if needs:
        assert got == (None, None)
    else:
        np.testing.assert_array_equal(got[0], dx)


def test_a_plan_is_uploaded_once(played):
    library, both = of_gpu.Arrays(np), (False, True)
    for parts in ({}, {"lengths": np.array([3, 0, 1])}):
        plans = uploaded(Steps(4, 3, False, **parts), both, library)
        assert uploaded(Steps(4, 3, False, **parts), both, of_gpu.Arrays(np)) is plans
    whole = Steps(2**17, 1, False)  # a CUDA graph holds it
    assert uploaded(whole, both, library) is uploaded(whole, both, library)
    large = Steps(2**17, 1, False, np.array([5]))
    assert uploaded(large, both, library) is not uploaded(large, both, library)


def test_a_backward_pass_belongs_to_its_forward_pass(arrays):
    layer, x = elman.GRU(3, 8, num_layers=2, seed=1), np.ones((4, 2, 3), np.float32)
    y, _, backward = layer.forward(x)
    layer.parameters["bias_ih_l1"] = layer.parameters["bias_ih_l1"]
    with pytest.raises(
        RuntimeError, match=r"backward: expected the parameters \(weight_ih_l0, .* changed since"
    ):
        backward(y)
    _, _, backward = layer.forward(x)
    backward(y)
    with pytest.raises(RuntimeError, match="got a second one; what forward kept is used up"):
        backward(y)


def test_cupy(device):
    if device != "cuda":
        pytest.skip("CuPy's arrays are on a GPU")
    cupy = pytest.importorskip("cupy")
    layer = elman.LSTM(3, 9, bidirectional=True)
    x = np.random.default_rng(0).standard_normal((4, 5, 3), np.float32)
    y, (h, _), backward = layer.forward(cupy.asarray(x), lengths=[4, 0, 2, 3, 1])
    assert isinstance(y, cupy.ndarray) and isinstance(h, cupy.ndarray)
    dx, _ = backward(cupy.cos(y))
    found = [y.get(), dx.get(), *(grad.copy() for grad in layer.grads.values())]
    layer.zero_grad()
    y, _, backward = layer.forward(x, lengths=[4, 0, 2, 3, 1])
    wanted = [y, backward(np.cos(y))[0], *layer.grads.values()]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5)


def test_what_arrays_on_a_gpu_cannot_have(arrays, monkeypatch):
    x = np.zeros((2, 3, 4), np.float32)
    with pytest.raises(ValueError, match="x: expected an array in main memory for a float64 layer"):
        elman.GRU(4, 5, dtype=np.float64)(x)
    with pytest.raises(ValueError, match=r"recurrent_dropout: expected 0 on a GPU, got 0\.5"):
        elman.GRU(4, 5, recurrent_dropout=0.5).forward(x)
    with pytest.raises(ValueError, match=r"x: expected \[T, B, 4\] float32"):
        elman.GRU(4, 5)(x[:, :, :3].copy())
    monkeypatch.setattr(elman.stack.gpu, "_found", (None, "this build has no CUDA kernels"))
    with pytest.raises(
        ValueError, match=r"expected an array in main memory \(this build has no CUDA kernels\)"
    ):
        elman.GRU(4, 5)(x)
