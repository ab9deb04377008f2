"""Steppers of layers in turn: `out=`, the state, and what is refused."""

import numpy as np
import pytest
import torch

from elman.layers import GRU, LSTM, Composite, Dropout, Embedding, Linear, Pooling, Sequential
from elman.models import Forecaster, SequenceClassifier

RNG = np.random.default_rng(0)
X = RNG.standard_normal((5, 3, 2)).astype(np.float32)
TOKENS = RNG.integers(0, 7, (5, 3))
MODELS = {
    "layers": (lambda: Sequential(Linear(2, 4), GRU(4, 5), Dropout(0.5), LSTM(5, 3), Linear(3, 2)), X),
    "nested": (lambda: Sequential(Sequential(GRU(2, 3), Linear(3, 4)), Dropout(0.5)), X),
    "tokens": (lambda: Sequential(Embedding(7, 3), GRU(3, 4)), TOKENS),
    "last": (lambda: Sequential(GRU(2, 3), Pooling("last")), X),
    "mean": (lambda: Sequential(GRU(2, 3), Pooling("mean"), Linear(3, 2)), X),
    "max": (lambda: Sequential(GRU(2, 3), Pooling("max")), X),
    "alone": (lambda: Sequential(GRU(2, 3)), X),
    "dropout": (lambda: Sequential(Dropout(0.5), Dropout(0.5)), X),
    "linear": (lambda: Linear(2, 3), X),
    "embedding": (lambda: Embedding(7, 3), TOKENS),
    "pooling": (lambda: Pooling("mean"), X),
    "classifier": (lambda: SequenceClassifier(2, vocabulary=7, hidden_size=3, dropout=0.1), TOKENS),
    "forecaster": (lambda: Forecaster(4, input_size=2, hidden_size=3, loss="gaussian"), X),
}


@pytest.mark.parametrize("name", MODELS)
def test_out_has_what_is_returned_without_it(name):
    make, x = MODELS[name]
    model, kept = make(), x.copy()
    plain, into = model.stepper(3), model.stepper(3)
    found = [plain(now) for now in x]
    copies = [one.copy() for one in found]
    out = np.empty_like(found[0])
    for now, want in zip(x, copies, strict=True):
        assert into(now, out=out) is out
        np.testing.assert_array_equal(out, want)
    for one, want in zip(found, copies, strict=True):  # nothing later has written to them
        np.testing.assert_array_equal(one, want)
    np.testing.assert_array_equal(x, kept)
    tensors = model.stepper(3)
    for now, want in zip(x, copies, strict=True):
        np.testing.assert_array_equal(tensors(torch.tensor(now)), want)
    out[:] = 0
    tensors.reset()
    assert tensors(torch.tensor(x[0]), out=out) is out
    np.testing.assert_array_equal(out, copies[0])


@pytest.mark.parametrize("name", MODELS)
def test_the_state_is_taken_and_given_back(name):
    make, x = MODELS[name]
    step = make().stepper(3)
    step(x[0])
    state, want = step.state, step(x[1])
    step(x[2])
    step.state = state
    np.testing.assert_array_equal(step(x[1]), want)
    step.reset([1])
    step.reset()
    fresh = step(x[0])
    step.reset()
    np.testing.assert_array_equal(step(x[0]), fresh)


WRONG_OUT = {
    r"out: expected \[3, .*, got \[3, 9\] float32": np.empty((3, 9), np.float32),
    r"out: expected \[3, .*\] float32, got .* float64": np.empty((3, 2)),
    "out: expected an array of NumPy's, got list": [[0, 0]] * 3,
    "out: expected a writeable array, got a read-only one|out: expected .*": np.broadcast_to(
        np.float32(0), (3, 2)
    ),
}


@pytest.mark.parametrize("message", WRONG_OUT)
@pytest.mark.parametrize("name", MODELS)
def test_a_wrong_out_leaves_the_state(name, message):
    make, x = MODELS[name]
    model = make()
    step, twin = model.stepper(3), model.stepper(3)
    for now in x[:2]:  # the first step, and one like an earlier one
        with pytest.raises(ValueError, match=f"^({message})"):
            step(now, out=WRONG_OUT[message])
        np.testing.assert_array_equal(step(now), twin(now))


def test_what_lies_between_is_not_allocated_anew():
    step = Sequential(GRU(2, 3), Dropout(0.5), Linear(3, 2)).stepper(3)
    step(X[0])
    between = [one.ctypes.data for one in step._between]
    step(X[1], out=np.empty((3, 2), np.float32))
    assert [one.ctypes.data for one in step._between] == between and len(between) == 2


def test_layers_of_ones_own_in_turn():
    class Half(Composite):
        def __init__(self):
            self.parts = {}

        def __call__(self, x):
            return x / 2

    class Quarter(Half):
        def stepper(self, batch_size):
            return lambda x: x / 4

    step = Sequential(Half(), Quarter()).stepper(3)
    out = np.empty((3, 2), np.float32)
    for now in X:
        np.testing.assert_array_equal(step(now, out=out), now / 8)
    with pytest.raises(ValueError, match=r"^state: expected \(\), got 3"):
        Half().stepper(3).state = 3


def test_a_composition_that_does_not_fit_leaves_the_state():
    step = Sequential(GRU(2, 3), Linear(4, 2)).stepper(3)
    before = step.state
    with pytest.raises(ValueError, match=r"x: expected \[..., 4\] float32"):
        step(X[0])
    np.testing.assert_array_equal(step.state[0], before[0])


@pytest.mark.parametrize(
    "out, came",
    [
        (np.empty((3, 2)), r"expected \[3, 2\] float32, got \[3, 2\] float64"),
        (
            np.empty((2, 3), np.float32).T,
            r"expected a C-contiguous array, got strides \(4, 12\) for \[3, 2\] float32",
        ),
    ],
)
def test_no_copy_is_offered_of_what_is_written_to(out, came):
    """A cast array would be written to, and thrown away."""
    step = Sequential(GRU(2, 3), Linear(3, 2)).stepper(3)
    for _ in range(2):  # the first step looks in another way
        with pytest.raises(ValueError, match=f"^out: {came}$"):
            step(X[0], out=out)
        step(X[0])
