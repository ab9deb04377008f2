"""From a function to a cell: what it is given, what it returns, and what is refused of it."""

import copy
import functools
import pickle
import re
import time

import numpy as np
import pytest

from elman.tracing import CellDefinition, cell, programs, sigmoid, tanh, trace, where, zoneout
from elman.tracing.operations import Node


@cell("i f", "h c", params={"p": 0.5, "q": (-1, 1)}, scalars=["dt"], bias={"f": 1})
def example(i, dt, c, f, q, p, power=3):
    """An example."""
    for _ in range(power):
        c = c * sigmoid(f * p) + i * q
    return tanh(c) * dt, c


def test_a_decorated_function_is_a_cell():
    assert isinstance(example, CellDefinition)
    assert example.name == "example" and example.doc == "An example."
    assert example.slots == {"i": "xh", "f": "xh"} and example.order == ("i", "f")
    assert example.states == ("h", "c") and example.scalars == ("dt",)
    assert example.params == {"p": 0.5, "q": (-1.0, 1.0)} and example.bias == {"f": 1.0}
    assert [node.op for node in example.nodes].count("fma") == 3  # the loop
    assert Node("state", (), 0.0) not in example.nodes  # h is not used
    assert "function" not in repr(example) and "nodes" not in repr(example)


def test_it_can_be_called_with_numbers():
    h, c = example(0.1, 2.0, 0.3, 0.4, 0.5, 0.6, power=1)
    assert c == pytest.approx(0.3 / (1 + np.exp(-0.24)) + 0.05) and h == pytest.approx(2 * np.tanh(c))
    values = dict(i=0.1, dt=2.0, c=0.3, f=0.4, q=0.5, p=0.6, h=0.0)
    got = example.evaluate({name: np.full((1, 1), x, np.float32) for name, x in values.items()})
    want = example(*(values[name] for name in ("i", "dt", "c", "f", "q", "p")))
    np.testing.assert_allclose(np.ravel(got), np.ravel(want), rtol=1e-6)
    assert got[0].dtype == np.float32
    without = CellDefinition.from_data(example.as_data())
    with pytest.raises(TypeError, match="cell example: expected one with a function, got one from data"):
        without(1.0)


def test_equal_content_is_the_same_cell_whatever_the_function():
    other = CellDefinition.from_data(example.as_data())
    assert other == example and hash(other) == hash(example) and other.key == example.key
    assert other.doc == example.doc and other.function is None
    assert re.fullmatch("example-[0-9a-f]{16}", example.key)
    for change in (
        dict(slots={"i": "xh", "f": "x"}),
        dict(bias={}),
        dict(params={"p": 0.5, "q": None}),
        dict(scalars=("dt2",)),
        dict(name="other"),
        dict(nodes=tuple(n._replace(number=-n.number) if n.op == "mul" else n for n in example.nodes)),
    ):
        fields = ("name", "slots", "states", "params", "scalars", "bias", "nodes", "results")
        changed = CellDefinition(**{**{name: getattr(example, name) for name in fields}, **change})
        assert changed != example and changed.key != example.key
    assert example != 1


def test_copies():
    assert copy.copy(example) is example and copy.deepcopy(example) is example
    assert pickle.loads(pickle.dumps(example)) == example


def test_parameters_by_position_alone_and_by_name_alone():
    def function(a, k=2, /, *, c):
        return a * k + c

    assert [node.op for node in trace(function, "a", "c").nodes] == ["slot", "state", "mul_number", "add"]


def test_numbers_tuples_and_lists_may_be_returned():
    assert len(trace(lambda a: [a, 1, 0.5], "a", "h c k").results) == 3
    assert trace(lambda a: (a,), "a", "h").results == trace(lambda a: a, "a", "h").results
    assert trace(lambda a: a, ["a"], ("h",)).slots == {"a": "xh"}


def test_other_callables():
    class Twice:
        def __call__(self, a):
            return a + a

    assert trace(Twice(), "a", "h").name == "Twice"
    assert trace(functools.partial(lambda a, k: a * k, k=3), "a", "h").nodes[-1].number == 3
    with pytest.raises(TypeError, match=r"^cell partial: expected no `if`"):
        trace(functools.partial(lambda a: a or 1), "a", "h")

    def plain(a):
        return a or 0.0

    @functools.wraps(plain)
    def wrapped(*args, **kwargs):
        return plain(*args, **kwargs)

    with pytest.raises(TypeError, match=r"^cell plain, line \d+ of test_trace.py: expected no `if`"):
        trace(wrapped, "a", "h")


def given(slots="a", states="h", function=None, **more):
    return lambda: trace(function or (lambda a: a), slots, states, **more)


