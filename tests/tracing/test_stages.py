"""Products within a step: what a trace refuses of them, and what its programs look like."""

import json

import numpy as np
import pytest

import elman
from elman.cells import layer_norm, mean, sigmoid, tanh, variance
from elman.tracing import CellDefinition, trace
from tests.tracing.zoo import ZOO


def ops(program):
    return [one.op for one in program.instructions]


def test_a_matrix_has_a_stage_of_its_own():
    programs = ZOO["gru_before"].programs
    assert [len(way) for way in programs[:3]] == [2, 2, 2] and programs.products == ((0,),)
    assert (
        programs.columns == 4 and programs.left == 2
    )  # a gradient of each slot; r z n are kept there before
    assert "store_read" in ops(programs.forward[0]) and "load_passed" in ops(programs.backward[0])
    assert "sigmoid" not in ops(programs.backward[0]) + ops(programs.backward[1])


def test_products_of_one_row_share_a_stage():
    programs = ZOO["three_stages"].programs
    assert programs.products == ((0, 1), (2,)) and len(programs.forward) == 3


def test_what_costs_little_is_computed_again():
    cell = trace(lambda a, h, u: (1 - a) * u(a * h) + (2 - a) + a, "a", "h", matrices="u")
    first, second = cell.programs.forward
    assert ops(first).count("store_left") == 1 and ops(second).count("load_left") == 1


def test_the_rows_of_weights():
    cell = ZOO["three_stages"]
    assert cell.rows == {"x": ["i", "g"], "h": ["i", "g", "u", "v", "w"]}
    layer = elman.Recurrent(cell, 2, 3)
    assert layer.parameters["weight_hh_l0"].shape == (15, 3) and layer.parameters["bias_hh_l0"].shape == (15,)
    assert repr(cell).endswith("params p; matrices u v w>")


def test_a_cell_without_matrices_is_what_it_was():
    """Its content, and so its key, are those of files that were written before there were any."""
    data = ZOO["lstm"].as_data()
    assert "matrices" not in data and ZOO["lstm"].key == "lstm-0890ed021ae22a7c"
    assert "matrices" in ZOO["mgu"].as_data()


def test_one_matrix_may_be_called_again_with_the_same():
    cell = trace(lambda a, h, u: u(h) * a + u(h), "a", "h", matrices="u")
    assert len(cell.programs.forward) == 2


REFUSED = {
    "a second product": (lambda a, h, u: u(a) + u(h), "expected one product of the matrix u, got a second"),
    "as a value": (lambda a, h, u: a * u, r"expected a value, got the matrix u; u\(value\) is its product"),
    "times": (lambda a, h, u: u * a, r"expected a value, got the matrix u; u\(value\)"),
    "@": (lambda a, h, u: u @ a, r"expected a value, got the matrix u; u\(value\)"),
    "in a function": (lambda a, h, u: sigmoid(u), r"expected a value, got the matrix u; u\(value\)"),
    "in an if": (lambda a, h, u: a if u else h, "expected no `if` on a symbol"),
    "of two": (lambda a, h, u: u(a, h), "expected one value for the matrix u, got 2"),
    "of none": (lambda a, h, u: u() + a, "expected one value for the matrix u, got 0"),
    "by name": (lambda a, h, u: u(a, x=h), "expected one value for the matrix u, got 2"),
    "of an array": (lambda a, h, u: u([1.0]) + a, "expected a number or a symbol, got list"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name):
    function, message = REFUSED[name]
    with pytest.raises(TypeError, match=message):
        trace(function, "a", "h", matrices="u")


def many_rows(a, h, u, v, w, x, y, z):
    for matrix in (u, v, w, x, y, z):
        a = tanh(matrix(a))
    return a + h


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: trace(lambda a, h: a, "a", "h", matrices="u"), "to use matrix u for a new state"),
        (lambda: trace(lambda a, u: a, "a", "h", matrices="u"), "to use matrix u for a new state"),
        (lambda: trace(lambda a, a1: a, "a", "h", matrices="a"), "expected a name of its own for each, got a in slots"),
        (lambda: trace(lambda a, u: u(a), "a", "h", matrices="1"), "matrices: expected a name"),
        (lambda: trace(lambda a, u: u(a), "a", "h", matrices=3), "matrices: expected names"),
        (lambda: trace(lambda a: a, [*"abcdefgijklmnopq"], "h", matrices="u"), "matrices: expected 0 to 0, got 1"),
        (lambda: trace(many_rows, "a", "h", matrices="u v w x y z"), "expected at most 6 stages, .*, got 7"),
        (lambda: trace(lambda a, u: u(a), "a", "h", matrices="u", bias={"u": 1.0}), "bias: expected slots of the cell"),
        (lambda: elman.Recurrent(ZOO["mgu"], 2, 3, recurrent_dropout=0.5), "expected 0 for a cell with matrices"),
    ],
)  # fmt: skip
def test_refused_definitions(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def product_of(number, args):
    return lambda data: data["nodes"].append(["product", args, number])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (product_of(0.0, [0]), "expected one product of each matrix, 1, got 2"),
        (product_of(1.0, [0]), "expected the number of a matrix, 0 to 0, got 1.0"),
        (product_of(-0.0, [0]), "expected the number of a product, got -0.0"),
        (product_of(0.0, []), "expected 1 arguments of product, got 0"),
        (lambda data: data.update(matrices=[]), "expected the number of a matrix, 0 to -1, got 0.0"),
        (lambda data: data.update(matrices=["u", "v"]), "expected the results to need matrix v"),
        (lambda data: data.update(matrices="u"), "matrices: expected a list, got 'u'"),
        (lambda data: data.update(matrices=[3]), "matrices: expected a name"),
        (lambda data: data.update(more=[]), "cell: expected the fields"),
    ],
)
def test_data_that_is_refused(change, message):
    data = json.loads(json.dumps(ZOO["mgu"].as_data()))
    change(data)
    with pytest.raises(ValueError, match=message):
        CellDefinition.from_data(data)


