"""What a cell's function may not do with symbols: refused where it stands, by the line, with what to do instead."""

import math

import numpy as np
import pytest
import torch

import elman.cells
from elman import tracing
from elman.tracing import trace

LEAKED = []
trace(lambda a: LEAKED.append(a) or LEAKED.append(a > 0) or a, "a", "h")

NO_IF = (
    "expected no `if` on a symbol; use where(condition, then, otherwise), or maximum and minimum (while, assert, max, "
    "min and a < b < c ask for an `if`, too)"
)
USE = "; use those of elman.cells: sigmoid, tanh, exp"
NUMBERS_LATER = "expected no {} of a symbol, whose numbers come later" + USE
LIBRARY = "expected no {} on a symbol" + USE
WHOLE = "expected a whole power from 1 to 16, got {}; use sqrt(x), 1 / x ** 2, or exp(log(x) * power)"
OTHER = "expected symbols of this cell, got one of cell cell"
NUMBER = "expected a number or a symbol, got {}; "
CONDITION = "expected no {} of a condition; use where(condition, then, otherwise)"
VALUES = "expected no {} of values; use & | ~ of conditions, as in (x > 0) & (x < 1)"

CASES = {
    "a if a else b": NO_IF,
    "a if a > b else b": NO_IF + ", and & | ~ for `and`, `or`, `not`",
    "a and b": NO_IF,
    "not a": NO_IF,
    "where(0 < a < 1, a, b)": NO_IF,
    "max(a, b)": NO_IF,
    "a in (b, a)": NO_IF,
    "float(a)": "expected no float() of a symbol (those of math ask for it), whose numbers come later" + USE,
    "int(a)": NUMBERS_LATER.format("int()"),
    "complex(a)": NUMBERS_LATER.format("complex()"),
    "round(a)": NUMBERS_LATER.format("round()"),
    "math.floor(a)": NUMBERS_LATER.format("floor()"),
    "math.sin(a)": "expected no float() of a symbol (those of math ask for it), whose numbers come later"
    + USE,
    "[1, 2][a]": "expected no index() of a symbol (so does range), whose numbers come later" + USE,
    "range(a)": "expected no index() of a symbol (so does range), whose numbers come later" + USE,
    "f'{a:.3f}'": "expected no format of a symbol, whose numbers come later",
    "hash(a)": NUMBERS_LATER.format("hash()"),
    "{a: 1}": NUMBERS_LATER.format("hash()"),
    "len(a)": NUMBERS_LATER.format("len()"),
    "np.asarray(a)": NUMBERS_LATER.format("array()"),
    "list(a)": "expected no iteration over a symbol and no [...]; a cell sees one unit",
    "a[0]": "expected no iteration over a symbol and no [...]; a cell sees one unit",
    "b in a": "expected no `in` on a symbol; use where(condition, then, otherwise)",
    "np.sin(a)": LIBRARY.format("numpy.sin"),
    "np.add.reduce(a)": LIBRARY.format("numpy.add"),
    "np.where(a > 0, a, b)": LIBRARY.format("numpy.where"),
    "np.mean(a)": LIBRARY.format("numpy.mean"),
    "torch.sigmoid(a)": LIBRARY.format("torch's sigmoid"),
    "torch.stack([a, b])": LIBRARY.format("torch's stack"),
    "torch.ones(2) * a": NUMBER.format("Tensor") + "arrays belong in params or scalars",
    "torch.add(torch.ones(2), other=a)": LIBRARY.format("torch's add"),
    "torch.where(a > 0, a, b)": LIBRARY.format("torch's where"),
    "a * torch.ones(2)": NUMBER.format("Tensor") + "arrays belong in params or scalars",
    "a * np.ones(2)": NUMBER.format("[2] float64") + "arrays belong in params or scalars",
    "np.ones(2) * a": NUMBER.format("[2] float64") + "arrays belong in params or scalars",
    "a + 'b'": NUMBER.format("'b'") + "use those of elman.cells: sigmoid, ",
    "'b' + a": NUMBER.format("'b'") + "use those of elman.cells: sigmoid, ",
    "a * None": NUMBER.format("None"),
    "a * True": NUMBER.format("True"),
    "a * 1j": NUMBER.format("complex"),
    "a == None": NUMBER.format("None"),
    "[a] * a": NUMBER.format("list"),
    "a * math.nan": "expected a finite number, got nan",
    "a - np.float32('inf')": "expected a finite number, got inf",
    "a + 10 ** 400": "expected a finite number, got inf",
    "maximum(a, -math.inf)": "expected a finite number, got -inf",
    "spike(a, math.nan)": "expected a finite number, got nan",
    "spike(a, b)": "expected a number, got a symbol",
    "clip(a, 'low', 1)": NUMBER.format("'low'"),
    "hard_sigmoid(a, None)": NUMBER.format("None"),
    "a + LEAKED[0]": OTHER,
    "LEAKED[0] + 1 + a": "expected symbols of this cell, got one of cell cell",
    "where(LEAKED[1], a, b)": OTHER,
    "(a > 0) & LEAKED[1]": OTHER,
    "maximum(a, LEAKED[0])": OTHER,
    "where(a, a, b)": "where: expected a condition, as x > 0, got a value",
    "where(1, a, b)": "where: expected a condition, as x > 0, got 1",
    "where(a > b, a > b, b)": "expected a value, got a condition; use where(condition, 1.0, 0.0)",
    "sigmoid(a > 0)": "expected a value, got a condition; use where(condition, 1.0, 0.0)",
    "a * (a > 0)": "expected a value, got a condition; use where(condition, 1.0, 0.0)",
    "(a > 0) * a": CONDITION.format("*"),
    "2 * (a > 0)": CONDITION.format("*"),
    "(a > 0) == (b > 0)": CONDITION.format("=="),
    "-(a > 0)": CONDITION.format("-"),
    "abs(a > 0)": CONDITION.format("abs()"),
    "a & b": VALUES.format("&"),
    "~a": VALUES.format("~"),
    "(a > 0) & True": "expected a condition beside a condition, got True; put (...) around each",
    "a > 0 & b": VALUES.format("&"),
    "a // 2": "expected no // of a symbol; use + - * /",
    "2 % a": "expected no % of a symbol; use + - * /",
    "a @ b": "expected no @ of a symbol; use + - * /",
    "a ** 0.5": WHOLE.format(0.5),
    "a ** -1": WHOLE.format(-1),
    "a ** 17": WHOLE.format(17),
    "a ** b": WHOLE.format("a symbol"),
    "a ** math.nan": WHOLE.format("nan"),
    "a ** 'b'": WHOLE.format("'b'"),
    "a / 0": "expected a divisor that is not 0",
    "a / np.zeros(())": "expected a divisor that is not 0",
    "2 ** a": "expected no symbol as a power; use exp(x * number)",
}


