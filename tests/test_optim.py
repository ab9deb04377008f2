"""Optimisers, clipping and learning-rate schedules, against PyTorch's."""

import json
import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

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
    Schedule,
    Steps,
    WarmUp,
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
    for step in range(25):
        model.draw_grads(rng)
        for parameter, grad in zip(parameters, model.grads.values(), strict=True):
            parameter.grad = torch.from_numpy(grad.copy()) * 0.5
        optimizer.learning_rate = other.param_groups[0]["lr"] = 0.01 / (1 + step)
        optimizer.step(scale=0.5)
        other.step()
        for parameter, value in zip(parameters, model.parameters.values(), strict=True):
            np.testing.assert_allclose(value, parameter.detach().numpy(), rtol=tolerance, atol=tolerance)
    assert optimizer.steps == 25


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


def torch_rates(make, epochs):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make(optimizer)
    rates = []
    for _ in range(epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


lr = torch.optim.lr_scheduler
SCHEDULES = [
    (Constant(), lambda o: lr.ConstantLR(o, 1.0), 5),
    (Cosine(10), lambda o: lr.CosineAnnealingLR(o, 10), 11),
    (Cosine(10, floor=0.2), lambda o: lr.CosineAnnealingLR(o, 10, eta_min=0.2), 11),
    (Steps(3), lambda o: lr.StepLR(o, 3), 20),
    (Steps(4, 0.5), lambda o: lr.StepLR(o, 4, 0.5), 20),
    (Exponential(0.9), lambda o: lr.ExponentialLR(o, 0.9), 20),
    (WarmUp(5, start=0.25), lambda o: lr.LinearLR(o, 0.25, 1.0, 5), 12),
    (
        WarmUp(4, Cosine(6, 0.1), start=0.5),
        lambda o: lr.SequentialLR(
            o, [lr.LinearLR(o, 0.5, 1.0, 4), lr.CosineAnnealingLR(o, 6, eta_min=0.1)], milestones=[4]
        ),
        11,
    ),
]


@pytest.mark.parametrize(("schedule", "twin", "epochs"), SCHEDULES, ids=lambda v: str(v)[:40])
def test_schedules_equal_torch(schedule, twin, epochs):
    assert isinstance(schedule, Schedule)
    np.testing.assert_allclose(
        [schedule(t) for t in range(epochs)], torch_rates(twin, epochs), rtol=1e-9, atol=1e-12
    )
    schedule.observe(1.0)  # means nothing to those that look at the time alone
    assert schedule.state_dict() == {}
    schedule.load_state_dict({})


def test_schedules_between_and_after_epochs():
    assert Cosine(10)(2.5) == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
    assert Cosine(10, floor=0.1)(25.5) == pytest.approx(0.1)
    assert WarmUp(2)(0) == 0 and WarmUp(2)(0.5) == 0.25 and WarmUp(2)(2) == WarmUp(2)(9.5) == 1
    assert Steps(2)(1.99) == 1 and Steps(2)(2.0) == 0.1
    assert Exponential(0.25)(0.5) == 0.5
    nested = WarmUp(1, WarmUp(1, start=0.5), start=0.1)
    assert nested(1 - 1e-9) == pytest.approx(0.5) and nested(1) == 0.5  # no jump where one ends


@settings(max_examples=60, deadline=None)
@given(
    losses=st.lists(st.floats(-2, 10) | st.sampled_from([1.0, math.nan, math.inf]), max_size=40),
    factor=st.sampled_from([0.1, 0.5]),
    patience=st.integers(0, 4),
    threshold=st.sampled_from([0.0, 1e-4, 0.1]),
    floor=st.sampled_from([0.0, 0.05]),
)
def test_plateau_equals_torch(losses, factor, patience, threshold, floor):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    twin = lr.ReduceLROnPlateau(
        optimizer, factor=factor, patience=patience, threshold=threshold, min_lr=floor, eps=0
    )
    plateau = Plateau(factor, patience, threshold, floor)
    for i, loss in enumerate(losses):
        plateau.observe(loss)
        twin.step(loss)
        assert plateau(i + 0.5) == pytest.approx(optimizer.param_groups[0]["lr"])
        fresh = Plateau(factor, patience, threshold, floor)
        fresh.load_state_dict(json.loads(json.dumps(plateau.state_dict())))
        assert fresh == plateau
        plateau = fresh


def test_a_warm_up_before_a_plateau_passes_the_losses_on():
    schedule = WarmUp(2, Plateau(0.5, patience=0))
    assert schedule(1) == 0.5 and schedule(2) == 1
    for _ in range(2):
        schedule.observe(1.0)
    assert schedule(2) == 0.5 and schedule.state_dict()["current"] == 0.5
    fresh = WarmUp(2, Plateau(0.5, patience=0))
    fresh.load_state_dict(schedule.state_dict())
    assert fresh == schedule


def test_a_schedule_of_ones_own():
    class Halves(Schedule):
        def __call__(self, epoch):
            return 0.5

    assert WarmUp(1, Halves())(0.5) == 0.25 and Halves().state_dict() == {}


# Refusals

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


def frozen():
    layer = elman.GRU(3, 4)
    optimizer = Adam(layer)
    layer.freeze()
    optimizer.step()


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
    (lambda: Adam(torch.nn.Linear(1, 1)), "model: expected parameters, a dict of arrays, or a list of models that"),
    (
        lambda: Adam([linear(), 3]),
        "model: expected parameters, a dict of arrays, or a list of models that have them, got 3",
    ),
    (lambda: Adam(Parts({"w": [1.0]}, {})), "model: expected parameters, a dict of arrays, or a list"),
    (lambda: Adam(Parts({"w": zeros(2)}, None)), "model: expected grads, a dict of arrays, or a list"),
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
    (shared, "1.weight: expected each parameter once, got the same array as 0.weight"),
    (frozen, "weight_ih_l0: expected a parameter that may change, got a frozen one; call unfreeze() first"),
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
    (lambda: global_norm(None), "model: expected parameters, a dict of arrays, or a list of models that have"),
    (lambda: Cosine(0), "epochs: expected a number above 0, got 0"),
    (lambda: Cosine(5, floor=1), "floor: expected a number from 0 up to, not including, 1, got 1"),
    (lambda: Steps(0), "every: expected a number above 0, got 0"),
    (lambda: Steps(1, -1), "factor: expected a number above 0, got -1"),
    (lambda: Exponential("x"), "factor: expected a number above 0, got 'x'"),
    (lambda: WarmUp(-1), "epochs: expected a number above 0, got -1"),
    (lambda: WarmUp(1, start=1), "start: expected a number from 0 up to, not including, 1, got 1"),
    (lambda: WarmUp(1, 0.5), "then: expected a schedule, got 0.5"),
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


def test_a_frozen_layer_is_refused_before_any_work():
    layers = [linear(seed=0), elman.GRU(2, 3, seed=0)]
    optimizer = Adam(layers)
    for layer in layers:
        for grad in layer.grads.values():
            grad[:] = 1
    before = [layer.state_dict() for layer in layers]
    layers[1].freeze()
    with pytest.raises(ValueError, match=r"1\.weight_ih_l0: expected a parameter that may change"):
        optimizer.step()
    for layer, values in zip(layers, before, strict=True):
        for name, value in values.items():
            np.testing.assert_array_equal(layer.parameters[name], value)
    assert optimizer.steps == 0 and not any(a.any() for a in optimizer.state_dict()["arrays"].values())
    layers[1].unfreeze()
    optimizer.step()
    assert (layers[1].parameters["weight_ih_l0"] != before[1]["weight_ih_l0"]).all()


def test_an_optimiser_of_ones_own():
    class Signs(Optimizer):
        def __init__(self, model):
            super().__init__(model, 0.5, 0.0, states=[])

        def _update(self, rate, scale):
            for value, grad in zip(*self._arrays, strict=True):
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
