"""Losses of one's own: the numbers of elman's, a gradient check that finds a wrong slope, and refusals."""

import copy
import pickle

import numpy as np
import pytest
import torch

from elman import losses
from elman.losses import check_gradient, custom


def log_cosh(p, t):
    return np.log(np.cosh(p - t)), np.tanh(p - t)


LOG_COSH = custom(log_cosh)


def test_it_is_a_loss_as_elmans_are(rng, dtype):
    mine = custom(lambda p, t: ((p - t) ** 2, 2 * (p - t)))
    x, target = rng.standard_normal((4, 3, 2)).astype(dtype), rng.standard_normal((4, 3, 2))
    target[0, 1] = np.nan
    options = {"lengths": [4, 2, 3], "weights": rng.random((4, 3))}
    got, want = mine(x, target, **options), losses.mean_squared_error(x, target, **options)
    assert got.value == want.value and got.count == want.count and got.gradient.dtype == dtype
    np.testing.assert_array_equal(got.gradient, want.gradient)
    assert mine(x, target, gradient=False).gradient is None


def test_slopes_of_a_function_and_of_torch(rng):
    x, target = rng.standard_normal((5, 2)), rng.standard_normal((5, 2))
    want = LOG_COSH(x, target)
    apart = custom(lambda p, t: np.log(np.cosh(p - t)), lambda p, t: np.tanh(p - t))
    by_torch = custom(lambda p, t: torch.log(torch.cosh(p - t)), "torch")
    for loss in (apart, by_torch):
        got = loss(x, target)
        assert got.value == pytest.approx(want.value, rel=1e-12)
        np.testing.assert_allclose(got.gradient, want.gradient, rtol=1e-12)


def test_several_values_for_each_target(rng):
    def costs(p, t):
        error = p[..., 0] - t
        return error**2 + p[..., 1] ** 2, np.stack([2 * error, 2 * p[..., 1]], axis=-1)

    loss = custom(costs, width=2)
    assert check_gradient(loss, rng.standard_normal((3, 2)), rng.standard_normal(3)) < 1e-8


def test_the_check_finds_a_wrong_slope(rng):
    x, target = rng.standard_normal((3, 2)), rng.standard_normal((3, 2))
    for loss in (LOG_COSH, losses.huber, losses.mean_squared_error, losses.binary_cross_entropy):
        assert check_gradient(loss, x, abs(target), weights=[1, 2, 3]) < 1e-8
    assert check_gradient(losses.cross_entropy, x, [0, 1, 0], label_smoothing=0.1) < 1e-8
    wrong = custom(lambda p, t: ((p - t) ** 2, np.where(p > p.min(), 2, 1.9) * (p - t)))
    place = ", ".join(map(str, np.unravel_index(x.argmin(), x.shape)))
    with pytest.raises(ValueError, match=rf"gradient\[{place}\]: expected .*, by differences, got "):
        check_gradient(wrong, x, target)
    with pytest.raises(ValueError, match=r"gradient\[0, 0\]: expected .*got nan"):
        check_gradient(custom(lambda p, t: (p, p * np.nan)), x, target)


def test_it_is_found_by_its_name():
    assert LOG_COSH.name == f"{__name__}:log_cosh" and pickle.loads(pickle.dumps(LOG_COSH)) is LOG_COSH
    assert copy.deepcopy(LOG_COSH) is LOG_COSH
    assert custom(log_cosh, name="my:loss").name == "my:loss"


REFUSALS = {
    r"function: expected a function of \(prediction, target\), got 3": lambda: custom(3),
    "gradient: expected a function, 'torch' or None, got 'jax'": lambda: custom(log_cosh, "jax"),
    "name: expected text as 'module:name', got 3": lambda: custom(log_cosh, name=3),
    r"function: expected a pair \(cost, slope\) where no gradient is given, got \[2\] float64": lambda: (
        custom(lambda p, t: p - t)(np.zeros(2), np.zeros(2))
    ),
    r"function: expected a cost \[2\], got 0.0; the mean over the targets is taken": lambda: custom(
        lambda p, t: (np.mean(p), p)
    )(np.zeros(2), np.zeros(2)),
    r"function: expected a cost \[2\], got 0.0": lambda: custom(lambda p, t: ((p - t) ** 2).mean(), "torch")(
        np.zeros(2), np.zeros(2)
    ),
    r"function: expected a slope \[2\], got \[1\] float64": lambda: custom(lambda p, t: (p, p[:1]))(
        np.zeros(2), np.zeros(2)
    ),
    "loss: expected one that elman.losses.custom has made, got 'away:f'; import away first": lambda: (
        losses.custom.__globals__["named"]("away:f")
    ),
}


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    with pytest.raises(ValueError, match=message):
        REFUSALS[message]()


def test_a_function_does_not_change_what_it_gets():
    """The prediction is the model's, which metrics and the way back read after the loss."""

    def function(prediction, target):
        prediction -= target
        return prediction**2, 2 * prediction

    with pytest.raises(ValueError, match="read-only"):
        custom(function)(np.ones(3), np.zeros(3))
