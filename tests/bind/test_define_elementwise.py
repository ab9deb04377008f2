"""Definitions of elementwise cells that do not hold together are refused: their programs run at different times."""

import pytest

from elman import _core
from elman.cells import exp, gru, lru, sigmoid, tanh
from elman.stack import cells
from elman.tracing import trace

NUMBER = {name: number for number, name in enumerate(_core.operations())}


def both(a, b, h, c, p):
    c1 = sigmoid(b) * c + a * exp(p)
    return tanh(c1) * a, c1


CELL = trace(both, {"a": "x", "b": "x"}, "h c", "p")


def words(**changes):
    return {**cells._words(CELL), "name": "elementwise-test", **changes}


def with_rows(which, part, change):
    """The definition with the instructions of one program changed, and their numbers."""
    given = words()
    programs = list(given[which])
    registers, place, rows, numbers, statistics = programs[part]
    rows, numbers = [list(row) for row in rows], list(numbers)
    change(rows, numbers)
    programs[part] = registers, place, rows, numbers, statistics
    return {**given, which: programs}


def row(operation, to=0, index=0, count=1, once=0, *registers):
    return [NUMBER[operation], to, *registers, *[0] * (4 - len(registers)), index, count, once]


def also(*row_given):
    def change(rows, numbers):
        rows.append(row(*row_given)), numbers.append(0.0)

    return change


def set_place(operation, place, value):
    def change(rows, _):
        next(one for one in rows if one[0] == NUMBER[operation])[place] = value

    return change


def without(operation):
    def change(rows, numbers):
        at = next(i for i, one in enumerate(rows) if one[0] == NUMBER[operation])
        rows.pop(at), numbers.pop(at)

    return change


def into_operand(rows):
    """The first product goes where exp(p) lies, which is alike in all rows."""
    of_one = next(one[1] for one in rows if one[0] == NUMBER["exp"])
    product = next(one for one in rows if one[0] == NUMBER["mul"])
    assert of_one in product[2:4]
    product[1] = of_one


def test_it_is_one_that_can_be_defined():
    given = words()
    assert [len(given[which]) for which in ("forward", "forward_keep", "backward")] == [3, 3, 3]
    assert _core.define_cell(**given)["stages"] == 1


BROKEN = {
    "a state ahead": (("forward", 0, also("load_state", 0, 1)), "an index of load_state below 0"),
    "a state after": (("forward", 2, also("load_state", 0, 1)), "an index of load_state below 0"),
    "a state stored ahead": (("forward", 0, also("store_state", 0, 1)), "an index of store_state below 0"),
    "a state twice": (("forward", 2, also("store_state", 0, 1)), "each state once"),
    "a state that is not carried": (
        ("forward", 1, set_place("load_state", 6, 0)),
        "a recurrence that stores each state that it reads",
    ),
    "no state": (("forward", 2, without("store_state")), "one store_state of each, 1, got 0"),
    "a state twice with a tape": (("forward_keep", 1, also("store_state", 0, 0)), "each state once"),
    "a state before that nothing reads": (
        ("backward", 0, also("load_state", 0, 0)),
        "states before the step that the recurrence reads",
    ),
    "a carried gradient ahead": (
        ("backward", 2, also("load_gradient", 0, 1)),
        "gradients of states that the recurrence carries in it alone",
    ),
    "another gradient": (
        ("backward", 1, set_place("store_gradient", 6, 0)),
        "gradients of the states that are carried",
    ),
    "no gradient": (("backward", 1, without("store_gradient")), "one store_gradient of each, 1, got 0"),
    "a gradient in another part": (
        ("backward", 0, also("store_gradient", 0, 1)),
        "an index of store_gradient below 0",
    ),
    "a row that there is not": (
        ("forward", 2, also("load_read", 0, 1)),
        "rows of stages that have a product",
    ),
    "a row for a product": (
        ("forward", 0, also("store_read", 0, 1)),
        "an index of store_read from 1 and below 1",
    ),
    "for one row what is not": (
        ("forward", 0, set_place("store_left", 8, 1)),
        "for one row what is alike in all",
    ),
    "a load for one row": (("forward", 1, set_place("load_state", 8, 1)), "for all rows load_state"),
    "a store for one row": (("forward", 1, set_place("store_state", 8, 1)), "for all rows store_state"),
    "neither one row nor all": (("forward", 0, set_place("store_left", 8, 2)), "for all rows store_left"),
    "a count of two shapes": (
        ("forward", 0, also("tanh", 0, 0, 2)),  # registers of exp(p) and of a product
        "a count of registers that are alike in the same",
    ),
    "a register of another shape": (
        ("forward", 0, lambda rows, _: into_operand(rows)),
        "a register for all rows and units",
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_program_is_refused(broken):
    given, message = BROKEN[broken]
    with pytest.raises(ValueError, match=message):
        _core.define_cell(**with_rows(*given))


def test_statistics_are_refused():
    given = words()
    registers, place, rows, numbers, _ = given["forward"][1]
    given["forward"][1] = registers, place, rows, numbers, [(-1, 0, [64], -1.0)]
    with pytest.raises(ValueError, match="nor in an elementwise cell"):
        _core.define_cell(**given)


def test_a_recurrent_product_is_refused():
    given = words(h=(1, [0]), bias_h=[0.0])
    with pytest.raises(ValueError, match="an elementwise cell without a recurrent product"):
        _core.define_cell(**given)


def test_three_programs_or_one_for_each_stage():
    given = words()
    with pytest.raises(ValueError, match="a program for each stage"):
        _core.define_cell(**{**given, "backward": given["backward"][:2]})


def test_one_recurrence_with_a_tape_and_without():
    """Here h is stored with the tape's recurrence, and behind it without."""
    given = words()
    programs = [list(map(list, (code[2], code[3]))) for code in given["forward_keep"]]
    at = next(i for i, one in enumerate(programs[2][0]) if one[0] == NUMBER["store_state"])
    programs[2][0].pop(at), programs[2][1].pop(at)
    programs[1][0].append(row("store_state", 0, 0)), programs[1][1].append(0.0)
    given["forward_keep"] = [
        (code[0], code[1], rows, numbers, code[4])
        for code, (rows, numbers) in zip(given["forward_keep"], programs, strict=True)
    ]
    with pytest.raises(ValueError, match="the same states carried with a tape and without"):
        _core.define_cell(**given)


@pytest.mark.parametrize(
    "cell, part, once, to, message",
    [
        (lru, 1, 1, 0, "columns that are stored and loaded for one row or for all"),
        (lru, 1, 0, 1, "columns that are stored and loaded for one row or for all"),
        (gru(reset_after=False), 1, 0, 1, "columns of one row in an elementwise cell"),
    ],
)
def test_columns_of_one_row(cell, part, once, to, message):
    """A load that takes them for what they are not."""
    given = {**cells._words(cell), "name": "one-row-test"}
    registers, place, rows, numbers, statistics = given["forward"][part]
    rows = [list(one) for one in rows]
    load = next(one for one in rows if one[0] == NUMBER["load_left"] and one[8] == once)
    load[8] = to
    given["forward"][part] = registers, place, rows, numbers, statistics
    with pytest.raises(ValueError, match=message):
        _core.define_cell(**given)
