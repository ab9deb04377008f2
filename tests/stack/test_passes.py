"""The seam as a front end uses it, without a layer: a spec, its weights, prepared arguments, a pass."""

from __future__ import annotations

import re

import numpy as np
import pytest

from elman import stack
from elman.stack.arguments import prepare
from elman.stack.cells import CELLS
from elman.stack.processor import PROCESSOR, tape_size
from elman.stack.spec import StackSpec
from tests.support.cases import make_case, make_layer


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_a_front_end_of_its_own(cell, batch_first):
    """The bits of a layer."""
    layer = make_layer(cell, 3, 7, num_layers=2, bidirectional=True, batch_first=batch_first)
    case = make_case(make_layer(cell, 3, 7, num_layers=2, bidirectional=True), 6, 4, lengths=True, reset=True)
    if batch_first:
        case.x, case.dy = (np.ascontiguousarray(a.swapaxes(0, 1)) for a in (case.x, case.dy))
        case.options["reset"] = case.options["reset"].T.copy()
    case.layer = layer
    wanted_y, wanted_final, wanted_dx, wanted_dinitial, wanted_grads = case.run()

    spec, nest = layer._spec, layer._spec.nest_of(layer.parameters)
    call = prepare(
        spec, PROCESSOR, case.x, case.packed_state(case.state), **case.options, batch_first=batch_first
    )
    run = PROCESSOR.new_pass(spec, call.steps, call.x, call.state)
    tape = run.new_tape()
    y, final = run.forward(PROCESSOR.weights(spec, nest, back=False), tape)
    dfinal = call.check_dstate(case.packed_state(case.dstate))
    back = PROCESSOR.weights(spec, nest, back=True)
    dx, dinitial, grads = run.backward(back, tape, call.check_dy(case.dy), dfinal)

    np.testing.assert_array_equal(y, wanted_y)
    np.testing.assert_array_equal(dx, wanted_dx)
    for got, want in zip(final + dinitial, wanted_final + wanted_dinitial, strict=True):
        np.testing.assert_array_equal(got, want)
    for name, grad in spec.named(grads).items():
        np.testing.assert_array_equal(grad, wanted_grads[name])


def test_the_call_that_the_room_shows():
    layer = make_layer("gru", 3, 7)
    case = make_case(layer, 6, 4, lengths=True)
    given = {
        "I": 3, "H": 7, "weights": list(layer.parameters.values()), "x": case.x, "state": case.packed_state(case.state),
        "lengths": case.options["lengths"], "dy": case.dy, "dstate": case.packed_state(case.dstate),
    }  # fmt: skip
    names = {"StackSpec": StackSpec, "prepare": prepare, "PROCESSOR": PROCESSOR} | given
    exec("\n".join(re.findall(r"^>>> (.*)", stack.__doc__, re.MULTILINE)), names)
    y, _, dx, *_ = case.run()
    np.testing.assert_array_equal(names["y"], y)
    np.testing.assert_array_equal(names["dx"], dx)


def test_a_tape_in_memory_of_the_callers():
    layer, x = make_layer("lstm", 3, 7, num_layers=2), np.ones((5, 2, 3), np.float32)
    spec = layer._spec
    call = prepare(spec, PROCESSOR, x, lengths=[3, 5])
    run = PROCESSOR.new_pass(spec, call.steps, call.x, call.state)
    memory = np.full(tape_size(spec, 10, 10), np.nan, np.float32)
    tape = run.new_tape(memory)
    y, _ = run.forward(layer._made().value, tape)
    assert np.isfinite(memory).sum() >= y.size * spec.L