def test_numbers_go_in_with_a_function():
    cell = ZOO["mgu"]
    assert cell(0.0, 0.0, 1.0, u=lambda row: 2 * row) == pytest.approx(0.5 * (0.761594 - 1) + 1)
    assert elman.check_cell(cell) < 1e-6


def test_means_of_numbers():
    x, y = np.array([[1.0, 3.0], [2.0, 6.0]]), np.array([5.0, 7.0])
    np.testing.assert_array_equal(mean(x), [[2.0], [4.0]])
    np.testing.assert_array_equal(mean(x, y), [[4.0], [5.0]])
    np.testing.assert_array_equal(variance(x), [[1.0], [4.0]])
    np.testing.assert_allclose(layer_norm(x, 2.0, y, np.float32(1e-12)), [[3.0, 9.0], [3.0, 9.0]], rtol=1e-6)
    first, second = layer_norm([x, x + 4], [1.0, 2.0], 1.0)
    np.testing.assert_allclose(np.mean([first - 1, (second - 1) / 2]), 0, atol=1e-6)
    assert mean(2.0, 4) == 3.0 and variance(2.0, 4) == 1.0


def test_statistics_of_numbers_are_numbers():
    cell = trace(lambda a, h: a * mean(2.0, 4.0) + variance(1.0) + layer_norm(3.0) + h, "a", "h")
    assert len(cell.programs.forward) == 1


def test_equal_statistics_are_one():
    cell = trace(lambda a, h: (a - mean(a)) * (variance(a) + mean(a)) + layer_norm(a), "a", "h")
    (program,) = cell.programs.forward[1:]
    assert [one.mean for one in program.statistics] == [None, 0, 0]


def test_a_norm_costs_one_deviation_for_each_row():
    cell = trace(lambda a, b, h: sum(layer_norm([a, b, a * b])), "a b", "h")
    used = ops(cell.programs.forward[1])
    assert "sqrt" not in used and used.count("div") == 0


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda a: mean(), "mean: expected 1 to 16 values, got 0"),
        (lambda a: variance(*[a] * 17), "variance: expected 1 to 16 values, got 17"),
        (lambda a: layer_norm(a, epsilon=0), "epsilon: expected a number above 0, got 0"),
        (lambda a: layer_norm([a, a], gain=[1.0]), "gain: expected 2, one for each value, got 1"),
        (lambda a: layer_norm([a], shift=[1.0, 2.0]), "shift: expected 1, one for each value, got 2"),
        (lambda a: layer_norm([]), "mean: expected 1 to 16 values, got 0"),
        (lambda a: mean("a"), "mean: expected numbers, NumPy's arrays or symbols of a cell, got 'a'"),
    ],
)
def test_refused_norms(function, message):
    with pytest.raises((ValueError, TypeError), match=message):
        trace(function, "a", "h")


def seven(a):
    for _ in range(6):
        a = tanh(a - mean(a))
    return a


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda nodes: nodes[1].__setitem__(1, [0] * 17), "expected 1 to 16 arguments of mean, got 17"),
        (lambda nodes: nodes[1].__setitem__(1, []), "expected 1 to 16 arguments of mean, got 0"),
        (
            lambda nodes: nodes[2].__setitem__(1, [0, 0]),
            "the mean of its values as the first argument of inverse_dev",
        ),
        (
            lambda nodes: nodes[2].__setitem__(2, 0.0),
            "expected a number above 0 of inverse_deviation, got 0.0",
        ),
        (lambda nodes: nodes[1].__setitem__(2, 1.0), "expected no number of mean, got 1.0"),
    ],
)
def test_statistics_in_data_that_is_refused(change, message):
    data = json.loads(json.dumps(trace(lambda a: layer_norm(a), "a", "h").as_data()))
    assert [node[0] for node in data["nodes"][:3]] == ["slot", "mean", "inverse_deviation"]
    change(data["nodes"])
    with pytest.raises(ValueError, match=message):
        CellDefinition.from_data(data)


def test_stages_have_a_limit():
    with pytest.raises(ValueError, match=r"expected at most 6 stages, .*, got 7"):
        trace(seven, "a", "h")
