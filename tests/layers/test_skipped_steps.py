"""Steps that some streams skip: each stream goes on as if it were alone, with its own steps."""

import numpy as np
import pytest
import torch

from elman.layers import GRU, LSTM, RNN, Embedding, Pooling, Sequential
from elman.models import Forecaster, SequenceTagger
from tests.layers.test_steppers import MODELS, RNG, TOKENS, X

ALL = MODELS | {
    "lstm": (lambda: LSTM(2, 5, 2), X),
    "gru": (lambda: GRU(2, 3, dtype="float64"), X.astype(float)),
    "rnn": (lambda: RNN(2, 3, 3), X),
    "tagger": (lambda: SequenceTagger(2, vocabulary=7, hidden_size=3), TOKENS),
}
BY_STEPS = ("lstm", "gru", "rnn", "alone", "nested")  # which end with a recurrent layer, or Dropout
POOLED = ("last", "max", "pooling", "classifier", "forecaster", "mean")
MASK = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 0], [1, 0, 1]], bool)


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("name", ALL)
def test_each_stream_goes_on_alone(name, given):
    make, x = ALL[name]
    model = make()
    step, alone = model.stepper(3), [model.stepper(1) for _ in range(3)]
    last, out = [None] * 3, None
    for now, mask in zip(x, MASK, strict=True):
        now = now.copy()
        now[~mask] = 99 if now.dtype.kind == "i" else np.nan
        y = step(now, out=out, mask=mask)
        assert out is None or y is out
        out = np.empty_like(y) if given else None
        for b in range(3):
            if mask[b]:
                last[b] = alone[b](now[b : b + 1])[0].copy()
                np.testing.assert_array_equal(y[b], last[b])
            elif name in POOLED and last[b] is not None:
                np.testing.assert_array_equal(y[b], last[b])
            elif name in ("lstm", "gru", "rnn", "alone"):
                assert (y[b] == 0).all()
    want = [one.state for one in alone]
    for b, one in enumerate(want):
        for got, single in zip(flat(step.state), flat(one), strict=True):
            axis = 0 if got.shape[0] == 3 and single.shape[0] == 1 else 1
            np.testing.assert_array_equal(np.take(got, b, axis), np.take(single, 0, axis))


def flat(state):
    """The arrays of a state."""
    if isinstance(state, (tuple, list)):
        return [inner for one in state for inner in flat(one)]
    return [] if state is None else [state]


def test_as_a_whole_sequence_with_that_mask():
    layer = Sequential(LSTM(2, 4, 2), GRU(4, 3))
    whole, (_, end) = layer(X, mask=MASK)
    step = layer.stepper(3)
    for t in range(len(X)):
        np.testing.assert_array_equal(step(X[t], mask=MASK[t].tolist()), whole[t])
    np.testing.assert_array_equal(step.state[1], end)
    tensor = step(torch.tensor(X[0]), mask=torch.tensor(MASK[0]))
    assert isinstance(tensor, torch.Tensor) and (tensor[1] == 0).all()


def test_many_streams_with_and_without_masks():
    """Many streams, so that several threads take part; every state that must be put back."""
    B, model = 301, LSTM(8, 48, 2, seed=0)
    x, step = RNG.standard_normal((6, B, 8)).astype(np.float32), model.stepper(301)
    masks = [None, RNG.random(B) < 0.5, np.ones(B, bool), np.zeros(B, bool), RNG.random(B) < 0.5, None]
    known = np.array([np.ones(B, bool) if mask is None else mask for mask in masks])
    want, (h, c) = model(x, mask=known)
    for now, mask, y in zip(x, masks, want, strict=True):
        np.testing.assert_array_equal(step(now, mask=mask), y)
    np.testing.assert_array_equal(step.state[0], h)
    np.testing.assert_array_equal(step.state[1], c)


def test_a_mask_that_does_not_fit_leaves_the_state():
    step = GRU(2, 3).stepper(3)
    first = step(X[0])
    for mask in (np.ones(2, bool), np.ones(3), True):
        with pytest.raises(ValueError, match=r"^mask: expected \[3\] bool, got"):
            step(X[1], mask=mask)
        with pytest.raises(ValueError, match=r"^mask: expected \[3\] bool, got"):
            Sequential(GRU(2, 3)).stepper(3)(X[1], mask=mask)
    step.reset()
    np.testing.assert_array_equal(step(X[0]), first)


def test_nothing_is_computed_of_what_is_skipped():
    """No warning comes of it (pytest makes errors of them): of sums too large, or of infinities that cancel."""
    step, x = Pooling("mean").stepper(2), np.array([[1, 2], [3e38, np.inf]], np.float32)
    step(x)
    np.testing.assert_array_equal(step(x * np.array([[1], [-1]], np.float32), mask=[True, False]), x)
    np.testing.assert_array_equal(step(np.abs(x), mask=[True, False]), x)


def test_a_mask_for_a_single_token():
    with pytest.raises(ValueError, match=r"^mask: expected \[B\] bool, got True$"):
        Embedding(5, 2).stepper(1)(np.array(3), mask=True)


def test_forecasts_of_series_that_skip_a_step():
    model = Forecaster(3, input_size=2, hidden_size=4, future_size=1)
    future = RNG.standard_normal((3, 3, 1)).astype(np.float32)
    step = model.stepper(3)
    first = step(X[0], future)
    skipped = X[1].copy()
    skipped[1] = np.nan
    second = step(skipped, future, mask=[True, False, True])
    np.testing.assert_array_equal(second[1], first[1])
    assert (second[0] != first[0]).any()
