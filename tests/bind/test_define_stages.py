"""Definitions of several stages that do not hold together are refused."""

import pytest

from elman import _core
from elman.cells import mean, sigmoid, tanh, variance
from elman.stack import cells
from elman.tracing import trace


def three(f, n, h, c, u, v):
    f = sigmoid(f)
    c1 = tanh(n + u(f * h)) + c
    return f * h + v(c1), c1


CELL = trace(three, {"f": "xh", "n": "x"}, "h c", matrices="u v")
NUMBER = {name: number for number, name in enumerate(_core.operations())}
PASSES = ("forward", "forward_keep", "backward")


def words(**changes):
    return {**cells._words(CELL), "name": "three-test", **changes}


def changed(which, stage, change):
    """The definition with the program of a stage changed: `change` gets its rows."""
    programs = list(words()[which])
    registers, place, rows, numbers, statistics = programs[stage]
    rows = [list(row) for row in rows]
    change(rows)
    programs[stage] = registers, place, rows, numbers[: len(rows)], statistics
    return words(**{which: programs})


def setting(operation, place, value):
    def change(rows):
        next(row for row in rows if row[0] == NUMBER[operation])[place] = value

    return change


def without(operation):
    def change(rows):
        rows.remove(next(row for row in rows if row[0] == NUMBER[operation]))

    return change


def test_it_is_one_that_can_be_defined():
    assert _core.define_cell(**words())["stages"] == 3


