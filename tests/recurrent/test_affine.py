"""Recurrences that are affine in their states: found in whatever words, and done as one instruction."""

import numpy as np
import pytest

import elman
from elman import cells
from elman.cells import exp, sigmoid, tanh
from elman.tracing import trace
from elman.tracing.affine import in_affine_form


def written():
    """Functions of a, b (slots) and states, and how many of the states such a recurrence has; 0: it is none."""
    return {
        "plain": (lambda a, b, h: sigmoid(a) * h + b, 1),
        # A small sigmoid(a) would be lost in 1 - sigmoid(a).
        "gate": (lambda a, b, h: h + sigmoid(a) * (b - h), 0),
        "difference": (lambda a, b, h: sigmoid(a) * (h - b), 0),  # smaller than sigmoid(a) * b may be
        "difference and more": (lambda a, b, h: sigmoid(a) * (h - b) + a, 0),
        "twice what is between": (lambda a, b, h: 2 * (sigmoid(a) * (h - b)) + 2 * b + a, 1),
        "forget gate": (lambda a, b, h: b + sigmoid(a) * (h - b), 1),
        "kept apart": (lambda a, b, h: a * (b * h) + b, 0),  # a * b may be larger than a number can be
        "other gate": (lambda a, b, h: (1 - sigmoid(a)) * h + sigmoid(a) * tanh(b), 1),
        "minus": (lambda a, b, h: b - sigmoid(a) * h, 1),
        "from a number": (lambda a, b, h: 2 - (sigmoid(a) * h - b) * 0.5, 1),
        "twice": (lambda a, b, h: a * h * 0.3 + b + h * sigmoid(b), 0),
        "number times the state": (lambda a, b, h: 0.5 * h + a + b, 0),
        "the state as it is": (lambda a, b, h: h + a * b, 0),
        "no constant": (lambda a, b, h: sigmoid(a + b) * h, 0),
        "of a function": (lambda a, b, h: sigmoid(a) * tanh(h) + b, 0),
        "squared": (lambda a, b, h: 0.1 * sigmoid(a) * h * h + b, 0),
        "two": (lambda a, b, h, c: (a * h - b * c + a, tanh(b) * h + c * a * 0.5 + b), 2),
        "two, one reads one": (lambda a, b, h, c: (a * h + b, tanh(b) * h + c * a * 0.5 + b), 0),
        "beyond h": (lambda a, b, h, c: (tanh(c) * b, sigmoid(a) * c + b), 1),
        "beyond h, from h": (lambda a, b, h, c: (sigmoid(a) * c + b, sigmoid(b) * c - a), 1),
    }


def make(name):
    function, _ = written()[name]
    states = "h c" if function.__code__.co_argcount == 4 else "h"
    return trace(function, {"a": "x", "b": "x"}, states)


@pytest.mark.parametrize("name", written())
def test_found(name):
    cell, count = make(name), written()[name][1]
    nodes, results = in_affine_form(cell.nodes, cell.results)
    carried = sorted({node.which for node in cell.nodes if node.op == "state"})
    fused = [
        k for k in carried if nodes[results[k]].op == "fma" and nodes[nodes[results[k]].args[1]].op == "state"
    ]
    if count:
        assert fused == carried and len(carried) == count
        ops = [i.op for i in cell.programs.forward[1].instructions]
        assert set(ops) <= {"load_left", "load_state", "fma", "store_state", "store_left"}
    else:
        assert (nodes, results) == (list(cell.nodes), list(cell.results))


