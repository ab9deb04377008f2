"""Cells as data: what comes back, and every way in which data can be none."""

import copy
import json
import re

import pytest

from elman.tracing import CellDefinition, cell, sigmoid, spike, where
from tests.tracing.zoo import ZOO


@cell({"a": "x", "b": "h"}, "h c", params={"p": (0, 1), "q": 2, "r": None}, scalars="dt", bias={"b": -0.0})
def example(a, b, c, p, q, r, dt):
    c1 = where(a > p, sigmoid(b * q), c * dt + 1.5)
    return spike(c1 - r), c1


DATA = example.as_data()


def changed(field, value):
    return {**copy.deepcopy(DATA), field: value}


def with_node(n, node):
    data = copy.deepcopy(DATA)
    data["nodes"][n] = node
    return data


@pytest.mark.parametrize("name", [*ZOO, "example"])
def test_round_trip(name):
    one = {**ZOO, "example": example}[name]
    again = CellDefinition.from_data(json.loads(json.dumps(one.as_data(), allow_nan=False)))
    assert again == one and again.key == one.key and again.as_data() == one.as_data()
    assert again.programs == one.programs and again.nodes == one.nodes
    assert (again.params, again.bias, again.slots) == (one.params, one.bias, one.slots)
    assert list(again.slots) == list(one.slots)


def test_data_is_lists_text_and_numbers():
    def look(value):
        assert isinstance(value, (list, str, int, float)) and not isinstance(value, bool)
        for one in value if isinstance(value, list) else ():
            look(one)

    for value in DATA.values():
        look(value)
    assert DATA["params"] == [["p", [0.0, 1.0]], ["q", 2.0], ["r"]]
    assert str(DATA["bias"]) == "[['b', -0.0]]"


def index(op):
    return next(n for n, node in enumerate(DATA["nodes"]) if node[0] == op)


SPIKE, MUL, CONSTANT = index("spike"), index("mul"), index("constant")
MISSING = {name: value for name, value in DATA.items() if name != "bias"}
IDENTIFIER = "expected a name, as Python's identifiers are, got "

