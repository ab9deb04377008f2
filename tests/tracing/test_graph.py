"""What is folded, fused and shared, and what is not."""

import numpy as np
import pytest

from elman import tracing
from elman.tracing import trace

NAMES = {**vars(tracing), "abs": abs}


def written(text):
    """The nodes of `text` over slots a, b, c and a state h, as text."""
    space = dict(NAMES)
    exec(f"def cell(a, b, c): return 0 + ({text}), a + b + c", space)
    cell = trace(space["cell"], "a b c", "h k")

    def show(n):
        op, args, number = cell.nodes[n]
        if op == "slot":
            return "abc"[int(number)]
        if op == "constant":
            return f"{number:g}"
        numbered = op.endswith("_number") or op == "spike"
        return f"{op}({', '.join([*map(show, args), *([f'{number:g}'] if numbered else [])])})"

    return show(cell.results[0])


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("a + b", "add(a, b)"),
        ("b + a", "add(a, b)"),
        ("a + 0", "a"),
        ("0.0 + a", "a"),
        ("a + 2", "add_number(a, 2)"),
        ("2 + a", "add_number(a, 2)"),
        ("a - b", "sub(a, b)"),
        ("a - 0", "a"),
        ("a - 2", "add_number(a, -2)"),
        ("2 - a", "from_number(a, 2)"),
        ("a - a", "sub(a, a)"),
        ("a + -b", "sub(a, b)"),
        ("-a + b", "sub(b, a)"),
        ("a - -b", "add(a, b)"),
        ("--a", "a"),
        ("+a", "a"),
        ("-(a * 3)", "mul_number(a, -3)"),
        ("b * a", "mul(a, b)"),
        ("a * 1", "a"),
        ("1.0 * a", "a"),
        ("a * 0", "mul_number(a, 0)"),
        ("a * -0.0", "mul_number(a, -0)"),
        ("3 * a", "mul_number(a, 3)"),
        ("a * b + c", "fma(a, b, c)"),
        ("c + a * b", "fma(a, b, c)"),
        ("a * b + b * c", "fma(a, b, mul(b, c))"),
        ("b * c + a * b", "fma(b, c, mul(a, b))"),
        ("a * b + 1", "add_number(mul(a, b), 1)"),
        ("c - a * b", "fnma(a, b, c)"),
        ("a * b - a * b", "sub(mul(a, b), mul(a, b))"),
        ("-(a * b) + c", "fnma(a, b, c)"),
        ("a * b - c", "sub(mul(a, b), c)"),
        ("1 - a * b", "from_number(mul(a, b), 1)"),
        ("a / b", "div(a, b)"),
        ("1 / a", "div(1, a)"),
        ("a / 4", "mul_number(a, 0.25)"),
        ("a / -1", "mul_number(a, -1)"),
        ("a / 3", "div(a, 3)"),
        ("a / 2.0 ** 120", "div(a, 1.32923e+36)"),
        ("a ** 1", "a"),
        ("a ** 2", "mul(a, a)"),
        ("a ** 3", "mul(a, mul(a, a))"),
        ("abs(a)", "abs(a)"),
        ("maximum(a, b)", "max(a, b)"),
        ("maximum(b, a)", "max(b, a)"),
        ("maximum(a, a)", "a"),
        ("maximum(2, a)", "max_number(a, 2)"),
        ("minimum(a, 2)", "min_number(a, 2)"),
        ("relu(a)", "max_number(a, 0)"),
        ("clip(a, -1, 1)", "min_number(max_number(a, -1), 1)"),
        ("clip(a, b, 1)", "min_number(max(a, b), 1)"),
        ("hard_sigmoid(a, 0.25)", "min_number(max_number(add_number(mul_number(a, 0.25), 0.5), 0), 1)"),
        ("spike(a)", "spike(a, 0, 1, 0, 25)"),
        ("spike(a, 3)", "spike(a, 0, 1, 0, 3)"),
        ("where(a > b, a, 1)", "where_greater(a, b, a, 1)"),
        ("where(a < 2, a, b)", "where_greater(2, a, a, b)"),
        ("where(a >= b, a, b)", "where_at_least(a, b, a, b)"),
        ("where(a <= b, a, b)", "where_at_least(b, a, a, b)"),
        ("where(a == b, 1, c)", "where_equal(a, b, 1, c)"),
        ("where(a != b, 1, c)", "where_equal(a, b, c, 1)"),
        ("where(~(a > b), a, c)", "where_greater(a, b, c, a)"),
        ("where(a > b, c, c)", "c"),
        ("where((a > b) & (b > c), a, b)", "where_greater(a, b, where_greater(b, c, a, b), b)"),
        ("where((a > b) | (b > c), a, b)", "where_greater(a, b, a, where_greater(b, c, a, b))"),
        ("where(a > b, 2.0, 2.0) + 1", "3"),
        ("sigmoid(where(a > b, 0.0, 0.0))", "0.5"),
        ("log(where(a > b, 0.0, 0.0))", "log(0)"),
        ("where(where(a > b, 1.0, 1.0) > 0, a, b)", "a"),
        ("where(where(a > b, 1.0, 1.0) < 0, a, b)", "b"),
        ("maximum(where(a > b, 1.0, 1.0), 2)", "2"),
        ("2 * where(a > b, 3, 3) - 1 / where(a > b, 2, 2)", "5.5"),
        ("1e30 * (1e30 * where(a > b, 1, 1))", "mul_number(1e+30, 1e+30)"),
        ("np.float64(2) * a", "mul_number(a, 2)"),
        ("np.array(2) + a", "add_number(a, 2)"),
        ("where(np.float32(2) > a, a, b)", "where_greater(2, a, a, b)"),
        *((f"{name}(a)", f"{name}(a)") for name in ("sigmoid", "tanh", "exp", "log", "sqrt", "softplus")),
    ],
)
def test_a_constructor(text, want, monkeypatch):
    monkeypatch.setitem(NAMES, "np", np)
    assert written(text) == want


def test_equal_expressions_are_one_node_and_idle_ones_are_left_out():
    def cell(a, b):
        idle = tracing.exp(a)  # noqa: F841
        return tracing.tanh(a * b) + tracing.tanh(b * a)

    assert [node.op for node in trace(cell, "a b", "h").nodes] == ["slot", "slot", "mul", "tanh", "add"]


def test_numbers_that_differ_in_their_sign_alone_are_two():
    cell = trace(lambda a, b: (a * 0.0 + b, a * -0.0), "a b", "h k")
    assert [str(node.number) for node in cell.nodes if node.op == "mul_number"] == ["0.0", "-0.0"]


def test_nan_stays():
    nan = np.full((1, 1), np.nan)
    cell = trace(lambda a: (a * 0, a - a, tracing.clip(a, 0, 1), tracing.maximum(a, 1)), "a", "h k l m")
    assert np.isnan(cell.evaluate({"a": nan, **dict.fromkeys(cell.states, nan)})).all()
