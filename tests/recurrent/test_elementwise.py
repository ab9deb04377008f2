"""Elementwise cells, most of whose step runs for many steps at once: sequences that are longer than that."""

import numpy as np
import pytest

import elman
from tests.support.cases import (
    DIRECTIONS,
    SEQUENCES,
    TOLERANCE,
    TRACED,
    assert_agrees,
    jumps,
    make_case,
    make_layer,
)
from tests.support.covering import ISAS, over


def is_elementwise(cell):
    programs = TRACED[cell].programs
    return len(programs.forward) > 1 + len(programs.products)


ELEMENTWISE = [cell for cell in TRACED if is_elementwise(cell)]
# Where one jumps depends on the last bit, after many steps.
SMOOTH = [cell for cell in ELEMENTWISE if not jumps(TRACED[cell])]
# More steps than are taken together, of B sequences each.
LONG = {1: 150, 3: 50, 70: 3}


def test_which_cells_are_elementwise():
    """Those whose slots read x alone, and whose step has neither matrices nor norms."""
    assert {*ELEMENTWISE} >= {"min_gru", "min_lstm", "sru", "lru", "rg_lru", "t_rnn", "ind_rnn"}
    assert not {*ELEMENTWISE} & {"lstm", "traced_lstm", "layer_norm_lstm", "gru_before", "mgu"}


@over({"cell": SMOOTH, "B": LONG, "sequences": SEQUENCES, "isa": ISAS})
def test_long_sequences(isa, cell, sequences, B):
    for direction in DIRECTIONS.values():
        layer = make_layer(cell, 3, 9, dtype=np.float64, **direction)
        case = make_case(layer, T=LONG[B], B=B, **SEQUENCES[sequences])
        forward, backward = TOLERANCE[np.float64]
        assert_agrees(case, 10 * forward, 10 * backward)  # the error of as many more steps


@pytest.mark.parametrize("cell", ELEMENTWISE)
def test_bits_depend_neither_on_the_batch_nor_on_threads_nor_on_how_steps_are_taken(isa, cell, monkeypatch):
    T, B, H = 90, 5, 40
    layer = make_layer(cell, 4, H)
    case = make_case(layer, T, B, lengths=True)
    case.options["lengths"][0] = T
    results = []
    for threads, schedule in [(1, ""), (2, "units"), (3, "rows"), (5, "both")]:
        elman.set_num_threads(threads)
        monkeypatch.setenv("ELMAN_SCHEDULE", schedule)
        y, state, dx, dstate, grads = case.run()
        results.append([y, *state, dx, *dstate, *(grad.copy() for grad in grads.values())])
    for found in results[1:]:
        for got, want in zip(found, results[0], strict=True):
            np.testing.assert_array_equal(got, want)
    y = results[0][0]
    for b in range(B):
        n = case.options["lengths"][b]
        step = layer.stepper(1)
        step.state = case.packed_state([part[:, b : b + 1] for part in case.state])
        alone, _ = layer(
            case.x[:n, b : b + 1].copy(), case.packed_state([p[:, b : b + 1].copy() for p in case.state])
        )
        np.testing.assert_array_equal(alone[:, 0], y[:n, b])
        for t in range(min(n, 5)):
            np.testing.assert_array_equal(step(case.x[t, b : b + 1])[0], y[t, b])


def test_a_state_that_nothing_reads():
    """Its initial value reaches nothing, and its final gradient does."""
    cell = elman.cell(slots={"a": "x"}, states="h c", params="p")(
        lambda a, h, c, p: (c * a + p, elman.cells.tanh(a + p * c))
    )
    layer = elman.Recurrent(cell, 3, 5, dtype=np.float64)
    rng = np.random.default_rng(0)
    x, state = (
        rng.standard_normal((100, 2, 3)),
        (rng.standard_normal((1, 2, 5)), rng.standard_normal((1, 2, 5))),
    )
    y, (h, _), backward = layer.forward(x, state)
    np.testing.assert_array_equal(h[0], y[-1])
    other, _ = layer(x, (state[0] + 1, state[1]))
    np.testing.assert_array_equal(other, y)
    only_h = rng.standard_normal((1, 2, 5))
    _, dstate = backward(0 * y, (only_h, 0 * only_h))
    assert not dstate[0].any()
    last = 0 * y
    last[-1] = only_h[0]
    first = {name: grad.copy() for name, grad in layer.grads.items()}
    layer.zero_grad()
    _, _, backward = layer.forward(x, state)
    backward(last)  # the last h is the final state
    for name, grad in layer.grads.items():
        np.testing.assert_array_equal(grad, first[name])
