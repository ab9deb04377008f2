"""What optimisers, clipping and schedules refuse."""

import math
import re

import numpy as np
import pytest
import torch

import elman
from elman import _core
from elman.train import (
    SGD,
    Adam,
    AdamW,
    Constant,
    Cosine,
    Exponential,
    Optimizer,
    Plateau,
    RMSProp,
    Steps,
    WarmUp,
    clip_global_norm,
    clip_value,
    global_norm,
)

f32 = np.float32


def linear(**options):
    return elman.Linear(3, 2, **options)


class Parts:
    def __init__(self, parameters, grads):
        self.parameters, self.grads = parameters, grads


def zeros(*shape, dtype=f32):
    return np.zeros(shape, dtype)


def shared():
    layer = linear()
    return SGD([layer, layer], 0.1)


def read_only():
    value = zeros(2)
    value.flags.writeable = False
    Adam(Parts({"w": value}, {"w": zeros(2)})).step()


def stepped(learning_rate, *arguments):
    optimizer = SGD(linear(), 0.1)
    optimizer.learning_rate = learning_rate
    optimizer.step(*arguments)


def loaded(change):
    optimizer = SGD(linear(), 0.1, momentum=0.9)
    state = optimizer.state_dict()
    optimizer.load_state_dict(change(state))


REFUSALS = [
    (lambda: SGD(linear(), 0), "learning_rate: expected a number above 0, got 0"),
    (lambda: SGD(linear(), 0.1, momentum=1), "momentum: expected a number from 0 up to, not including, 1, got 1"),
    (lambda: SGD(linear(), 0.1, nesterov=1), "nesterov: expected True or False, got 1"),
    (lambda: SGD(linear(), 0.1, nesterov=True), "momentum: expected a number above 0 with nesterov=True, got 0.0"),
    (lambda: SGD(linear(), 0.1, weight_decay=-1), "weight_decay: expected a finite number of at least 0, got -1"),
    (lambda: RMSProp(linear(), decay=1.5), "decay: expected a number from 0 up to, not including, 1, got 1.5"),
    (lambda: RMSProp(linear(), epsilon=0), "epsilon: expected a number above 0, got 0"),
    (lambda: RMSProp(linear(), momentum=-1), "momentum: expected a number from 0 up to, not including, 1, got -1"),
    (lambda: Adam(linear(), betas=0.9), "betas: expected a pair of numbers, got 0.9"),
    (lambda: AdamW(linear(), betas=(0.9, 1)), "betas[1]: expected a number from 0 up to, not including, 1, got 1"),
    (lambda: AdamW(linear(), weight_decay=math.nan), "weight_decay: expected a finite number of at least 0, got nan"),
    (lambda: Adam([]), "model: expected parameters and a gradient for each, got parameters [] and gradients []"),
    (lambda: Adam(torch.nn.Linear(1, 1)), "model: expected a layer or model with parameters, arrays by name, or"),
    (
        lambda: Adam([linear(), 3]),
        "model: expected a layer or model with parameters, arrays by name, or a list of such, got 3",
    ),
    (lambda: Adam(Parts({"w": [1.0]}, {})), "model: expected a layer or model with parameters, arrays by name, or"),
    (lambda: Adam(Parts({"w": zeros(2)}, None)), "model: expected a layer or model with grads, arrays by name, or"),
    (
        lambda: Adam(Parts({"w": zeros(2)}, {"v": zeros(2)})),
        "model: expected parameters and a gradient for each, got parameters ['w'] and gradients ['v']",
    ),
    (lambda: Adam(Parts({"w": zeros(2)}, {"w": zeros(3)})), "gradient of w: expected [2] float32, got [3] float32"),
    (
        lambda: Adam([linear(), linear(dtype=float)]),
        "1.weight: expected [2, 3] float32, got [2, 3] float64",
    ),
    (lambda: Adam(Parts({"w": zeros(2, dtype=int)}, {"w": zeros(2)})), "dtype of w: expected float32 or float64"),
    (
        lambda: Adam(Parts({"w": zeros(2, 3).T}, {"w": zeros(3, 2)})),
        "w: expected a C-contiguous array, got strides",
    ),
    (shared, "1.weight: expected each parameter once, got the same array as 0.weight; give layers that are shared"),
    (lambda: Adam(dict(linear().parameters)), "model: expected a layer or model with parameters, arrays by name, or"),
    (read_only, "w: expected a parameter that may change, got a read-only array"),
    (lambda: stepped(-0.1), "learning_rate: expected a finite number of at least 0, got -0.1"),
    (lambda: stepped(math.inf), "learning_rate: expected a finite number of at least 0, got inf"),
    (lambda: stepped(0.1, math.nan), "scale: expected a finite number of at least 0, got nan"),
    (lambda: stepped(0.1, "1"), "scale: expected a finite number of at least 0, got '1'"),
    (lambda: loaded(lambda state: None), "state_dict: expected steps and arrays, got None"),
    (lambda: loaded(lambda state: {"steps": 1}), "state_dict: expected steps and arrays, got ['steps']"),
    (lambda: loaded(lambda state: state | {"steps": -1}), "steps: expected a whole number of at least 0, got -1"),
    (
        lambda: loaded(lambda state: Adam(linear()).state_dict()),
        "state_dict: expected the names momentum.weight, momentum.bias, got none for ",
    ),
    (
        lambda: loaded(lambda state: SGD(linear(dtype=float), 0.1, momentum=0.9).state_dict()),
        "momentum.weight: expected [2, 3] float32, got [2, 3] float64",
    ),
    (lambda: clip_global_norm(linear(), 0), "limit: expected a number above 0, got 0"),
    (lambda: clip_value(linear(), -1), "limit: expected a number above 0, got -1"),
    (lambda: global_norm(None), "model: expected a layer or model with parameters, arrays by name, or a list of such"),
    (lambda: Cosine(0), "epochs: expected a number above 0, got 0"),
    (lambda: Cosine(5, floor=1), "floor: expected a number from 0 up to, not including, 1, got 1"),
    (lambda: Steps(0), "every: expected a number above 0, got 0"),
    (lambda: Steps(1, -1), "factor: expected a number above 0, got -1"),
    (lambda: Exponential("x"), "factor: expected a number above 0, got 'x'"),
    (lambda: WarmUp(-1), "epochs: expected a number above 0, got -1"),
    (lambda: WarmUp(1, start=1), "start: expected a number from 0 up to, not including, 1, got 1"),
    (lambda: WarmUp(1, 0.5), "then: expected a learning-rate schedule, got 0.5"),
    (lambda: Plateau(1.0), "factor: expected a number below 1, got 1.0"),
    (lambda: Plateau(0), "factor: expected a number above 0, got 0"),
    (lambda: Plateau(patience=-1), "patience: expected a whole number of at least 0, got -1"),
    (lambda: Plateau(threshold=1), "threshold: expected a number from 0 up to, not including, 1, got 1"),
    (lambda: Plateau(floor=-1), "floor: expected a number from 0 up to, not including, 1, got -1"),
    (
        lambda: Plateau().load_state_dict({}),
        "state_dict: expected the names ['current', 'best', 'waited'], got []",
    ),
    (
        lambda: Plateau().load_state_dict({"current": -1, "best": 1.0, "waited": 0}),
        "current: expected a finite number of at least 0, got -1",
    ),
    (
        lambda: Plateau().load_state_dict({"current": 1.0, "best": 1.0, "waited": 0.5}),
        "waited: expected a whole number of at least 0, got 0.5",
    ),
    (lambda: Constant().load_state_dict({"a": 1}), "state_dict: expected the names [], got ['a']"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), REFUSALS, ids=lambda v: v if isinstance(v, str) else "")
