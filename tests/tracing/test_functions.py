"""The functions of a cell on numbers, and traces on other types than float64."""

import numpy as np
import pytest
import torch

from elman import tracing
from elman.tracing import evaluate, run_program, trace, where
from tests.tracing import torch_side
from tests.tracing.zoo import ZOO

LARGE = np.array([-1e4, -800, -50, -1, -1e-9, 0, 1e-9, 1, 50, 800, 1e4])


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus", "relu", "hard_sigmoid", "spike"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_overflows(name, dtype):
    x = LARGE.astype(dtype)
    got = getattr(tracing, name)(x)
    assert got.dtype == dtype
    want = torch_side.FUNCTIONS[name](torch.tensor(x).double())
    np.testing.assert_allclose(got, want, rtol=1e-6 if dtype == np.float32 else 1e-13, atol=1e-30)


def test_functions_of_numbers():
    assert tracing.exp(0) == 1 and tracing.log(1) == 0 and tracing.sqrt(4) == 2
    assert tracing.maximum(1, 2.5) == 2.5 and tracing.minimum(1, 2.5) == 1
    assert tracing.clip(np.float32(3), 0, 1) == 1 and tracing.sigmoid(0) == 0.5
    assert where(1 > 2, 3, 4) == 4
    np.testing.assert_array_equal(where(np.array([True, False]), 1.0, np.zeros(2)), [1, 0])
    assert np.isnan(tracing.relu(np.nan)) and np.isnan(tracing.minimum(1.0, np.nan))
    assert np.isnan(tracing.sigmoid(np.nan)) and np.isnan(tracing.softplus(np.nan))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: tracing.sigmoid("a"),
            "sigmoid: expected numbers, NumPy's arrays or symbols of a cell, got 'a'",
        ),
        (lambda: tracing.maximum(1, None), "maximum: expected numbers, .* got None"),
        (lambda: tracing.relu(torch.ones(2)), "relu: expected numbers, .* got Tensor"),
        (lambda: tracing.hard_sigmoid([1]), "hard_sigmoid: expected numbers, .* got list"),
        (lambda: tracing.spike(1.0, "a"), "spike: expected numbers, .* got 'a'"),
        (lambda: tracing.tanh(True), "tanh: expected numbers, .* got True"),
        (lambda: tracing.exp(np.array(["a"])), r"exp: expected an array of numbers, got \[1\] <U1"),
        (lambda: where(True, "a", 1), "where: expected numbers, .* got 'a'"),
        (lambda: where(1, 1.0, 2.0), "where: expected a condition, as x > 0, got 1"),
    ],
)
def test_what_is_no_number_is_refused(call, message):
    with pytest.raises(TypeError, match=f"^{message}"):
        call()


TORCH = {
    **{name: getattr(torch, name) for name in ("add", "sub", "mul", "div", "abs", "sqrt", "exp", "log")},
    **{name: getattr(torch, name) for name in ("sigmoid", "tanh")},
    "softplus": torch.nn.functional.softplus,
    "mean": lambda *values: torch.stack(values).mean((0, -1))[..., None],
    "variance": lambda _, *values: torch.stack(values).var((0, -1), correction=0)[..., None],
    "inverse_deviation": lambda _, *given: (
        1 / torch.sqrt(torch.stack(given[:-1]).var((0, -1), correction=0)[..., None] + given[-1])
    ),
    "add_number": torch.add,
    "chance": lambda u, p: p if u is None else (u < p).to(u.dtype),
    "mul_number": torch.mul,
    "from_number": lambda a, number: number - a,
    "max_number": lambda a, number: a.clamp(min=number),
    "min_number": lambda a, number: a.clamp(max=number),
    "max": torch.maximum,
    "min": torch.minimum,
    "fma": lambda a, b, c: a * b + c,
    "fnma": lambda a, b, c: c - a * b,
    "where_greater": lambda a, b, c, d: torch.where(a > b, c, d),
    "where_at_least": lambda a, b, c, d: torch.where(a >= b, c, d),
    "where_equal": lambda a, b, c, d: torch.where(a == b, c, d),
    "spike": lambda x, slope: (x > 0).to(x),
    "broadcast": lambda value, like: torch.as_tensor(value, dtype=like.dtype).broadcast_to(like.shape),
}


@pytest.mark.parametrize("name", ZOO)
def test_a_trace_with_another_library(name):
    cell = ZOO[name]
    assert TORCH.keys() == tracing.NUMPY.keys()
    values = torch_side.inputs(cell, np.random.default_rng(0))
    want = cell.evaluate(torch_side.callables(cell, values))
    in_torch = torch_side.callables(cell, {k: torch.tensor(v) for k, v in values.items()})
    for got, one in zip(cell.evaluate(in_torch, TORCH), want, strict=True):
        np.testing.assert_allclose(got.numpy(), one, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ZOO)
def test_float32_stays(name):
    cell = ZOO[name]
    values = torch_side.inputs(cell, np.random.default_rng(0))
    values = {name: value.astype(np.float32) for name, value in values.items()}
    for new in cell.evaluate(torch_side.callables(cell, values)):
        assert new.dtype == np.float32
    gradients = [np.ones((3, 7), np.float32) for _ in cell.states]
    new, got = torch_side.by_programs(cell, values, gradients)
    for array in (*new, *got.values()):
        assert array.dtype == np.float32


def test_results_have_the_shape_of_a_row():
    cell = trace(lambda a, p: (p * 1, 2.0, a), "a", "h c d", params="p")
    new = cell.evaluate({"a": np.zeros((2, 3)), "p": np.ones(3), **dict.fromkeys("hcd", np.zeros((2, 3)))})
    assert [x.shape for x in new] == [(2, 3)] * 3 and (new[1] == 2).all()
    inputs = {"slot": [np.zeros((2, 3))], "state": [None] * 3, "vector": [np.ones(3)], "scalar": []}
    np.testing.assert_array_equal(evaluate(cell.nodes, cell.results, inputs), new)


def test_a_program_needs_its_slots():
    with pytest.raises(ValueError):
        run_program(ZOO["lstm"].programs.forward[0], [np.zeros(3)])
