"""Every cell, instruction set and type against the oracle, forward and backward, at awkward sizes."""

import functools

import numpy as np
import pytest

from tests.support.cases import (
    CELLS,
    DIRECTIONS,
    SEQUENCES,
    SMOOTH,
    TOLERANCE,
    TRACED,
    assert_agrees,
    make_case,
    make_layer,
)
from tests.support.covering import DTYPES, ISAS, KERNELS, over


@over({"cell": CELLS, "sequences": SEQUENCES, "direction": DIRECTIONS, "isa, dtype": KERNELS})
def test_sequences(isa, dtype, cell, sequences, direction):
    layer = make_layer(cell, 5, 9, dtype=dtype, num_layers=2, **DIRECTIONS[direction])
    assert_agrees(make_case(layer, T=7, B=5, **SEQUENCES[sequences]), *TOLERANCE[dtype])


@over(
    {
        "cell": CELLS,
        "H": [1, 3, 7, 9, 18, 33, 64, 80],
        "B": [1, 2, 3, 5, 8, 13],
        "isa, dtype": KERNELS,
    }
)
def test_sizes(isa, dtype, cell, H, B):
    layer = make_layer(cell, 4, H, dtype=dtype)
    assert_agrees(make_case(layer, T=3, B=B, lengths=True), *TOLERANCE[dtype])


@over({"cell": CELLS, "I": [1, 2, 7, 16, 17, 65, 130], "isa, dtype": KERNELS})
def test_inputs(isa, dtype, cell, I):  # noqa: E741
    layer = make_layer(cell, I, 6, dtype=dtype)
    assert_agrees(make_case(layer, T=2, B=3), *TOLERANCE[dtype])


@over({"cell": CELLS, "dtype": DTYPES, "isa": ISAS})
def test_one_step(isa, dtype, cell):
    assert_agrees(make_case(make_layer(cell, 3, 8, dtype=dtype), T=1, B=2), *TOLERANCE[dtype])


@over({"cell": CELLS, "dtype": DTYPES, "isa": ISAS})
def test_without_bias_and_state(isa, dtype, cell):
    layer = make_layer(cell, 3, 8, dtype=dtype, bias=False, num_layers=2)
    assert_agrees(make_case(layer, T=4, B=3, state=False), *TOLERANCE[dtype])


@over({"cell": CELLS, "isa": ISAS})
def test_many_rows(isa, cell):
    """More rows and steps than one tile, one chunk of the x-part or one block of the weight gradients."""
    layer = make_layer(cell, 20, 40, bidirectional=True)
    assert_agrees(make_case(layer, T=30, B=37, lengths=True), 2e-6, 1e-5)


@functools.lru_cache(1)
def real_step(cell):
    case = make_case(make_layer(cell, 256, 512), T=1, B=16)
    return case, case.expected_y()


@pytest.mark.slow
@over({"cell": CELLS, "isa": ISAS})
def test_float32_error_of_one_step(isa, cell):
    """Within 1e-6 absolute per step on unit-scale data, at the sizes of real layers."""
    case, want = real_step(cell)
    y, _ = case.infer()
    # The memory of lmu is no unit-scale data: up to 2.7 here. NumPy's float32 is off by 1.09e-6, ours by 1.15e-6.
    most = 1.25e-6 if cell == "lmu" else 1e-6
    assert np.abs(y - want).max() <= most * max(1, np.abs(want).max())  # relu has no bound of 1 itself


@over(
    {
        "cell": CELLS,
        "value": [0.0, 1e-30, 0.3, -4.0, 9.5, -40.0, 88.0, -90.0, 1e4, -1e30, np.inf, -np.inf],
        "dtype": DTYPES,
        "isa": ISAS,
    }
)
def test_extreme_inputs(isa, dtype, cell, value):
    """Saturated units are where they belong: no NaN, no overflow."""
    layer = make_layer(cell, 1, 3, dtype=dtype)
    with layer.editing() as parameters:
        for name, parameter in parameters.items():
            parameter.fill(1.0 if name.startswith("weight_ih") else 0.0)
    case = make_case(layer, T=1, B=1, state=False)
    case.x[:] = value
    y, _ = case.infer()
    with np.errstate(over="ignore", invalid="ignore"):
        want = case.expected_y()
    # The new state of a cell without bounds can be a difference of numbers as large as its input.
    scale = max(1, abs(value)) if cell in TRACED and np.isfinite(value) else 1
    known = (
        ~np.isnan(want) if cell in TRACED else ...
    )  # the equations of some are 0 / 0 or 0 times infinity there
    np.testing.assert_allclose(y[known], want[known], rtol=1e-6, atol=1e-7 * scale)


@over({"cell": SMOOTH, "dtype": DTYPES, "isa": ISAS})
def test_nan_passes_through(isa, dtype, cell):
    """NaN in one sequence makes that sequence NaN from there on, and no other."""
    layer = make_layer(cell, 3, 18, dtype=dtype)
    case = make_case(layer, T=5, B=4)
    clean, _ = case.infer()
    case.x[2, 1, 0] = np.nan
    y, _ = case.infer()
    assert np.isnan(y[2:, 1]).all()
    others = [0, 2, 3]
    np.testing.assert_array_equal(y[:, others], clean[:, others])
    np.testing.assert_array_equal(y[:2], clean[:2])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_rectified_unit_stops_every_gradient(isa, dtype, value):
    """Where relu gave 0, the gradient does not pass, whatever it is (as in torch): a choice, not a product."""
    case = make_case(make_layer("rnn_relu", 3, 18, dtype=dtype), T=5, B=4)
    y, _ = case.infer()
    assert (y == 0).any() and (y > 0).any()
    case.dy[y == 0] = 0
    _, _, dx, [dstate], grads = case.run()
    want = [dx.copy(), dstate.copy(), *(grad.copy() for grad in grads.values())]
    case.dy[y == 0] = value
    _, _, dx, [dstate], grads = case.run()
    for got, right in zip([dx, dstate, *grads.values()], want, strict=True):
        np.testing.assert_array_equal(got, right)