REFUSED = [
    (given(slots=""), "slots: expected 1 to 16, got 0"),
    (given(slots=[f"a{i}" for i in range(17)]), "slots: expected 1 to 16, got 17"),
    (given(states=""), "states: expected 1 to 8, got 0"),
    (given(states=["a", "b", "c", "d", "e", "f", "g", "h", "i"]), "states: expected 1 to 8, got 9"),
    (given(params=[f"p{i}" for i in range(17)]), "params: expected 0 to 16, got 17"),
    (given(scalars="p q r s t"), "scalars: expected 0 to 4, got 5"),
    (given(slots=3), "slots: expected names, as 'h c', got 3"),
    (given(states={"h": 1}), "states: expected names, as 'h c', got dict"),
    (given(slots="a a"), "slots: expected a name of its own for each, got a, a"),
    (given(states="h h"), "states: expected a name of its own for each, got h in states, too"),
    (given(states="a"), "states: expected a name of its own for each, got a in slots, too"),
    (given(params="h"), "params: expected a name of its own for each, got h in states, too"),
    (given(slots="1a"), "slots: expected a name, as Python's identifiers are, got '1a'"),
    (given(states="for"), "states: expected a name, as Python's identifiers are, got 'for'"),
    (given(states=["h", 3]), "states: expected a name, as Python's identifiers are, got 3"),
    (given(slots={"a": "xx"}), "slots: expected a to be fed by 'x', 'xh' or 'h', got 'xx'"),
    (given(slots={"a": None}), "slots: expected a to be fed by 'x', 'xh' or 'h', got None"),
    (given(params={"p": "1"}), "params, p: expected a number, got '1'"),
    (given(params={"p": np.nan}), "params, p: expected a finite number, got nan"),
    (given(params={"p": (1, 2, 3)}), r"params, p: expected a number or a pair \(low, high\), got 3 numbers"),
    (given(params={"p": (2, 1)}), r"params, p: expected \(low, high\), got \(2.0, 1.0\)"),
    (given(bias={"h": 1}), r"bias: expected slots of the cell \(a\), got 'h'"),
    (given(bias={"a": "1"}), "bias, a: expected a number, got '1'"),
    (
        given(function=lambda b: b),
        r"cell cell: expected arguments among a, h, got b \(line \d+ of test_trace.py\)$",
    ),
    (given(function=lambda *a: a), r"cell cell: expected arguments with names, got \*a \(line \d+ of"),
    (given(function=lambda a, **b: a), r"cell cell: expected arguments with names, got \*\*b \(line \d+ of"),
    (given(function=lambda a: (a, a)), "cell cell: expected one value for each new state, h, got 2"),
    (given(states="h c"), "cell cell: expected one value for each new state, h, c, got 1"),
    (given(function=lambda a: None), r"cell cell: expected a `return`, got None \(line"),
    (
        given(function=lambda self, a: a),
        "cell cell: expected arguments among a, h, got self; a method needs @static",
    ),
    (
        given(function=lambda a, h=0.5: a + h),
        "cell cell: expected no default of h, whose numbers a layer gives",
    ),
    (given(slots="a b"), "cell cell: expected its function to use slot b for a new state"),
    (given(params="p"), "cell cell: expected its function to use param p for a new state"),
    (given(scalars="t"), "cell cell: expected its function to use scalar t for a new state"),
    (given(slots="a b", function=lambda a, b: a), "expected its function to use slot b"),
    (
        given(function=lambda a: functools.reduce(lambda x, k: sigmoid(x), range(1001), a)),
        "cell cell: nodes: expected at most 1000, got 1002",
    ),
]


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_a_cell_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_something_else_than_a_function_is_refused():
    with pytest.raises(TypeError, match="function: expected a function, got 'text'"):
        trace("text", "a", "h")


def wide(a, n):
    """All of n values are read twice, in both orders."""
    values = [sigmoid(a * (k + 2)) for k in range(n)]
    total = functools.reduce(lambda x, y: tanh(x) * y, values)
    return functools.reduce(lambda x, y: tanh(x + y), [*values[::-1], total])


def test_too_many_values_at_a_time():
    with pytest.raises(ValueError, match="cell cell: expected programs of at most 64 values at a time, got "):
        trace(lambda a: wide(a, 70), "a", "h")


def test_too_many_instructions(monkeypatch):
    monkeypatch.setattr(programs, "MOST_INSTRUCTIONS", 5)
    with pytest.raises(ValueError, match="cell cell: expected programs of at most 5 instructions, got 7"):
        trace(lambda a, h: a * h, "a", "h").programs  # noqa: B018


def test_conditions_of_conditions():
    def nested(a, h, depth=6):
        c = a > 0
        for i in range(depth):
            c = (c & (h > float(i))) | (~c & (a < float(i)))
        return where(c, a, h)

    made = trace(nested, "a", "h")
    a, h = np.random.default_rng(0).normal(scale=3, size=(2, 50, 1))
    c = a > 0
    for i in range(6):
        c = (c & (h > i)) | (~c & (a < i))
    np.testing.assert_array_equal(made.evaluate({"a": a, "h": h})[0], np.where(c, a, h))
    start = time.perf_counter()
    with pytest.raises(ValueError, match="nodes: expected at most 1000, got more than 10000"):
        trace(lambda a, h: nested(a, h, depth=30), "a", "h")
    assert time.perf_counter() - start < 5

    def deep(a, h):
        c = a > 0
        for _ in range(5000):
            c = ~c
        return where(c, a, h)

    with pytest.raises(TypeError, match="expected conditions of at most 100 parts within each other"):
        trace(deep, "a", "h")


def test_what_no_result_needs_draws_nothing():
    def wasteful(a, h):
        for _ in range(20):
            zoneout(h, a, 0.5)
        return zoneout(h, tanh(a), 0.3)

    made = trace(wasteful, "a", "h")
    assert made.draws == 1
    assert [node.number for node in made.nodes if node.op == "random"] == [0]
    one = np.array([[0.2]])
    drawn = [made.evaluate({"a": one, "h": one + 1}, random=[np.array([[u]])])[0] for u in (0.1, 0.9)]
    np.testing.assert_allclose(np.ravel(drawn), [1.2, np.tanh(0.2)])


def test_a_long_chain_is_no_trouble():
    start = time.perf_counter()
    made = trace(lambda a, h: functools.reduce(lambda x, _: x * 0.5 + h, range(490), a), "a", "h")
    assert made.programs.forward[0].registers == 2
    assert made.programs.backward[0].registers <= 4
    assert time.perf_counter() - start < 5
