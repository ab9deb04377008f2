"""Every loss equals PyTorch's, its gradient the slope, and what does not count does not count."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import elman
from elman import losses
from tests.support.slopes import finite_differences

F = torch.nn.functional
REAL = {
    "squared": (losses.mean_squared_error, F.mse_loss, {}),
    "absolute": (losses.mean_absolute_error, F.l1_loss, {}),
    "huber": (losses.huber, F.huber_loss, {"delta": 0.7}),
    "binary": (losses.binary_cross_entropy, F.binary_cross_entropy_with_logits, {}),
}


@pytest.mark.parametrize("name", REAL)
def test_real_valued_losses_equal_torch(name, rng, dtype):
    ours, theirs, options = REAL[name]
    x = (3 * rng.standard_normal((5, 4, 3))).astype(dtype)
    target = rng.random((5, 4, 3)).astype(dtype)
    twin = torch.tensor(x, requires_grad=True)
    want = theirs(twin, torch.tensor(target), **options)
    want.backward()
    loss = ours(x, target, **options)
    assert loss.count == 60 and loss.gradient.dtype == dtype
    assert loss.value == pytest.approx(want.item(), rel=1e-6)
    np.testing.assert_allclose(loss.gradient, twin.grad.numpy(), atol=1e-7)
    assert ours(x, target, gradient=False, **options) == losses.Loss(loss.value, None, 60)


def test_gaussian_equals_torch(rng):
    x, target = rng.standard_normal((4, 3, 2)), rng.standard_normal((4, 3))
    twin = torch.tensor(x, requires_grad=True)
    want = F.gaussian_nll_loss(twin[..., 0], torch.tensor(target), twin[..., 1].exp(), eps=0)
    want.backward()
    loss = losses.gaussian(x, target)
    assert loss.value == pytest.approx(want.item(), rel=1e-12)
    np.testing.assert_allclose(loss.gradient, twin.grad.numpy(), atol=1e-12)


def test_quantile_is_least_at_the_quantiles(rng):
    target = rng.exponential(size=(4001, 1))
    levels = (0.1, 0.5, 0.9)
    best = np.quantile(target, levels)
    at = lambda p: losses.quantile(np.broadcast_to(p, (4001, 1, 3)), target, quantiles=levels)  # noqa: E731
    for shift in (-0.05, 0.05):
        assert at(best).value < at(best + shift).value
    assert abs(at(best).gradient.sum(axis=0)).max() < 2 / 4001
    x = rng.standard_normal((3, 2, 3))
    y = rng.standard_normal((3, 2))
    slope = finite_differences(x, lambda: losses.quantile(x, y).value)
    np.testing.assert_allclose(losses.quantile(x, y).gradient, slope, atol=1e-8)


@pytest.mark.parametrize("C", [1, 2, 7, 16, 33])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_equals_torch(C, smoothing, isa, dtype, rng):
    x = (4 * rng.standard_normal((5, 3, C))).astype(dtype)
    target = rng.integers(0, C, (5, 3))
    twin = torch.tensor(x, requires_grad=True)
    want = F.cross_entropy(twin.reshape(-1, C), torch.tensor(target).reshape(-1), label_smoothing=smoothing)
    want.backward()
    loss = losses.cross_entropy(x, target, label_smoothing=smoothing)
    tolerance = 1e-6 if dtype == np.float32 else 1e-13
    assert loss.value == pytest.approx(want.item(), rel=tolerance, abs=tolerance)
    np.testing.assert_allclose(loss.gradient, twin.grad.numpy(), atol=tolerance)


def test_cross_entropy_of_extreme_logits(dtype):
    x = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4]], dtype)
    loss = losses.cross_entropy(x, np.array([1, 2]))
    assert loss.value == pytest.approx((2e4 + np.log(3)) / 2)
    np.testing.assert_allclose(loss.gradient, [[0.5, -0.5, 0], [1 / 6, 1 / 6, -1 / 3]], atol=1e-7)
    assert np.isnan(losses.cross_entropy(np.array([[np.nan, 1]], dtype), np.array([1])).value)


def odd_logits(kind, dtype):
    x = np.linspace(-2, 3, 6 * 19).reshape(6, 19).astype(dtype)
    if kind == "minus infinity":
        x[:4, 1::2] = -np.inf
    if kind == "lowest":  # their sum is -infinity
        x[:4, 1::2] = np.finfo(dtype).min
    if kind == "large":  # beside which the logarithm of the sum is lost
        x[2:] = np.finfo(dtype).max / 2
    if kind == "whole rows":
        x[2], x[3, 5], x[4, 6], x[5, 7] = -np.inf, -np.inf, np.inf, np.nan
    return x


@pytest.mark.parametrize("kind", ["minus infinity", "lowest", "large", "whole rows"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_with_classes_masked_out(kind, smoothing, isa, dtype):
    x = odd_logits(kind, dtype)
    twin = torch.tensor(x, requires_grad=True)
    target = np.array([0, 1, 4, 5, 6, 8])
    want = F.cross_entropy(twin, torch.tensor(target), label_smoothing=smoothing, reduction="none")
    want.sum().backward()
    for row in range(6):
        loss = losses.cross_entropy(x[row : row + 1], target[row : row + 1], label_smoothing=smoothing)
        np.testing.assert_allclose(loss.value, want[row].item(), rtol=1e-5)
        np.testing.assert_allclose(loss.gradient[0], twin.grad[row].numpy(), rtol=1e-5, atol=1e-6)
    p = np.empty_like(x)
    elman._core.softmax(x, p)
    np.testing.assert_allclose(p, F.softmax(torch.tensor(x), -1).numpy(), rtol=1e-5, atol=1e-7)


def test_cross_entropy_bits_depend_on_nothing_else(rng):
    x, target = rng.standard_normal((40, 8, 37)).astype(np.float32), rng.integers(0, 37, (40, 8))
    first = None
    for isa in set(elman.isas()) - {"scalar"}:  # which has no fused multiply-add
        for threads in (1, 2, 3):
            elman.use_isa(isa)
            elman.set_num_threads(threads)
            loss = losses.cross_entropy(x, target)
            first = first or loss
            assert loss.value == first.value
            np.testing.assert_array_equal(loss.gradient, first.gradient)


ALL = {
    "cross_entropy": (losses.cross_entropy, 3, lambda rng, shape: rng.integers(0, 3, shape)),
    "squared": (losses.mean_squared_error, 0, lambda rng, shape: rng.standard_normal(shape)),
    "absolute": (losses.mean_absolute_error, 0, lambda rng, shape: rng.standard_normal(shape)),
    "huber": (losses.huber, 0, lambda rng, shape: rng.standard_normal(shape)),
    "binary": (losses.binary_cross_entropy, 0, lambda rng, shape: rng.random(shape)),
    "gaussian": (losses.gaussian, 2, lambda rng, shape: rng.standard_normal(shape)),
    "quantile": (losses.quantile, 3, lambda rng, shape: rng.standard_normal(shape)),
}


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=25, deadline=None)
@given(T=st.integers(0, 4), B=st.integers(1, 3), seed=st.integers(0, 99), masked=st.booleans())
def test_only_what_counts_counts(name, T, B, seed, masked):
    loss, width, draw = ALL[name]
    rng = np.random.default_rng(seed)
    target = draw(rng, (T, B, 2))
    x = rng.standard_normal((*target.shape, width) if width else target.shape)
    lengths = rng.integers(0, T + 1, B)
    mask = rng.random((T, B)) < 0.6 if masked else None
    known = np.arange(T)[:, None] < lengths
    if mask is not None:
        known = known & mask
    got = loss(x, target, lengths, mask)
    assert got.count == 2 * known.sum() and got.gradient.shape == x.shape
    if known.any():
        alone = loss(np.ascontiguousarray(x[known]), target[known])
        assert got.value == pytest.approx(alone.value, rel=1e-12)
        np.testing.assert_allclose(got.gradient[known], alone.gradient, rtol=1e-12)
    else:
        assert got.value == 0
    assert not got.gradient[~known].any()
    x[~known] = np.nan  # padding may be anything
    again = loss(x, target, lengths, mask)
    assert again.value == got.value and np.array_equal(again.gradient, got.gradient)
    slope = finite_differences(x, lambda: loss(x, target, lengths, mask).value)
    np.testing.assert_allclose(got.gradient, slope, atol=1e-7)


def test_targets_that_are_nan_do_not_count(rng):
    x, target = rng.standard_normal((5, 3)), rng.standard_normal((5, 3))
    target[1, 2] = np.nan
    known = ~np.isnan(target)
    loss = losses.mean_squared_error(x, target)
    assert loss.count == 14 and loss.value == pytest.approx(((x - target)[known] ** 2).mean())
    assert loss.gradient[1, 2] == 0
    assert losses.mean_squared_error(x, target * np.nan).value == 0


REFUSALS = {
    r"target: expected \[4\] whole numbers for logits \[4, 3\] float64, got \[3\] int64": lambda x: (
        losses.cross_entropy(x, np.zeros(3, int))
    ),
    r"logits: expected \[..., C\] with at least one class, got \[4, 0\] float64": lambda x: (
        losses.cross_entropy(x[:, :0], np.zeros(4, int))
    ),
    r"logits: expected \[..., C\] with at least one class, got \[4\] float64": lambda x: losses.cross_entropy(
        x[:, 0], 1
    ),
    "target: expected 0 to 2, got 3": lambda x: losses.cross_entropy(x, np.array([0, 1, 2, 3])),
    "label_smoothing: expected a number from 0 up to, not including, 1, got 1": lambda x: (
        losses.cross_entropy(x, np.zeros(4, int), label_smoothing=1)
    ),
    r"target: expected \[T, B, ...\] with lengths or mask, got \[4\]": lambda x: losses.cross_entropy(
        x, np.zeros(4, int), lengths=[1]
    ),
    r"lengths: expected \[3\] whole numbers, got \[1\] int64": lambda x: losses.huber(x, x, lengths=[1]),
    r"mask: expected \[4, 3\] bool, got \[4\] bool": lambda x: losses.huber(x, x, mask=np.ones(4, bool)),
    r"prediction: expected \[4, 2\] for target \[4, 2\] float64, got \[4, 3\] float64": lambda x: (
        losses.mean_squared_error(x, x[:, :2])
    ),
    r"prediction: expected \[4, 3, 2\] for target \[4, 3\] float64, got \[4, 3\] float64": lambda x: (
        losses.gaussian(x, x)
    ),
    "delta: expected a number above 0, got 0": lambda x: losses.huber(x, x, delta=0),
    r"quantiles\[0\]: expected a number from 0 up to, not including, 1, got 2": lambda x: losses.quantile(
        x, x[:, 0], quantiles=(2, 0.5, 0.6)
    ),
}


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message, rng):
    with pytest.raises(ValueError, match=message):
        REFUSALS[message](rng.standard_normal((4, 3)))
