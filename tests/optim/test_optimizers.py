"""Optimisers, clipping and learning-rate schedules, against PyTorch's."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import elman
from elman.train import (
    SGD,
    Adam,
    AdamW,
    RMSProp,
    clip_global_norm,
    clip_value,
    global_norm,
)

RULES = [
    (SGD, torch.optim.SGD, {}),
    (SGD, torch.optim.SGD, {"weight_decay": 0.1}),
    (SGD, torch.optim.SGD, {"momentum": 0.9}),
    (SGD, torch.optim.SGD, {"momentum": 0.8, "nesterov": True, "weight_decay": 0.1}),
    (RMSProp, torch.optim.RMSprop, {}),
    (RMSProp, torch.optim.RMSprop, {"decay": 0.9, "epsilon": 1e-3, "weight_decay": 0.1}),
    (RMSProp, torch.optim.RMSprop, {"momentum": 0.9}),
    (Adam, torch.optim.Adam, {}),
    (Adam, torch.optim.Adam, {"betas": (0.8, 0.99), "epsilon": 1e-3, "weight_decay": 0.1}),
    (Adam, torch.optim.Adam, {"betas": (0.0, 0.0)}),
    (AdamW, torch.optim.AdamW, {}),
    (AdamW, torch.optim.AdamW, {"betas": (0.8, 0.99), "weight_decay": 0.3}),
]
TORCH_NAMES = {"decay": "alpha", "epsilon": "eps"}
by_rule = pytest.mark.parametrize(
    ("rule", "twin", "options"), RULES, ids=lambda v: getattr(v, "__name__", str(v))
)


class Free:
    """Parameters of any shapes, without a layer."""

    def __init__(self, rng, shapes, dtype):
        self.parameters = {f"p{i}": np.array(rng.standard_normal(s), dtype) for i, s in enumerate(shapes)}
        self.grads = {name: np.zeros_like(value) for name, value in self.parameters.items()}

    def draw_grads(self, rng, scale=1.0):
        for grad in self.grads.values():
            grad[...] = scale * rng.standard_normal(grad.shape)


SHAPES = [(1,), (7, 9), (18,), (33, 5), (4100,), (0, 3), ()]


@by_rule
def test_steps_equal_torch(isa, dtype, rule, twin, options, rng):
    """Step for step, while the learning rate changes, with gradients scaled on the way."""
    model = Free(rng, SHAPES, dtype)
    parameters = [torch.nn.Parameter(torch.from_numpy(v.copy())) for v in model.parameters.values()]
    optimizer = rule(model, learning_rate=0.01, **options)
    other = twin(parameters, lr=0.01, **{TORCH_NAMES.get(k, k): v for k, v in options.items()})
    tolerance = 1e-13 if dtype == np.float64 else 2e-6
    for step in range(10):
        model.draw_grads(rng)
        for parameter, grad in zip(parameters, model.grads.values(), strict=True):
            parameter.grad = torch.from_numpy(grad.copy()) * 0.5
        optimizer.learning_rate = other.param_groups[0]["lr"] = 0.01 / (1 + step)
        optimizer.step(scale=0.5)
        other.step()
        for parameter, value in zip(parameters, model.parameters.values(), strict=True):
            np.testing.assert_allclose(value, parameter.detach().numpy(), rtol=tolerance, atol=tolerance)
    assert optimizer.steps == 10


def run(rule, options, isa, threads, dtype, shapes, steps=4):
    elman.use_isa(isa)
    elman.set_num_threads(threads)
    rng = np.random.default_rng(0)
    model = Free(rng, shapes, dtype)
    optimizer = rule(model, learning_rate=0.01, **options)
    norms = []
    for _ in range(steps):
        model.draw_grads(rng)
        norms.append(global_norm(model))
        optimizer.step(0.7)
    return norms, {**model.parameters, **optimizer.state_dict()["arrays"]}


@by_rule
def test_bits_do_not_depend_on_the_instruction_set(dtype, rule, twin, options):
    """Not even on whether it has vectors and fused multiply-adds."""
    want_norms, want = run(rule, options, "scalar", 1, dtype, SHAPES)
    for isa in elman.isas():
        norms, got = run(rule, options, isa, 1, dtype, SHAPES)
        assert norms == want_norms
        for name, value in want.items():
            np.testing.assert_array_equal(got[name], value)


@pytest.mark.slow
@pytest.mark.parametrize("rule", [SGD, RMSProp, AdamW])
def test_bits_do_not_depend_on_threads(dtype, rule):
    """In arrays so large that sleeping workers are woken."""
    options, shapes = {} if rule is AdamW else {"momentum": 0.9}, [(1_000_001,), (3,), (700, 1000)]
    want_norms, want = run(rule, options, elman.isas()[0], 1, dtype, shapes, steps=2)
    for threads in (2, 5):
        norms, got = run(rule, options, elman.isas()[0], threads, dtype, shapes, steps=2)
        assert norms == want_norms
        for name, value in want.items():
            np.testing.assert_array_equal(got[name], value)


@settings(max_examples=50, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 70) | st.integers(4090, 4100), min_size=1, max_size=6),
    isa=st.sampled_from(elman.isas()),
    double=st.booleans(),
)
def test_any_sizes_and_nothing_beyond_them(sizes, isa, double):
    """Every array is changed as it would be alone, and the memory around it is left as it was."""
    elman.use_isa(isa)
    dtype = np.float64 if double else np.float32
    rng = np.random.default_rng(sum(sizes))
    blocks = [rng.standard_normal(n + 2).astype(dtype) for n in sizes]
    before = [block.copy() for block in blocks]
    model, alone = Free(rng, [], dtype), Free(rng, [(n,) for n in sizes], dtype)
    model.parameters = {f"p{i}": block[1:-1] for i, block in enumerate(blocks)}
    alone.draw_grads(rng)
    model.grads = alone.grads
    for i, value in enumerate(alone.parameters.values()):
        value[:] = before[i][1:-1]
    Adam(model).step()
    for name in alone.parameters:
        one = Free(rng, [], dtype)
        one.parameters, one.grads = {name: alone.parameters[name]}, {name: alone.grads[name]}
        Adam(one).step()
        np.testing.assert_array_equal(model.parameters[name], one.parameters[name])
    for block, old in zip(blocks, before, strict=True):
        assert block[0] == old[0] and block[-1] == old[-1]


@by_rule
def test_a_resumed_run_goes_on_bit_for_bit(dtype, rule, twin, options):
    def trained(stops):
        rng = np.random.default_rng(0)
        model = Free(rng, SHAPES, dtype)
        optimizer = rule([model], learning_rate=0.01, **options)
        for step in range(12):
            if step in stops:
                state = optimizer.state_dict()
                numbers = json.loads(json.dumps(state["steps"]))
                optimizer = rule([model], learning_rate=0.01, **options)
                optimizer.load_state_dict({"steps": numbers, "arrays": state["arrays"]})
            model.draw_grads(rng)
            optimizer.step()
        return model.parameters

    want, got = trained([]), trained([1, 7])
    for name, value in want.items():
        np.testing.assert_array_equal(got[name], value)


def test_a_state_dict_is_a_copy_under_dotted_names(rng):
    layers = [elman.GRU(3, 4), elman.Linear(4, 2)]
    optimizer = Adam(layers)
    state = optimizer.state_dict()
    assert state["steps"] == 0
    assert {"first.0.weight_hh_l0", "second.0.weight_hh_l0", "first.1.bias"} <= state["arrays"].keys()
    layers[1].grads["bias"][:] = 1
    optimizer.step()
    assert not state["arrays"]["first.1.bias"].any()
    assert optimizer.state_dict()["arrays"]["first.1.bias"].all()


def test_a_model_of_properties(rng):
    """Dicts that are made anew at each look, over the same arrays."""
    layer = elman.Linear(3, 2, seed=0)

    class Composed:
        parameters = property(lambda self: {f"head.{k}": v for k, v in layer.parameters.items()})
        grads = property(lambda self: {f"head.{k}": v for k, v in layer.grads.items()})

    optimizer, before = SGD(Composed(), 0.5), layer.state_dict()
    for grad in layer.grads.values():
        grad[:] = 1
    optimizer.step(2.0)
    for name, value in layer.parameters.items():
        np.testing.assert_array_equal(value, before[name] - 1)
    assert global_norm(Composed()) == pytest.approx(math.sqrt(8))


@by_rule
def test_a_rate_of_zero_and_a_missing_gradient_change_nothing(dtype, rule, twin, options, rng):
    model = Free(rng, SHAPES, dtype)
    before = {name: value.copy() for name, value in model.parameters.items()}
    optimizer = rule(model, learning_rate=0.1, **(options | {"weight_decay": 0.0}))
    optimizer.step()  # all gradients are 0
    model.draw_grads(rng)
    optimizer.learning_rate = 0.0
    optimizer.step()
    for name, value in model.parameters.items():
        np.testing.assert_array_equal(value, before[name])


def test_denormals_are_flushed(isa, dtype):
    """The moments of a parameter whose gradient is gone decay to 0 and not into denormals."""
    model = Free(np.random.default_rng(0), [(33,)], dtype)
    optimizer = Adam(model, betas=(0.5, 0.5))
    model.grads["p0"][:] = np.finfo(dtype).tiny * 8
    optimizer.step()
    model.grads["p0"][:] = 0
    for _ in range(8):
        optimizer.step()
    assert not optimizer.state_dict()["arrays"]["first.p0"].any()


def test_nan_reaches_only_its_own_element(isa, dtype, rng):
    model = Free(rng, [(40,), (40,)], dtype)
    model.grads["p0"][17] = np.nan
    for rule in (SGD, RMSProp, Adam):
        rule(model, learning_rate=0.1).step()
    assert np.flatnonzero(np.isnan(model.parameters["p0"])).tolist() == [17]
    assert not np.isnan(model.parameters["p1"]).any()
    assert math.isnan(global_norm(model))


def torch_grads(model):
    parameters = [torch.nn.Parameter(torch.from_numpy(v)) for v in model.parameters.values()]
    for parameter, grad in zip(parameters, model.grads.values(), strict=True):
        parameter.grad = torch.from_numpy(grad.copy())
    return parameters


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e15])
def test_clipping_equals_torch(isa, dtype, scale, rng):
    model = Free(rng, SHAPES, dtype)
    model.draw_grads(rng, scale)
    exact = math.sqrt(sum(float(np.square(g, dtype=float).sum()) for g in model.grads.values()))
    before = {name: grad.copy() for name, grad in model.grads.items()}
    assert global_norm(model) == pytest.approx(exact, rel=1e-12)

    twins = torch_grads(model)
    torch.nn.utils.clip_grad_value_(twins, 1.5)
    clipped = Free(rng, SHAPES, dtype)
    clipped.grads = {name: grad.copy() for name, grad in before.items()}
    assert clip_value(clipped, 1.5) == pytest.approx(exact, rel=1e-12)
    for grad, twin in zip(clipped.grads.values(), twins, strict=True):
        np.testing.assert_array_equal(grad, twin.grad.numpy())

    twins = torch_grads(model)
    torch.nn.utils.clip_grad_norm_(twins, 1.5)
    assert clip_global_norm([model], 1.5) == pytest.approx(exact, rel=1e-12)
    assert global_norm(model) == pytest.approx(min(exact, 1.5), rel=1e-6)
    for grad, twin in zip(model.grads.values(), twins, strict=True):
        np.testing.assert_allclose(grad, twin.grad.numpy(), rtol=3e-6)


def test_small_gradients_stay_as_they_are(rng):
    model = Free(rng, [(3,)], np.float32)
    model.draw_grads(rng)
    before = model.grads["p0"].copy()
    clip_global_norm(model, 100)
    clip_value(model, 100)
    np.testing.assert_array_equal(model.grads["p0"], before)


def test_the_norm_does_not_overflow(isa):
    model = Free(np.random.default_rng(0), [(9,)], np.float32)
    model.grads["p0"][:] = 1e30
    assert global_norm(model) == pytest.approx(3e30)


# Schedules
