"""Weights, ignored labels and shares of classes: PyTorch's numbers, and those of repeated targets."""

import numpy as np
import pytest
import torch

from elman import losses
from tests.support.slopes import finite_differences

F = torch.nn.functional
REAL = {
    "squared": (losses.mean_squared_error, 0),
    "absolute": (losses.mean_absolute_error, 0),
    "huber": (losses.huber, 0),
    "binary": (losses.binary_cross_entropy, 0),
    "gaussian": (losses.gaussian, 2),
    "quantile": (losses.quantile, 3),
}


def like_torch(loss, twin, want, rtol=1e-12):
    want.backward()
    assert loss.value == pytest.approx(want.item(), rel=rtol)
    np.testing.assert_allclose(loss.gradient, twin.grad.numpy(), atol=1e-12 if rtol < 1e-9 else 1e-7)


def test_class_weights_are_those_of_torch(rng):
    x, target, of_class = rng.standard_normal((9, 4)), rng.integers(0, 4, 9), rng.random(4)
    twin = torch.tensor(x, requires_grad=True)
    want = F.cross_entropy(twin, torch.tensor(target), weight=torch.tensor(of_class))
    loss = losses.cross_entropy(x, target, weights=of_class[target])
    like_torch(loss, twin, want)
    assert loss.count == pytest.approx(of_class[target].sum())
    assert losses.cross_entropy(x, target, weights=of_class[target], gradient=False).gradient is None


def test_an_ignored_label_is_that_of_torch(rng, dtype):
    x, target = rng.standard_normal((3, 4, 5)).astype(dtype), rng.integers(0, 5, (3, 4))
    target[1, 2] = target[2, 0] = -1
    twin = torch.tensor(x, requires_grad=True)
    want = F.cross_entropy(twin.reshape(-1, 5), torch.tensor(target).reshape(-1), ignore_index=-1)
    loss = losses.cross_entropy(x, target, ignore=-1)
    like_torch(loss, twin, want, 1e-6)
    assert loss.count == 10 and not loss.gradient[1, 2].any()
    nothing = losses.cross_entropy(x, np.full((3, 4), -1), ignore=-1)
    assert nothing.value == nothing.count == 0 and not nothing.gradient.any()


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_shares_of_classes_are_those_of_torch(rng, smoothing):
    x, q = rng.standard_normal((6, 3)), rng.dirichlet(np.ones(3), 6)
    twin = torch.tensor(x, requires_grad=True)
    want = F.cross_entropy(twin, torch.tensor(q), label_smoothing=smoothing)
    like_torch(losses.cross_entropy(x, q, label_smoothing=smoothing), twin, want)
    hot = np.eye(3)[[0, 2, 1, 1, 0, 2]]
    same = losses.cross_entropy(x, [0, 2, 1, 1, 0, 2], label_smoothing=smoothing)
    assert losses.cross_entropy(x, hot, label_smoothing=smoothing).value == pytest.approx(
        same.value, rel=1e-12
    )
    x[:, 1] = -np.inf  # a class that is masked out, of which nothing is expected
    if not smoothing:
        q[:, 1] = 0
        assert np.isfinite(losses.cross_entropy(x, q / q.sum(axis=1, keepdims=True)).value)


@pytest.mark.parametrize("name", REAL)
def test_a_weight_is_a_number_of_repetitions(rng, name):
    loss, width = REAL[name]
    target = rng.random((5, 2))
    x = rng.standard_normal((*target.shape, width) if width else target.shape)
    times = np.array([2, 0, 1, 3, 1])
    weighted = loss(x, target, weights=times)
    repeated = loss(x.repeat(times, axis=0), target.repeat(times, axis=0))
    assert weighted.value == pytest.approx(repeated.value, rel=1e-12)
    assert weighted.count == repeated.count == 14
    slope = finite_differences(x, lambda: loss(x, target, weights=times).value)
    np.testing.assert_allclose(weighted.gradient, slope, atol=1e-7)
    x[1] = np.nan  # what has no weight may be anything
    again = loss(x, target, weights=times)
    assert again.value == weighted.value and np.array_equal(again.gradient, weighted.gradient)


def test_weights_of_steps_with_lengths_and_unknown_targets(rng):
    x, target, w = rng.standard_normal((4, 3)), rng.standard_normal((4, 3)), rng.random((4, 3))
    target[0, 1] = np.nan
    known = (np.arange(4)[:, None] < [4, 2, 1]) & ~np.isnan(target)
    loss = losses.mean_squared_error(x, target, [4, 2, 1], weights=w)
    assert loss.value == pytest.approx(np.average((x - target)[known] ** 2, weights=w[known]))
    tags = rng.integers(0, 2, (4, 3))
    logits = rng.standard_normal((4, 3, 2))
    loss = losses.cross_entropy(logits, tags, [4, 2, 1], weights=w)
    rows = [losses.cross_entropy(logits[at][None], tags[at][None]).value for at in np.ndindex(4, 3)]
    inside = np.arange(4)[:, None] < [4, 2, 1]
    assert loss.value == pytest.approx(np.average(np.reshape(rows, (4, 3))[inside], weights=w[inside]))
    slope = finite_differences(logits, lambda: losses.cross_entropy(logits, tags, [4, 2, 1], weights=w).value)
    np.testing.assert_allclose(loss.gradient, slope, atol=1e-8)


def test_weights_of_ctc(rng):
    logits, target = rng.standard_normal((6, 3, 4)), np.array([[1, 2], [3, 0], [1, 1]])
    alone = [
        losses.ctc(logits[:, b : b + 1], target[b : b + 1], None, [n]).value for b, n in enumerate((2, 1, 2))
    ]
    loss = losses.ctc(logits, target, None, [2, 1, 2], weights=[1.0, 0.5, 0])
    assert loss.count == 1.5 and loss.value == pytest.approx(np.average(alone, weights=[1, 0.5, 0]))
    slope = finite_differences(
        logits, lambda: losses.ctc(logits, target, None, [2, 1, 2], weights=[1.0, 0.5, 0]).value
    )
    np.testing.assert_allclose(loss.gradient, slope, atol=1e-8)


X = np.zeros((4, 3))
REFUSALS = {
    r"weights: expected \[4, 3\] numbers, or of its first axes, got \[3\] float64": lambda: losses.huber(
        X, X, weights=np.ones(3)
    ),
    "weights: expected finite numbers of at least 0, got -1.0": lambda: losses.huber(
        X, X, weights=[1, 1, -1, 1]
    ),
    "weights: expected finite numbers of at least 0, got nan": lambda: losses.cross_entropy(
        X, [0, 1, 2, 0], weights=[1, 1, np.nan, 1]
    ),
    "target: expected shares of at least 0 that together are 1": lambda: losses.cross_entropy(X, X + 0.5),
    "target: expected 0 to 2, got -1": lambda: losses.cross_entropy(X, [0, 1, -1, 2]),
}


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    with pytest.raises(ValueError, match=message):
        REFUSALS[message]()
