"""A definition that does not hold together is refused: nothing about a program is believed."""

import re

import numpy as np
import pytest

from elman import _core
from elman.cells import CellDefinition, sigmoid, tanh, zoneout
from elman.stack import cells
from elman.tracing import trace


def two(i, f, h, c, p):
    c1 = sigmoid(f + p * c) * c + tanh(i)
    return zoneout(h, tanh(c1), 0.1), c1


CELL = trace(two, {"i": "x", "f": "xh"}, "h c", "p")
NUMBER = {name: number for number, name in enumerate(_core.operations())}


def words(**changes):
    return {**cells._words(CELL), "name": "two-test", **changes}


def changed(which, change):
    """The definition with one program changed: `change` gets its rows and numbers as lists."""
    given = words()
    ((registers, place, rows, numbers, statistics),) = given[which]
    rows, numbers = [list(row) for row in rows], list(numbers)
    found = change(rows, numbers)
    registers, place = found or (registers, place)
    return {**given, which: [(registers, place, rows, numbers, statistics)]}


def row_of(rows, operation):
    return next(row for row in rows if row[0] == NUMBER[operation])


def set_row(operation, place, value):
    def change(rows, _):
        row_of(rows, operation)[place] = value

    return change


def set_number(operation, value):
    def change(rows, numbers):
        numbers[rows.index(row_of(rows, operation))] = value

    return change


def without_last(rows, numbers):
    rows.pop(), numbers.pop()


def same_place(rows, _):
    for row in rows:
        if row[0] == NUMBER["store_state"]:
            row[6] = 1


def without(operation):
    def change(rows, numbers):
        at = rows.index(row_of(rows, operation))
        rows.pop(at), numbers.pop(at)

    return change


without_tape = without("store_tape")


def longer(rows, numbers):
    rows.extend([rows[0]] * 5000)
    numbers.extend([0.0] * 5000)


def without_number(rows, numbers):
    numbers.pop()


def test_it_is_one_that_can_be_defined():
    _core.define_cell(**words())
    _core.define_cell(**words())  # the same again


def test_compiled_cells_keep_their_names():
    with pytest.raises(ValueError, match="cell lstm: expected a name that no compiled cell has"):
        _core.define_cell(**words(name="lstm"))


def test_a_name_has_one_meaning():
    _core.define_cell(**words(name="taken"))
    with pytest.raises(ValueError, match="cell taken: expected a name that no other cell has"):
        _core.define_cell(**words(name="taken", bias=[0.0, 1.0]))


