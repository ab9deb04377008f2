"""Gradients of the engine in float64 against finite differences of the engine itself."""

import numpy as np
import pytest

from tests.support.cases import CELLS, SMOOTH, make_case, make_layer
from tests.support.covering import ISAS, over
from tests.support.slopes import finite_differences, slope_of_parameter


@over(
    {
        "cell": SMOOTH,
        "factors": [False, True],
        "options": [{}, {"num_layers": 2, "bidirectional": True}, {"reverse": True}],
        "isa": ISAS,
    }
)
def test_gradcheck(isa, cell, factors, options):
    layer = make_layer(cell, 2, 3, dtype=np.float64, **options)
    case = make_case(layer, T=4, B=3, lengths=True, mask=True, reset=True, factors=factors)
    case.scalars = case.all_scalars  # which no difference of x changes

    def loss():
        y, state, *_ = case.forward()
        state = state if isinstance(state, tuple) else [state]
        return (y * case.dy).sum() + sum((s * d).sum() for s, d in zip(state, case.dstate, strict=True))

    _, _, dx, dstate, grads = case.run()
    np.testing.assert_allclose(dx, finite_differences(case.x, loss), atol=1e-7)
    for got, part in zip(dstate, case.state, strict=True):
        np.testing.assert_allclose(got, finite_differences(part, loss), atol=1e-7)
    for name, grad in grads.items():
        np.testing.assert_allclose(grad, slope_of_parameter(layer, name, loss), atol=1e-7)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_added(cell):
    case = make_case(make_layer(cell, 3, 4), 5, 2)
    once = {name: grad.copy() for name, grad in case.run()[-1].items()}
    for _ in range(2):
        _, _, backward = case.layer.forward(case.x, case.packed_state(case.state))
        backward(case.dy, case.packed_state(case.dstate))
    for name, grad in case.layer.grads.items():
        np.testing.assert_allclose(grad, 3 * once[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_missing_gradients_count_as_zero(cell):
    case = make_case(make_layer(cell, 3, 4), 5, 2)

    def backward_of(dy, dstate):
        case.layer.zero_grad()
        _, _, backward = case.layer.forward(case.x, case.packed_state(case.state))
        dx, _ = backward(dy, dstate)
        return dx

    zeros = [np.zeros_like(part) for part in case.dstate]
    np.testing.assert_array_equal(backward_of(case.dy, None), backward_of(case.dy, case.packed_state(zeros)))
    some = case.packed_state(case.dstate)
    np.testing.assert_array_equal(backward_of(None, some), backward_of(np.zeros_like(case.dy), some))
    if len(zeros) > 1:
        first, *rest = zeros[1:]
        np.testing.assert_array_equal(
            backward_of(None, (case.dstate[0], None, *rest)),
            backward_of(None, (case.dstate[0], first, *rest)),
        )


def test_dropout_between_layers():
    """Its mask scales what is kept, and the gradient goes through the same mask; a call has none."""
    layer = make_layer("gru", 4, 6, num_layers=2, dropout=0.4, dtype=np.float64, seed=3)
    x = np.random.default_rng(0).standard_normal((7, 5, 4))
    plain, _ = layer(x)
    y, _, backward = layer.forward(x)
    assert not np.array_equal(y, plain)
    (kept,) = backward._run._dropout
    assert set(np.unique(kept)) == {0, 1 / 0.6}
    bottom = make_layer("gru", 4, 6, dtype=np.float64)
    top = make_layer("gru", 6, 6, dtype=np.float64)
    for k, part in enumerate((bottom, top)):
        part.load_state_dict({n: layer.parameters[n.replace("_l0", f"_l{k}")] for n in part.parameters})
    middle, _, back_bottom = bottom.forward(x)
    want, _, back_top = top.forward(middle * kept)
    np.testing.assert_array_equal(y, want)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    dx, _ = backward(dy)
    want_dx, _ = back_bottom(back_top(dy)[0] * kept)
    np.testing.assert_array_equal(dx, want_dx)


def test_dropout_keeps_the_share_it_says():
    layer = make_layer("gru", 4, 64, num_layers=2, dropout=0.25, seed=1)
    _, _, backward = layer.forward(np.zeros((100, 20, 4), np.float32))
    assert abs((backward._run._dropout[0] == 0).mean() - 0.25) < 0.01
