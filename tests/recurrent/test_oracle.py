"""The oracle itself: its gradients against finite differences."""

import numpy as np
import pytest

from tests.support import oracle
from tests.support.cases import COMPILED, SMOOTH, make_case, make_layer
from tests.support.covering import over
from tests.support.slopes import finite_differences, slope_of_parameter


def loss_of(case, stack):
    y, state = case.forward_of(stack)
    return (y * case.dy).sum() + sum((s * d).sum() for s, d in zip(state, case.dstate, strict=True))


def assert_slopes(layer, arrays, slopes, loss):
    """Along random directions through all numbers at once: a wrong slope of a single one shows in each of them."""
    rng = np.random.default_rng(1)
    start = [array.copy() for array in arrays]
    weights = layer.state_dict()

    def at(step, ways):
        for array, first, way in zip(arrays, start, ways, strict=False):
            array[...] = first + step * way
        moved = zip(weights.items(), ways[len(arrays) :], strict=True)
        layer.load_state_dict({name: first + step * way for (name, first), way in moved})
        return loss()

    for _ in range(4):
        ways = [rng.standard_normal(slope.shape) / 4 for slope in slopes]
        want = sum((slope * way).sum() for slope, way in zip(slopes, ways, strict=True))
        np.testing.assert_allclose((at(1e-6, ways) - at(-1e-6, ways)) / 2e-6, want, atol=1e-7)


@pytest.mark.slow
@over(
    {
        "cell": SMOOTH,
        "factors": [False, True],
        "options": [{}, {"reverse": True}, {"bidirectional": True, "num_layers": 2}],
    }
)
def test_gradients_match_finite_differences(cell, factors, options):
    layer = make_layer(cell, 3, 2, dtype=np.float64, **options)
    case = make_case(layer, T=4, B=3, lengths=True, mask=True, reset=True, factors=factors)
    case.scalars = case.all_scalars  # which no difference of x changes
    _, _, dx, dstate, grads = case.expected()
    loss = lambda: loss_of(case, oracle.of_layer(layer))  # noqa: E731
    if cell not in COMPILED:  # whose oracle is slow, and has its slopes from torch
        assert_slopes(
            layer, [case.x, *case.state], [dx, *dstate, *(grads[name] for name in layer.parameters)], loss
        )
        return
    np.testing.assert_allclose(dx, finite_differences(case.x, loss), atol=1e-7)
    for got, part in zip(dstate, case.state, strict=True):
        np.testing.assert_allclose(got, finite_differences(part, loss), atol=1e-7)
    for name, grad in grads.items():
        np.testing.assert_allclose(grad, slope_of_parameter(layer, name, loss), atol=1e-7)
