"""What an attack has found, and must not come back."""

import contextlib
import os
import signal
import threading
import time

import numpy as np
import pytest
import torch

import elman
import elman.torch
from elman import Recurrent
from elman.cells import clip, maximum, nas, sigmoid, sqrt, tanh, zoneout
from elman.tracing import CellDefinition, trace


def data(**changes):
    plain = {
        "name": "z", "doc": "", "slots": [["a", "xh"]], "states": ["h"], "params": [["p"]], "scalars": [], "bias": [],
        "nodes": [["slot", [], 0.0], ["vector", [], 0.0], ["mul", [0, 1], 0.0]], "results": [2],
    }  # fmt: skip
    return {**plain, **changes}


def test_a_leaf_has_one_number():
    CellDefinition.from_data(data())
    nodes = [
        ["slot", [], 0.0],
        ["vector", [], 0.0],
        ["vector", [], -0.0],
        ["mul", [1, 2], 0.0],
        ["add", [0, 3], 0.0],
    ]
    with pytest.raises(ValueError, match=r"node 2: expected the number of a vector, got -0\.0"):
        CellDefinition.from_data(data(nodes=nodes, results=[4]))


def test_a_random_number_is_no_state():
    nodes = [["slot", [], 0.0], ["vector", [], 0.0], ["mul", [0, 1], 0.0], ["random", [], 0.0]]
    with pytest.raises(ValueError, match="results: expected values, got a random number"):
        CellDefinition.from_data(data(nodes=nodes, states=["h", "c"], results=[2, 3]))


def test_some_slot_reads_x():
    with pytest.raises(ValueError, match="slots: expected at least one that is fed by x, got none"):
        trace(lambda a: tanh(a), {"a": "h"}, "h")


@pytest.mark.parametrize("name", ["slots", "params", "bias"])
def test_nobody_changes_a_definition(name):
    cell = trace(lambda a, p: a * p, "a", "h", "p", bias={"a": 1.0})
    with pytest.raises(TypeError):
        getattr(cell, name)["a"] = "x"


def test_zoneout_keeps_what_it_keeps_whatever_the_new_state_is():
    layer = Recurrent(trace(lambda a, h: zoneout(h, a, 0.5), "a", "h"), 1, 64, seed=0)
    for name, value in layer.parameters.items():
        layer.parameters[name] = np.full(value.shape, 1e38 if name == "weight_ih_l0" else 0, np.float32)
    y, _, _ = layer.forward(np.full((1, 1, 1), 1e10, np.float32))
    assert set(np.unique(y)) == {0, np.inf}


@pytest.mark.parametrize(
    "function",
    [lambda a: sqrt(maximum(a, 0.0)), lambda a: clip(a, 0.0, 1.0) * a, lambda a: clip(a, -1.0, 1.0)],
)
def test_a_nan_is_at_no_limit(function):
    """So the gradient passes, as in the operations of torch."""
    layer = Recurrent(trace(function, "a", "h"), 2, 3, dtype=np.float64, seed=0)
    y, _, backward = layer.forward(np.full((1, 1, 2), np.nan))
    dx, _ = backward(np.ones_like(y))
    assert np.isnan(y).all() and (dx != 0).all()


def test_what_a_cell_draws_is_counted_from_0():
    made = trace(lambda a, h: zoneout(h, a, 0.5), "a", "h").as_data()
    made["nodes"] = [[op, args, 3.0 if op == "random" else number] for op, args, number in made["nodes"]]
    with pytest.raises(
        ValueError, match=r"nodes: expected random leaves with the numbers 0 to 0, got \[3.0\]"
    ):
        CellDefinition.from_data(made)


def test_a_chance_outside_training_is_an_array_like_any_other():
    """In a file it can stand anywhere."""
    made = trace(lambda a, h: zoneout(h, a, 0.95), "a", "h").as_data()
    chance = next(n for n, (op, *_) in enumerate(made["nodes"]) if op == "chance")
    made["nodes"] += [["exp", [chance], 0.0], ["add", [made["results"][0], len(made["nodes"])], 0.0]]
    made["results"] = [len(made["nodes"]) - 1]
    cell = CellDefinition.from_data(made)
    layer = elman.torch.Recurrent(cell, 2, 3, dtype=torch.float64).eval()
    x = torch.randn(4, 2, 2, dtype=torch.float64, requires_grad=True)
    first, again = (
        torch.autograd.grad(layer(x)[0].sum(), x, create_graph=again)[0] for again in (False, True)
    )
    torch.testing.assert_close(first, again, rtol=1e-13, atol=1e-13)


def test_data_that_is_hard_to_write():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    for given, got in (
        ([deep] * 4, "got list"),
        (["exp", [10**5000], 0.0], "got a whole number of 16610 bits"),
    ):
        data = trace(lambda a: a, "a", "h").as_data()
        data["nodes"] = [*data["nodes"], given]
        with pytest.raises(ValueError, match=got):
            CellDefinition.from_data(data)


def test_numbers_are_those_of_float32():
    with pytest.raises(TypeError, match=r"expected a finite number, got 1e\+300; float32 holds up to 3.4e38"):
        trace(lambda a: a * 1e300, "a", "h")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_that_is_forked_while_a_thread_traces_goes_on():
    def large(a, h):
        for i in range(60):
            h = sigmoid(h * a + i) * tanh(h)
        return h

    stop = threading.Event()

    def define():
        while not stop.is_set():
            with contextlib.suppress(ValueError):
                trace(large, "a", "h")  # which makes its programs, to see whether they fit

    thread = threading.Thread(target=define)
    thread.start()
    try:
        for _ in range(4):
            time.sleep(0.05)
            pid = os.fork()
            if pid == 0:
                signal.alarm(10)
                elman.Recurrent(nas, 2, 3)
                CellDefinition.from_data(nas.as_data()).programs  # noqa: B018
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
    finally:
        stop.set()
        thread.join()