BROKEN = {
    "row of the wrong stage": ("forward", 0, setting("store_read", 6, 2), "an index of store_read from 1 and below 2"),
    "no row": ("forward", 1, without("store_read"), "one store_read of each, 1, got 0"),
    "row of a later stage": ("forward", 0, setting("load_state", 0, NUMBER["load_read"]), "an index of load_read"),
    "row that nothing reads": ("forward", 2, setting("store_state", 0, NUMBER["store_read"]), "an index of store_read"),
    "states too early": ("forward", 0, setting("store_read", 0, NUMBER["store_state"]), "an index of store_state"),
    "column beyond": ("forward", 0, setting("store_left", 6, 64), "an index of store_left below"),
    "column in the first stage": (
        "forward",
        0,
        setting("load_state", 0, NUMBER["load_tape"]),
        "an index of load_tape below 0",
    ),
    "gradient of a row too early": ("backward", 2, setting("load_gradient", 0, NUMBER["load_passed"]), "load_passed"),
    "gradient of a row there": ("forward", 1, setting("load_left", 0, NUMBER["load_passed"]), "load_passed"),
    "no gradient of a slot": ("backward", 2, without("store_tape"), "the gradient of each slot of a stage"),
    "gradient of a state too early": (
        "backward",
        2,
        setting("store_tape", 0, NUMBER["store_gradient"]),
        "an index of store_gradient below 0",
    ),
    "gradient of a slot overwritten": (
        "backward",
        0,
        setting("store_tape", 6, 3),
        "gradients of slots that stay where they are",
    ),
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_program_is_refused(broken):
    which, stage, change, message = BROKEN[broken]
    with pytest.raises(ValueError, match=message):
        _core.define_cell(**changed(which, stage, change))


def test_only_sums_of_the_first_stage_go_to_columns():
    programs = list(words()["forward"])
    registers, _, *rest = programs[1]
    programs[1] = registers, [-65], *rest
    with pytest.raises(ValueError, match="sums in columns of the first stage alone"):
        _core.define_cell(**words(forward=programs))


def test_a_column_must_have_been_stored():
    definition = changed("forward", 1, setting("load_left", 6, 2)) | {"left": 3}
    with pytest.raises(ValueError, match="columns that an earlier program has stored"):
        _core.define_cell(**definition)


FACTS = {
    "too few programs": ({"forward": words()["forward"][:2]}, "a program for each stage"),
    "too few columns": ({"columns": 3}, "4 to 64 columns, got 3"),
    "many columns": ({"columns": 65}, "4 to 64 columns, got 65"),
    "many columns within a step": ({"left": 65}, "0 to 64 columns within a step, got 65"),
    "a stage that feeds nothing": ({"later": [(2, [1]), (3, [])]}, "slots that x feeds first, then h, then each"),
    "a stage too many": ({"later": [(2, [1]), (3, [2]), (4, [3])]}, "slots that x feeds first, then h, then each"),
    "many stages": ({"later": [(2, [1])] * 6}, "1 to 6 stages, got 7"),
    "a gap between stages": ({"later": [(3, [1]), (2, [2])]}, "slots that x feeds first, then h, then each"),
    "a gate twice": ({"later": [(2, [1]), (3, [1])]}, "a gate for each slot that a product feeds"),
    "a gate beyond": ({"later": [(2, [1]), (3, [3])]}, "a gate for each slot that a product feeds"),
    "bias": ({"bias_h": [0.0]}, "a name and the start of a bias for each gate"),
}  # fmt: skip


@pytest.mark.parametrize("broken", FACTS)
def test_facts_that_do_not_fit_are_refused(broken):
    changes, message = FACTS[broken]
    with pytest.raises(ValueError, match=message):
        _core.define_cell(**words(**changes))


def normed(a, b, c):
    middle = mean(a, b)
    return a - middle + variance(a, b) * c, mean(c * b)


NORMED = trace(normed, {"a": "xh", "b": "x"}, "h c")


def with_statistics(which, stage, *given):
    """The words of a cell with other statistics before one of its programs."""
    definition = {**cells._words(NORMED), "name": "normed-test"}
    programs = list(definition[which])
    programs[stage] = *programs[stage][:4], [(*one, -1.0) if len(one) == 3 else one for one in given]
    return {**definition, which: programs}


def test_statistics_can_be_defined():
    definition = {**cells._words(NORMED), "name": "normed-test"}
    assert [len(code[4]) for code in definition["forward"]] == [0, 3]
    assert _core.define_cell(**definition)["stages"] == 2


STATISTICS = {
    "not in order": (("forward", 1, (-1, 1, [64])), "statistics, numbered in their order"),
    "variance of no mean": (("forward", 1, (0, 0, [64])), "a mean before its variance"),
    "variance of a number below": (("forward", 1, (-2, 0, [64])), "a mean before its variance"),
    "of nothing": (("forward", 1, (-1, 0, [])), "statistics of columns"),
    "of what nobody stored": (
        ("forward", 1, (-1, 0, [127])),
        "statistics of columns that an earlier program has",
    ),
    "of a column below": (("forward", 1, (-1, 0, [-1])), "statistics of columns that an earlier program has"),
    "of many": (("forward", 1, (-1, 0, [64] * 17)), "statistics: expected at most 16 columns"),
    "epsilon of a mean": (("forward", 1, (-1, 0, [64], 1.0)), "an epsilon above 0, of a variance"),
    "epsilon of 0": (("forward", 1, (-1, 0, [64]), (0, 1, [64], 0.0)), "an epsilon above 0, of a variance"),
    "epsilon below 0": (
        ("forward", 1, (-1, 0, [64]), (0, 1, [64], -2.0)),
        "an epsilon above 0, of a variance",
    ),
    "no number": (
        ("forward", 1, (-1, 0, [64]), (0, 1, [64], float("nan"))),
        "an epsilon above 0, of a variance",
    ),
    "before the first": (("forward", 0, (-1, 0, [64])), "no statistics before the first program"),
    "before the first back": (("backward", 1, (-1, 3, [64])), "no statistics before the first program"),
    "too few": (("forward", 1, (-1, 0, [64])), "an index of load_statistic below 1"),
    "too many": (("forward", 1, *[(-1, k, [64]) for k in range(33)]), "at most 32 statistics"),
    "other ones with a tape": (
        ("forward_keep", 1, *[(-1, k, [64]) for k in range(4)]),
        "the same statistics with a tape and without",
    ),
}


@pytest.mark.parametrize("broken", STATISTICS)
def test_statistics_that_do_not_fit_are_refused(broken):
    given, message = STATISTICS[broken]
    with pytest.raises(ValueError, match=message):
        _core.define_cell(**with_statistics(*given))


def test_a_column_stays_while_statistics_are_made_of_it():
    definition = {**cells._words(NORMED), "name": "normed-test"}
    registers, place, rows, numbers, statistics = definition["forward_keep"][1]
    store = [NUMBER["store_left"], 0, 0, 0, 0, 0, statistics[0][2][0] - 64, 1, 0]
    load = [NUMBER["load_state"], 0, 0, 0, 0, 0, 0, 1, 0]
    changed = registers, place, [load, store, *map(list, rows)], [0.0, 0.0, *numbers], statistics
    definition["forward_keep"] = [definition["forward_keep"][0], changed]
    with pytest.raises(ValueError, match="columns that stay while others make statistics of them"):
        _core.define_cell(**definition)