BROKEN = {
    "operation": ("forward", set_row("tanh", 0, 999), "an operation that there is"),
    "negative operation": ("forward", set_row("tanh", 0, -1), "an operation that there is"),
    "register": ("forward", set_row("tanh", 1, 64), "a register below"),
    "negative register": ("forward", set_row("tanh", 2, -1), "a register below"),
    "unwritten": ("forward", lambda rows, _: rows.insert(0, rows.pop(-1)), "written before they are read"),
    "more registers than it reads": ("forward", set_row("tanh", 3, 1), "no more registers than"),
    "state": ("forward", set_row("load_state", 6, 2), "an index of load_state below 2"),
    "negative state": ("forward", set_row("load_state", 6, -1), "an index of load_state below 2"),
    "vector": ("forward", set_row("load_vector", 6, 1), "an index of load_vector below 1"),
    "scalar": ("forward", set_row("load_vector", 0, NUMBER["load_scalar"]), "an index of load_scalar below 0"),
    "random": ("forward", set_row("load_random", 6, 16), "an index of load_random below 16"),
    "tape in forward": ("forward", set_row("store_state", 0, NUMBER["store_tape"]), "an index of store_tape"),
    "tape": ("forward_keep", set_row("store_tape", 6, 2), "an index of store_tape below 2"),
    "gradient in forward": (
        "forward",
        set_row("load_state", 0, NUMBER["load_gradient"]),
        "an index of load_gradient below 0",
    ),
    "state stored back": (
        "backward",
        set_row("store_gradient", 0, NUMBER["store_state"]),
        "an index of store_state below 0",
    ),
    "count": ("forward", set_row("fma", 7, 2), "a count that fma can have"),
    "no count": ("forward", set_row("tanh", 7, 0), "a count that tanh can have"),
    "long count": ("backward", set_row("load_tape", 7, 3), "an index of load_tape below 2"),
    "column that is not kept": ("forward_keep", without_tape, "columns that an earlier program has stored"),
    "infinite number": ("forward", set_number("from_number", np.inf), "finite numbers"),
    "nan": ("forward", set_number("from_number", np.nan), "finite numbers"),
    "chance": ("forward", set_number("chance", 1.5), "a chance of 0 to 1"),
    "state twice": ("forward", same_place, "one store_state of each"),
    "missing store": ("forward", without_last, "one store_state of each"),
    "missing tape": ("backward", without("store_tape"), "the gradient of each slot of a stage"),
    "no registers": ("forward", lambda *_: (0, [0, 1]), "1 to 64 registers, got 0"),
    "many registers": ("forward", lambda *_: (65, [0, 1]), "1 to 64 registers, got 65"),
    "places": ("forward", lambda *_: (8, [0]), "a place for each slot"),
    "one place": ("forward", lambda *_: (8, [1, 1]), "a register for each slot"),
    "place": ("forward", lambda *_: (8, [0, 8]), "a register below 8"),
    "a column of the tape without one": ("forward", lambda *_: (8, [-1, 1]), "sums in columns of no later slot"),
    "a column of a later slot": ("forward_keep", lambda *_: (8, [-2, 1]), "sums in columns of no later slot"),
    "a column that there is not": ("forward", lambda *_: (8, [-65, 1]), "an index of store_left below 0"),
    "place back": ("backward", lambda *_: (8, [0, 1]), "a place for each slot"),
    "long": (
        "forward",
        longer,
        "at most 4096 instructions",
    ),
    "numbers": ("forward", without_number, "code: expected a number for each instruction"),
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_program_is_refused(broken):
    which, change, message = BROKEN[broken]
    with pytest.raises(ValueError, match=message):
        _core.define_cell(**changed(which, change))


def test_a_store_waits_for_the_loads_of_its_place():
    def early(rows, numbers):
        store = row_of(rows, "store_state")
        at, load = rows.index(store), max(i for i, row in enumerate(rows) if row[0] == NUMBER["load_state"])
        again = list(rows[load])
        again[6] = store[6]
        rows.insert(at + 1, again)
        numbers.insert(at + 1, 0.0)

    with pytest.raises(ValueError, match="each load_state before what is stored in its place"):
        _core.define_cell(**changed("forward", early))


FACTS = {
    "no name": ({"name": ""}, "expected a name"),
    "no slots": ({"slots": 0}, "1 to 16 slots, got 0"),
    "many slots": ({"slots": 17}, "1 to 16 slots, got 17"),
    "no states": ({"states": []}, "1 to 8 states, got 0"),
    "many states": ({"states": ["s"] * 9}, "1 to 8 states, got 9"),
    "many vectors": ({"vectors": ["p"] * 17}, "0 to 16 vectors, got 17"),
    "many scalars": ({"scalars": ["t"] * 5}, "0 to 4 scalars, got 5"),
    "a gap between feeds": (
        {"x": (0, [0]), "gates": ["i"], "bias": [0.0], "h": (2, [])},
        "slots that x feeds first",
    ),
    "h not last": ({"h": (0, [0])}, "slots that x feeds first"),
    "a gate beyond": ({"x": (0, [0, 2])}, "a gate for each slot"),
    "a gate twice": ({"x": (0, [0, 0])}, "a gate for each slot"),
    "many fed": ({"x": (0, [0] * 17)}, "at most 16 slots"),
    "gates": ({"gates": ["i"]}, "a name and the start of a bias for each gate"),
    "bias": ({"bias_h": []}, "a name and the start of a bias for each gate"),
    "infinite bias": ({"bias": [0.0, np.inf]}, "finite starts of biases"),
}


@pytest.mark.parametrize("broken", FACTS)
def test_facts_that_do_not_fit_are_refused(broken):
    changes, message = FACTS[broken]
    with pytest.raises(ValueError, match=re.escape(message)):
        _core.define_cell(**words(**changes))


def test_what_was_refused_is_not_there():
    with pytest.raises(ValueError):
        _core.define_cell(**words(name="never", slots=0))
    with pytest.raises(ValueError, match="cell: no cell is named 'never'"):
        _core.tape_room("never", 1, 1, False)


def test_facts_come_back():
    facts = _core.define_cell(**words())
    assert facts["states"] == ("h", "c") and facts["gates"] == ("i", "f") and facts["vectors"] == ("p",)
    assert facts["draws"] and not facts["scalars"] and len(facts["bias_h"]) == 1


def test_equal_cells_are_one():
    again = CellDefinition.from_data(CELL.as_data())
    assert cells.define(CELL) == cells.define(again) == CELL.key
