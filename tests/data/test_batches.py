"""Batches for training: nothing lost, nothing mixed up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data import as_data
from elman.train import Sequences, Stream, forecast_windows


@settings(max_examples=50, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=12),
    batch_size=st.integers(1, 5),
    seed=st.none() | st.integers(0, 9),
)
def test_every_sequence_once(lengths, batch_size, seed):
    x = [np.full((t, 2), i + 0.5) for i, t in enumerate(lengths)]
    y = [np.full(t, i) for i, t in enumerate(lengths)]
    data = Sequences(x, y)
    seen = []
    for batch in data.batches(batch_size, seed):
        assert batch.size <= batch_size and batch.x.flags.c_contiguous and not batch.continues
        for b, i in enumerate(batch.index):
            assert batch.lengths[b] == batch.y_lengths[b] == lengths[i]
            np.testing.assert_array_equal(batch.x[: lengths[i], b], x[i])
            np.testing.assert_array_equal(batch.y[b, : lengths[i]], y[i])
            seen.append(i)
    assert sorted(seen) == list(range(len(lengths))) and batch.done == len(data) == len(lengths)
    if seed is not None:
        again = np.concatenate([batch.index for batch in data.batches(batch_size, seed)])
        np.testing.assert_array_equal(again, seen)


def test_arrays_and_their_targets(rng):
    x, y = rng.standard_normal((5, 4, 2)), rng.standard_normal((5, 4, 1))
    batch = Sequences(x, y).take(np.array([3, 1]))
    assert batch.lengths is None
    np.testing.assert_array_equal(batch.x[:, 0], x[3])
    np.testing.assert_array_equal(batch.y, y[[3, 1]])
    steps, lengths = batch.y_steps()
    assert lengths is None
    np.testing.assert_array_equal(steps[:, 1], y[1])


def test_targets_lie_alike_whatever_they_came_as(rng):
    """Of an array, of a list, of a list with as many steps each, and of a stream: [B, S, ...]."""
    x, y = rng.standard_normal((3, 4, 2)), rng.standard_normal((3, 4, 1))
    take = np.array([2, 0])
    of_array, of_list = Sequences(x, y).take(take), Sequences(list(x), list(y)).take(take)
    ragged = Sequences([x[0], x[1, :2]], [y[0], y[1, :2]]).take(np.array([1, 0]))
    (stream,) = Stream(x.reshape(12, 2), y.reshape(12, 1)).batches(3)
    np.testing.assert_array_equal(of_array.y, y[take])
    np.testing.assert_array_equal(of_list.y, y[take])
    np.testing.assert_array_equal(stream.y, y)
    assert ragged.y.shape == (2, 4, 1) and ragged.y_lengths.tolist() == [2, 4]
    for batch in (of_array, of_list, stream):
        steps, lengths = batch.y_steps()
        assert lengths is None and steps.flags.c_contiguous
        np.testing.assert_array_equal(steps, batch.y.swapaxes(0, 1))
    np.testing.assert_array_equal(ragged.y_steps()[1], [2, 4])


@settings(max_examples=50, deadline=None)
@given(n=st.integers(2, 60), lanes=st.integers(1, 7), steps=st.integers(1, 9))
def test_stream_reads_each_lane_in_order(n, lanes, steps):
    data = Stream(np.arange(n), steps=steps)
    batches = list(data.batches(lanes))
    x = np.concatenate([batch.x for batch in batches])
    y = np.concatenate([batch.y_steps()[0] for batch in batches])
    np.testing.assert_array_equal(y, x + 1)
    lanes = min(lanes, n - 1)
    length = (n - 1) // lanes
    np.testing.assert_array_equal(x.T.reshape(-1), np.arange(lanes * length))
    assert [batch.continues for batch in batches] == [False] + [True] * (len(batches) - 1)
    assert batches[-1].done == lanes * length


def test_stream_of_features(rng):
    x, y = rng.standard_normal((10, 3)), rng.standard_normal((10, 1))
    (batch,) = Stream(x, y).batches(2)
    np.testing.assert_array_equal(batch.x[:, 1], x[5:])
    np.testing.assert_array_equal(batch.y[1], y[5:])


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5), steps=st.integers(1, 5))
def test_pieces_make_up_the_whole(lengths, steps):
    x = [np.arange(t, dtype=float)[:, None] + 100 * i for i, t in enumerate(lengths)]
    data = Sequences(x, x, truncate=steps)
    pieces = list(data.batches(len(lengths)))
    assert all(len(piece.x) <= steps for piece in pieces)
    assert [piece.continues for piece in pieces] == [False] + [True] * (len(pieces) - 1)
    for b, i in enumerate(pieces[0].index):
        own = [piece.x[: piece.lengths[b], b] for piece in pieces]
        np.testing.assert_array_equal(np.concatenate(own), x[i])
        np.testing.assert_array_equal(np.concatenate([p.y[b, : p.y_lengths[b]] for p in pieces]), x[i])


def test_forecast_windows():
    series = np.arange(30.0).reshape(10, 3)
    data = forecast_windows(series, 4, 2, targets=[2], future=[0], stride=2)
    assert data.x.shape == (3, 4, 3) and data.y.shape == (3, 2, 1) and data.future.shape == (3, 2, 1)
    np.testing.assert_array_equal(data.x[1], series[2:6])
    np.testing.assert_array_equal(data.y[1], series[6:8, 2:])
    np.testing.assert_array_equal(data.future[1], series[6:8, :1])
    batch = data.take(np.array([2, 0]))
    np.testing.assert_array_equal(batch.future[:, 0], series[8:10, :1])
    assert forecast_windows(series, 4, 2).future is None


def test_lists_of_numbers_are_sequences():
    data = Sequences([[1, 2, 3], [4], []], [True, False, True])
    (batch,) = data.batches(3)
    assert batch.x.dtype == np.int64 and batch.x[:, 0].tolist() == [1, 2, 3]
    assert batch.lengths.tolist() == [3, 1, 0] and batch.y.tolist() == [True, False, True]
    data = Sequences([[[0.5, 1]], [[2, 3], [4, 5]]], [0.1, 0.2])
    assert data.x[0].dtype == data.x[1].dtype == np.float32  # that of layers
    assert data.y.dtype == np.float64 and data.y.tolist() == [0.1, 0.2]  # losses cast it to the prediction's
    with pytest.raises(ValueError, match="x: expected numbers, or texts with a vocabulary, got texts"):
        Sequences(np.array(["a", "b"]))


REFUSALS = {
    "x: expected at least one sequence, got none": lambda: Sequences([]),
    r"x: expected \[n, T, ...\], got \[3\] float64": lambda: Sequences(np.zeros(3)),
    "x: expected an array .n, .... or a list of arrays, got 3": lambda: Sequences(3),
    r"x\[1\]: expected \[t, 2\] float64, got \[4, 3\] float64": lambda: Sequences(
        [np.zeros((3, 2)), np.zeros((4, 3))]
    ),
    "y: expected one for each of 2 sequences, got 3": lambda: Sequences(np.zeros((2, 3, 1)), np.zeros(3)),
    "truncate: expected y with a target for each step of x": lambda: Sequences(
        np.zeros((2, 3, 1)), np.zeros((2, 4)), truncate=2
    ),
    "y: expected a target for each step, got .2. float64": lambda: next(
        Sequences(np.zeros((2, 3, 1)), np.zeros(2)).batches(2)
    ).y_steps(),
    "x: expected at least two steps, got .1. int64": lambda: Stream(np.zeros(1, int)),
    "y: expected targets for features x, got None with x .5, 2. float64": lambda: Stream(np.zeros((5, 2))),
    "y: expected 5 steps as in x, got .4. float64": lambda: Stream(np.zeros((5, 2)), np.zeros(4)),
    r"series: expected \[n, F\] with at least 7 steps, got \[6, 1\] float64": lambda: forecast_windows(
        np.zeros((6, 1)), 5, 2
    ),
    r"train: expected \(x, y\), Sequences, Samples or Stream, got 3": lambda: as_data("train", 3),
    "train: y: expected one for each of 2 sequences, got 3": lambda: as_data(
        "train", (np.zeros((2, 3, 1)), np.zeros(3))
    ),
}


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    with pytest.raises(ValueError, match=message):
        REFUSALS[message]()