def test_refusal(call, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        call()


def test_a_read_only_array_is_refused_before_any_work():
    layers = [linear(seed=0), Parts({"w": np.ones(2, f32)}, {"w": zeros(2)})]
    optimizer = Adam(layers)
    for layer in layers:
        for grad in layer.grads.values():
            grad[:] = 1
    before = [{name: value.copy() for name, value in layer.parameters.items()} for layer in layers]
    layers[1].parameters["w"].flags.writeable = False
    with pytest.raises(ValueError, match=r"1\.w: expected a parameter that may change"):
        optimizer.step()
    for layer, values in zip(layers, before, strict=True):
        for name, value in values.items():
            np.testing.assert_array_equal(layer.parameters[name], value)
    assert optimizer.steps == 0 and not any(a.any() for a in optimizer.state_dict()["arrays"].values())
    layers[1].parameters["w"].flags.writeable = True
    optimizer.step()
    assert (layers[1].parameters["w"] != before[1]["w"]).all()


def test_an_optimiser_of_ones_own():
    class Signs(Optimizer):
        def __init__(self, model):
            super().__init__(model, 0.5, 0.0, states=[])

        def _update(self, arrays, rate, scale, decay):
            for value, grad in zip(*arrays, strict=True):
                value -= rate * scale * np.sign(grad)

    layer = linear()
    layer.grads["bias"][:] = [3, -3]
    Signs(layer).step()
    np.testing.assert_array_equal(layer.parameters["bias"], [-0.5, 0.5])


READ_ONLY = zeros(3)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ([[zeros(3)]], "arrays: expected values and grads"),
        ([[zeros(3)]] * 4, "arrays: expected values, grads and the rule's states"),
        ([[zeros(3)], []], "arrays: expected lists of one length"),
        ([[zeros(3)], [zeros(4)]], "values: expected a writeable C-contiguous float32 array of 4 elements"),
        ([[zeros(3)], [zeros(3)], [zeros(2)]], "states: expected a writeable C-contiguous float32 array of 3"),
        ([[zeros(3)], [zeros(3, dtype=float)]], "grads: expected a C-contiguous float32 array of 3 elements"),
        ([[zeros(3)], [None]], "grads: expected arrays"),
        ([[None], [zeros(3)]], "values: expected arrays"),
        ([[READ_ONLY], [zeros(3)]], "values: expected a writeable"),
        ([[zeros(6)[::2]], [zeros(3)]], "values: expected a writeable C-contiguous"),
    ],
)  # fmt: skip
def test_the_engine_touches_nothing_outside_an_array(arrays, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        _core.sgd(arrays, 0.1, 1.0, 0.0, 0.0, False)