@pytest.mark.parametrize("name", written())
@pytest.mark.parametrize("H", [1, 7, 33])
def test_equals_steps_of_numpy(name, H):
    """float64, with lengths and resets, forward and the gradients by differences."""
    cell = make(name)
    layer = elman.Recurrent(cell, 2, H, dtype=np.float64, seed=0, init="uniform")
    rng = np.random.default_rng(1)
    x, reset = 0.3 * rng.standard_normal((70, 3, 2)), rng.random((70, 3)) < 0.05
    lengths = np.array([70, 33, 0])
    y, _, backward = layer.forward(x, lengths=lengths, reset=reset)
    sums = x @ layer.parameters["weight_ih_l0"].T + layer.parameters["bias_ih_l0"]
    now = [np.zeros((3, H)) for _ in cell.states]
    for t in range(70):
        now = [np.where(reset[t][:, None], 0, part) for part in now]
        values = dict(zip("ab", np.split(sums[t], 2, -1), strict=True)) | dict(
            zip(cell.states, now, strict=True)
        )
        new = cell.evaluate(values)
        counts = (t < lengths)[:, None]
        now = [np.where(counts, n, old) for n, old in zip(new, now, strict=True)]
        np.testing.assert_allclose(y[t], np.where(counts, now[0], 0), rtol=1e-11, atol=1e-12)
    dy = rng.standard_normal(y.shape)
    dx, _ = backward(dy)
    move = rng.standard_normal(x.shape)
    slope = [np.sum(dy * layer(x + s * 1e-6 * move, lengths=lengths, reset=reset)[0]) for s in (1, -1)]
    np.testing.assert_allclose(np.sum(dx * move), (slope[0] - slope[1]) / 2e-6, rtol=2e-5, atol=1e-6)


def test_lru_turns_as_its_numbers_say():
    """Two states, beside complex numbers."""
    layer = elman.Recurrent(cells.lru, 3, 5, dtype=np.float64, seed=0)
    x = np.random.default_rng(0).standard_normal((200, 2, 3))
    nu, t = (layer.parameters[f"{name}_l0"] for name in ("nu", "t"))
    factor = np.exp(-np.exp(nu) + 2j * np.arctan(t))
    re, im = np.split(x @ layer.parameters["weight_ih_l0"].T + layer.parameters["bias_ih_l0"], 2, -1)
    state = np.zeros((2, 5), complex)
    y, _ = layer(x)
    for step in range(200):
        state = factor * state + np.sqrt(1 - np.abs(factor) ** 2) * (re[step] + 1j * im[step])
        np.testing.assert_allclose(y[step], state.real, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("slow", [1e-2, 1e-3, 1e-4])
def test_slow_gates_keep_what_float32_can_hold(slow):
    """A rate that stays the same errs in the same direction at every step."""
    cell = trace(lambda a, h: h + slow * (a - h), {"a": "x"}, "h")
    x = 1 + 0.1 * np.random.default_rng(0).standard_normal((20_000, 1, 1))
    y = []
    for dtype in (np.float32, np.float64):
        layer = elman.Recurrent(cell, 1, 1, dtype=dtype)
        layer.load_state_dict({"weight_ih_l0": np.ones((1, 1), dtype), "bias_ih_l0": np.zeros(1, dtype)})
        y.append(layer(x.astype(dtype))[0])
    assert np.abs(y[0] - y[1]).max() < 5e-6


def test_differences_of_large_numbers():
    cell = trace(lambda f, n, h: f * (h - n), {"f": "x", "n": "x"}, "h")
    layer = elman.Recurrent(cell, 2, 1, bias=False)
    layer.load_state_dict({"weight_ih_l0": np.eye(2, dtype=np.float32)})
    for f, n, h in ((0.3, 1e8, 1e8 + 8), (10, 3e38, 3e38)):
        y, _ = layer(np.array([[[f, n]]], np.float32), np.full((1, 1, 1), h, np.float32))
        assert y.item() == np.float32(f) * (np.float32(h) - np.float32(n))


def test_products_of_factors_that_are_too_large():
    cell = trace(lambda a, b, h: exp(a) * (exp(b) * h) + b, {"a": "x", "b": "x"}, "h")
    layer = elman.Recurrent(cell, 2, 1)
    layer.load_state_dict(
        {"weight_ih_l0": np.eye(2, dtype=np.float32), "bias_ih_l0": np.zeros(2, np.float32)}
    )
    assert layer(np.full((1, 1, 2), 60, np.float32))[0].item() == 60
