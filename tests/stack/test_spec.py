"""What a stack says of its weights and states."""

from __future__ import annotations

import numpy as np
import pytest

from elman.stack.cells import CELLS
from elman.stack.spec import StackSpec
from tests.support.cases import make_layer


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_names_and_shapes_are_those_of_a_layer(cell, bias):
    layer = make_layer(cell, 3, 5, num_layers=2, bidirectional=True, bias=bias)
    spec = StackSpec(cell, 3, 5, 2, (False, True), bias)
    assert spec.names == tuple(layer.parameters)
    assert [*spec.shapes] == [value.shape for value in layer.parameters.values()]
    assert (spec.D, spec.width, spec.states) == (2, 10, len(CELLS[cell].states))
    assert spec.state_shapes(7) == [(4, 7, 5)] * spec.states


def test_names_and_shapes_with_a_projection():
    spec = StackSpec("lstm", 3, 5, 2, P=2)
    assert spec.names[:5] == ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_hr_l0")
    assert [*spec.shapes] == [(20, 3), (20, 2), (20,), (20,), (2, 5), (20, 2), (20, 2), (20,), (20,), (2, 5)]
    assert spec.width == 2 and spec.state_shapes(7) == [(2, 7, 2), (2, 7, 5)]


@pytest.mark.parametrize("bias", [True, False])
def test_nest(bias):
    spec = StackSpec("gru", 3, 5, 2, (False, True), bias)
    nest = spec.nest(spec.names)
    assert nest[1][1][:2] == ["weight_ih_l1_reverse", "weight_hh_l1_reverse"]
    assert nest[0][1][2:] == (["bias_ih_l0_reverse", "bias_hh_l0_reverse"] if bias else [None, None])
    assert [*spec.named(nest)] == [*spec.named(nest).values()] == list(spec.names)
    assert spec.nest_of({name: name for name in spec.names}) == nest


def test_equal_stacks_are_one():
    assert StackSpec("gru", 3, 5) == StackSpec("gru", 3, 5, 1, (False,), True, np.dtype("float32"))
    assert (
        len({StackSpec("gru", 3, 5), StackSpec("gru", 3, 5), StackSpec("gru", 3, 5, backwards=(True,))}) == 2
    )
