"""Known cells, step by step, against torch's autograd."""

import numpy as np
import pytest

from tests.tracing.torch_side import assert_agrees
from tests.tracing.walk import assert_sound
from tests.tracing.zoo import ZOO


@pytest.mark.parametrize("name", ZOO)
def test_programs_agree_with_autograd(name):
    rng = np.random.default_rng(1)
    for _ in range(5):
        assert_agrees(ZOO[name], rng)


@pytest.mark.parametrize("name", ZOO)
def test_programs_are_sound(name):
    assert_sound(ZOO[name])
    assert max(program.registers for program in ZOO[name].programs.all) <= 15


def kept(cell):
    return sorted(cell.nodes[n].op for n in cell.programs.kept)


def backward(cell):
    return [one.op for one in cell.programs.backward[0].instructions]


def test_an_lstm_keeps_its_gates():
    assert kept(ZOO["lstm"]) == ["sigmoid", "sigmoid", "sigmoid", "tanh"]
    assert [op for op in backward(ZOO["lstm"]) if op in ("sigmoid", "tanh")] == ["tanh"]  # of the new c
    assert backward(ZOO["lstm"]).count("load_after") == 1
    assert len(backward(ZOO["lstm"])) == 20 and ZOO["lstm"].programs.forward[0].registers == 4


def test_a_gru_keeps_its_gates_and_the_candidate_of_h():
    assert kept(ZOO["gru"]) == ["sigmoid", "sigmoid", "slot", "tanh"]
    assert not {"sigmoid", "tanh"} & set(backward(ZOO["gru"]))
    assert ZOO["gru"].programs.forward[0].registers == 4


def test_a_tanh_keeps_nothing():
    assert not ZOO["rnn"].programs.kept


def test_functions_of_neighbours_are_one_instruction():
    first = ZOO["lstm"].programs.forward[0].instructions[0]
    assert (first.op, first.to, first.args, first.count) == ("sigmoid", 0, (0,), 3)
    assert ZOO["lstm"].programs.forward[0].place == (0, 1, 3, 2)
    load = ZOO["lstm"].programs.backward[0].instructions[0]
    assert (load.op, load.to, load.index, load.count) == ("load_tape", 0, 0, 4)


def test_each_feed_is_a_range_of_slots():
    assert ZOO["swapping"].order == ("b", "c", "a")
    assert ZOO["gru"].order == ("n_x", "r", "z", "n_h")
    assert list(ZOO["gru"].slots) == ["r", "z", "n_x", "n_h"]


def without_first(program, op):
    at = next(i for i, one in enumerate(program.instructions) if one.op == op)
    return program._replace(instructions=program.instructions[:at] + program.instructions[at + 1 :])


def turned(program):
    return program._replace(instructions=program.instructions[::-1])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: p._replace(forward=(turned(p.forward[0]),)),
        lambda p: p._replace(backward=(turned(p.backward[0]),)),
        lambda p: p._replace(forward_keep=(without_first(p.forward_keep[0], "store_tape"),)),
        lambda p: p._replace(backward=(without_first(p.backward[0], "load_tape"),)),
        lambda p: p._replace(backward=(without_first(p.backward[0], "store_gradient"),)),
        lambda p: p._replace(backward=(p.backward[0]._replace(registers=p.backward[0].registers - 1),)),
        lambda p: p._replace(forward=(p.forward[0]._replace(place=(0, 0, 0, 0)),)),
    ],
)
def test_what_is_unsound_is_found(spoil):
    class Spoilt:
        programs = spoil(ZOO["lstm"].programs)
        slots, states, params, scalars, matrices = ZOO["lstm"].slots, ZOO["lstm"].states, {}, (), ()
        nodes = ZOO["lstm"].nodes

    with pytest.raises(AssertionError):
        assert_sound(Spoilt)


def test_states_that_change_places_are_loaded_before_they_are_stored():
    ops = [(one.op, one.index) for one in ZOO["passing"].programs.forward[0].instructions]
    for k in (0, 1):
        assert ops.index(("load_state", k)) < ops.index(("store_state", k))
