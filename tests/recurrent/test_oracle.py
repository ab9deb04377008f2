"""The oracle itself: its gradients against finite differences, its outputs against PyTorch."""

import numpy as np
import pytest

from tests.support import oracle
from tests.support.cases import SMOOTH, make_case, make_layer
from tests.support.slopes import finite_differences, slope_of_parameter


def loss_of(case, stack):
    y, state = case.forward_of(stack)
    return (y * case.dy).sum() + sum((s * d).sum() for s, d in zip(state, case.dstate, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{}, {"reverse": True}, {"bidirectional": True, "num_layers": 2}], ids=str
)
@pytest.mark.parametrize("factors", [False, True])
@pytest.mark.parametrize("cell", SMOOTH)
def test_gradients_match_finite_differences(cell, factors, options):
    layer = make_layer(cell, 3, 2, dtype=np.float64, **options)
    case = make_case(layer, T=4, B=3, lengths=True, mask=True, reset=True, factors=factors)
    case.scalars = case.all_scalars  # which no difference of x changes
    _, _, dx, dstate, grads = case.expected()
    loss = lambda: loss_of(case, oracle.of_layer(layer))  # noqa: E731
    np.testing.assert_allclose(dx, finite_differences(case.x, loss), atol=1e-7)
    for got, part in zip(dstate, case.state, strict=True):
        np.testing.assert_allclose(got, finite_differences(part, loss), atol=1e-7)
    for name, grad in grads.items():
        np.testing.assert_allclose(grad, slope_of_parameter(layer, name, loss), atol=1e-7)
