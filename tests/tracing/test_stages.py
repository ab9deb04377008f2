"""Products within a step: what a trace refuses of them, and what its programs look like."""

import json

import pytest

import elman
from elman.cells import sigmoid, tanh
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