@pytest.mark.parametrize("text", CASES)
def test_a_refusal_names_the_cell_and_the_line(text):
    space = {**vars(tracing), "np": np, "math": math, "torch": torch, "LEAKED": LEAKED}
    code = compile(f"def gated(a, b):\n    c = a + b\n    return c, ({text})", "/some/where/model.py", "exec")
    exec(code, space)
    with pytest.raises(TypeError) as refused:
        trace(space["gated"], "a b", "h k")
    message = str(refused.value)
    assert message.startswith("cell gated, line 3 of model.py: " + CASES[text]), message


def test_what_a_helper_does_is_refused_in_its_line():
    def helper(x):
        return x if x else 0

    def gated(a):
        return helper(a)

    line = helper.__code__.co_firstlineno + 1
    with pytest.raises(TypeError, match=f"^cell gated, line {line} of test_refusals.py: expected no `if`"):
        trace(gated, "a", "h")


def test_a_function_given_to_a_cell_of_elmans_is_refused_where_the_user_stands():
    refused = []
    for make in (
        lambda: elman.cells.lstm(activation=torch.tanh),
        lambda: elman.cells.rnn(activation=lambda z: torch.tanh(z)),
    ):
        with pytest.raises(TypeError) as error:
            make()
        line = make.__code__.co_firstlineno
        refused.append(
            f", line {line} of test_refusals.py: expected no torch's tanh on a symbol" in str(error.value)
        )
    assert refused == [True, True]


def test_a_function_of_elmans_is_no_attribute_but_named():
    with pytest.raises(
        AttributeError, match=r"no attribute of a symbol, got \.tanh; use tanh\(\.\.\.\) of elman"
    ):
        trace(lambda a: a.tanh(), "a", "h")


def test_plain_conditions_choose_while_the_function_runs():
    for flag, op in ((True, "tanh"), (np.False_, "exp")):
        made = trace(lambda a, flag=flag: tracing.where(flag, tracing.tanh(a), tracing.exp(a)), "a", "h")
        assert [node.op for node in made.nodes] == ["slot", op]
    assert trace(lambda a: a**2.0, "a", "h") == trace(lambda a: a**2, "a", "h")


def test_an_attribute_is_refused_as_attributes_are():
    def gated(a):
        assert not hasattr(a, "shape")
        return a.mean()

    with pytest.raises(AttributeError, match=r"^cell gated, line \d+ of .*: expected no attribute .*\.mean"):
        trace(gated, "a", "h")


def test_what_a_function_may_not_return():
    for given, what in (("text", "'text'"), (None, "None"), (np.ones(2), r"\[2\] float64")):
        with pytest.raises(TypeError, match=f"cell gated: expected a number or a symbol, got {what}"):

            def gated(a, given=given):
                return a, given

            trace(gated, "a", "h k")


def test_symbols_can_be_written():
    texts = []
    trace(lambda a: texts.append(f"{a!r} {a > 0!r}") or a, "a", "h")
    assert texts == ["<slot of cell cell> <condition of cell cell>"]