MALFORMED = [
    (
        with_node(1, DATA["nodes"][0]),
        "node 1: expected one that is not there yet, got a second slot of the same",
    ),
    (
        [],
        "cell: expected the fields name, doc, slots, states, params, scalars, bias, nodes, results, got list",
    ),
    (None, "cell: expected the fields name, doc, slots"),
    (MISSING, "got name, doc, slots, states, params, scalars, nodes, results"),
    ({**DATA, "more": 1}, "results, more"),
    ({**MISSING, 1: 1}, "results, 1"),
    (changed("name", "a b"), f"name: {IDENTIFIER}'a b'"),
    (changed("name", ""), f"name: {IDENTIFIER}''"),
    (changed("name", None), f"name: {IDENTIFIER}None"),
    (changed("doc", 1), "doc: expected text, got 1"),
    (changed("slots", "ab"), "slots: expected a list, got 'ab'"),
    (changed("slots", []), "slots: expected 1 to 16, got 0"),
    (changed("slots", ["a"]), "slots: expected a list, got 'a'"),
    (changed("slots", [["a"], ["b", "h"]]), "slots: expected a name and what belongs to it, got 1 items"),
    (changed("slots", [["a", "x"], ["a", "h"]]), "slots: expected a name of its own for each, got a, a"),
    (changed("slots", [["a", "x"], [[], "h"]]), f"slots: {IDENTIFIER}list"),
    (
        changed("slots", [["a", "x"], ["b", "hx"]]),
        "slots: expected b to be fed by 'x', 'xh' or 'h', got 'hx'",
    ),
    (
        changed("slots", [["a", "x"], ["b", ["h"]]]),
        "slots: expected b to be fed by 'x', 'xh' or 'h', got list",
    ),
    (changed("states", ["h"]), "expected the number of a state, 0 to 0, got 1.0"),
    (changed("states", ["h", "c", "d"]), "results: expected one for each state, 3, got 2"),
    (changed("states", ["h", "h"]), "states: expected a name of its own for each, got h in states, too"),
    (changed("states", ["h", "a"]), "states: expected a name of its own for each, got a in slots, too"),
    (changed("states", ["h", 3]), f"states: {IDENTIFIER}3"),
    (changed("states", {"h": 1}), "states: expected a list, got dict"),
    (changed("states", []), "states: expected 1 to 8, got 0"),
    (
        changed("params", [["p", 1], ["q", 1, 2], ["r"]]),
        "params: expected a name and what belongs to it, got 3",
    ),
    (changed("params", [["p", "1"], ["q"], ["r"]]), "params, p: expected a number, got '1'"),
    (
        changed("params", [["p", [0, 1, 2]], ["q"], ["r"]]),
        "params, p: expected a number or a pair (low, high)",
    ),
    (
        changed("params", [["p", [0, float("inf")]], ["q"], ["r"]]),
        "params, p: expected a finite number, got inf",
    ),
    (changed("params", [["p", True], ["q"], ["r"]]), "params, p: expected a number, got True"),
    (changed("params", [["p"], ["q"], ["r"], ["s"]]), "nodes: expected the results to need param s"),
    (changed("params", [["p"]]), "expected the number of a vector, 0 to 0, got 1.0"),
    (changed("scalars", []), "expected the number of a scalar, 0 to -1, got 0.0"),
    (changed("scalars", ["dt", "du"]), "nodes: expected the results to need scalar du"),
    (changed("scalars", list("stuvw")), "scalars: expected 0 to 4, got 5"),
    (changed("bias", [["c", 1.0]]), "bias: expected slots of the cell (a, b), got 'c'"),
    (changed("bias", [["a", float("nan")]]), "bias, a: expected a finite number, got nan"),
    (changed("bias", [["a", None]]), "bias, a: expected a number, got None"),
    (changed("bias", [["a", 10**400]]), "bias, a: expected a finite number, got 1000"),
    (changed("nodes", None), "nodes: expected a list, got None"),
    (changed("nodes", []), "results: expected numbers of nodes, 0 to -1"),
    (changed("nodes", DATA["nodes"] * 100), "nodes: expected at most 1000, got "),
    (changed("results", [0]), "results: expected one for each state, 2, got 1"),
    (changed("results", [0, len(DATA["nodes"])]), "results: expected numbers of nodes, 0 to"),
    (changed("results", [0, -1]), "results: expected numbers of nodes, 0 to"),
    (changed("results", [0, 1.0]), "results: expected whole numbers of nodes, got 1.0"),
    (changed("results", [0, True]), "results: expected whole numbers of nodes, got True"),
    (changed("results", [0, 0]), "nodes: expected the results to need slot b"),
    (with_node(0, "slot"), "node 0: expected a list, got 'slot'"),
    (
        with_node(0, ["slot", []]),
        "node 0: expected an operation, its arguments and a number, got list",
    ),
    (with_node(0, [1, [], 0]), "node 0: expected an operation, its arguments and a number"),
    (with_node(0, ["slot", 0, 0]), "node 0: expected a list, got 0"),
    (with_node(0, ["slot", [], "0"]), "node 0: expected a number, got '0'"),
    (with_node(0, ["slot", [], float("nan")]), "node 0: expected a finite number, got nan"),
    (with_node(0, ["slot", [], 2]), "node 0: expected the number of a slot, 0 to 1, got 2.0"),
    (with_node(0, ["slot", [], -1]), "node 0: expected the number of a slot, 0 to 1, got -1.0"),
    (with_node(0, ["slot", [], 0.5]), "node 0: expected the number of a slot, 0 to 1, got 0.5"),
    (with_node(0, ["slot", [0], 0]), "node 0: expected 0 arguments of slot, got 1"),
    (
        with_node(0, ["gradient", [], 0]),
        "node 0: expected an operation (slot, state, vector, scalar, constant, random, add",
    ),
    (with_node(MUL, ["dtanh", [0, 1], 0]), "got 'dtanh'"),
    (with_node(MUL, ["mul", [0], 0]), f"node {MUL}: expected 2 arguments of mul, got 1"),
    (with_node(MUL, ["mul", [0, MUL], 0]), f"node {MUL}: expected arguments that stand before it, got {MUL}"),
    (with_node(MUL, ["mul", [0, -1], 0]), f"node {MUL}: expected arguments that stand before it, got -1"),
    (with_node(MUL, ["mul", [0, 1.0], 0]), f"node {MUL}: expected whole numbers of nodes, got 1.0"),
    (with_node(MUL, ["mul", [0, 1], 2]), f"node {MUL}: expected no number of mul, got 2.0"),
    (
        with_node(SPIKE, ["spike", [0, 0, 0, 0], 25]),
        f"node {SPIKE}: expected the constants 0, 1 and 0 behind",
    ),
    (
        with_node(SPIKE, ["spike", DATA["nodes"][SPIKE][1], -1]),
        f"node {SPIKE}: expected a slope of at least 0, got -1.0",
    ),
    (
        with_node(CONSTANT, ["constant", [], float("inf")]),
        f"node {CONSTANT}: expected a finite number, got inf",
    ),
]


@pytest.mark.parametrize(("data", "message"), MALFORMED, ids=[message for _, message in MALFORMED])
def test_malformed(data, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        CellDefinition.from_data(data)
