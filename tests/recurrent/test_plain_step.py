"""A step over plain weights has the bits of a packed one, and reads nothing outside the weights."""

import itertools

import numpy as np
import pytest

import elman
from elman import _core
from tests.fuzz.arguments import fenced

CELLS = _core.cells()


def at_the_edge(array):
    """The same numbers, and after them a page that may not be touched."""
    inside = fenced(array.nbytes).view(array.dtype).reshape(array.shape)
    inside[...] = array
    return inside


def make_weights(rng, cell, I, H, L, dtype, bias=True):  # noqa: E741
    rows = len(CELLS[cell]["gates"]) * H

    def some(*shape):
        return at_the_edge(rng.normal(size=shape).astype(dtype) / 3)

    return [
        [[some(rows, width), some(rows, H), *([some(rows), some(rows)] if bias else [None, None])]]
        for width in [I] + [H] * (L - 1)
    ]


def packed_step(cell, weights, x, initial, B, H):
    stepper = _core.stepper(_core.pack(cell, weights), B)
    for k, state in enumerate(initial):
        if state is not None:
            stepper.set_state(k, state)
    y = stepper.step(x)
    return [y, *(stepper.get_state(k) for k in range(len(initial)))]


def plain_step(cell, weights, x, initial, B, H):
    L = len(weights)
    y = at_the_edge(np.full((B, H), np.nan, x.dtype))
    final = [at_the_edge(np.full((L, B, H), np.nan, x.dtype)) for _ in initial]
    _core.step(cell, weights, x, y, initial, final)
    return [y, *final]


SIZES = [(1, 1, 1), (3, 3, 2), (5, 7, 3), (9, 9, 5), (130, 18, 6), (2, 33, 7), (40, 129, 1), (17, 40, 19)]


@pytest.mark.parametrize("cell", CELLS)
def test_bits_are_those_of_a_packed_step(cell, isa, dtype, rng):
    states = len(CELLS[cell]["states"])
    kinds = itertools.cycle(itertools.product((1, 3), (True, False), (True, False)))
    for (I, H, B), (L, bias, given) in zip(SIZES, kinds, strict=False):  # noqa: E741
        weights = make_weights(rng, cell, I, H, L, dtype, bias)
        x = at_the_edge(rng.normal(size=(B, I)).astype(dtype))
        initial = [at_the_edge(rng.normal(size=(L, B, H)).astype(dtype)) if given else None] * states
        for got, want in zip(
            plain_step(cell, weights, x, initial, B, H),
            packed_step(cell, weights, x, initial, B, H),
            strict=True,
        ):
            np.testing.assert_array_equal(got, want, err_msg=f"I {I}, H {H}, B {B}, L {L}")


@pytest.mark.parametrize("schedule", ["rows", "units", "both"])
@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_bit(threads, schedule, monkeypatch, rng):
    I, H, B, L = 20, 70, 8, 2  # noqa: E741
    weights = make_weights(rng, "lstm", I, H, L, np.float32)
    x = rng.normal(size=(B, I)).astype(np.float32)
    want = packed_step("lstm", weights, x, [None] * 2, B, H)
    monkeypatch.setenv("ELMAN_SCHEDULE", schedule)
    elman.set_num_threads(threads)
    for got, expected in zip(plain_step("lstm", weights, x, [None] * 2, B, H), want, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_weights_are_those_of_the_call(rng):
    """Nothing of an earlier call is left."""
    weights = make_weights(rng, "gru", 5, 9, 1, np.float32)
    x = rng.normal(size=(2, 5)).astype(np.float32)
    before = plain_step("gru", weights, x, [None], 2, 9)
    weights[0][0][0][...] *= 2
    after = plain_step("gru", weights, x, [None], 2, 9)
    assert (before[0] != after[0]).any()
    np.testing.assert_array_equal(after[0], packed_step("gru", weights, x, [None], 2, 9)[0])
