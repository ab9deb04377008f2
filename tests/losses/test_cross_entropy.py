"""Weighted and ignored rows of cross-entropy, and targets that are shares of classes, against NumPy in float64."""

import numpy as np
import pytest

import elman
from elman import losses


def oracle(x, q, w, smoothing):
    """The mean, the gradient and the sum of the weights, for shares q [N, C] and weights w [N]."""
    rows = w > 0
    x, q, w = x[rows].astype(float), (1 - smoothing) * q[rows] + smoothing / x.shape[1], w[rows]
    x = x - x.max(axis=1, keepdims=True)
    log_p = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    d = np.zeros((len(rows), x.shape[1]))
    d[rows] = (np.exp(log_p) - q) * w[:, None] / (w.sum() or 1)
    return -(w[:, None] * q * log_p).sum() / (w.sum() or 1), d, w.sum()


@pytest.mark.parametrize("shares", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("C", [1, 2, 19, 130])
def test_weighted_rows(isa, dtype, rng, shares, smoothing, C):
    N = 23
    x, w = (4 * rng.standard_normal((N, C))).astype(dtype), rng.random(N) * rng.integers(0, 2, N)
    numbers = rng.integers(0, C, N)
    q = rng.dirichlet(np.ones(C), N) if shares else np.eye(C)[numbers]
    target, ignore = (q.copy(), None) if shares else (numbers.copy(), -7)
    left_out = np.flatnonzero(w)[:3]
    if shares:
        w[left_out] = 0
        target[w == 0] = np.nan
    else:
        target[left_out] = -7
        target[w == 0] = -3  # what has no weight may be anything
    x[w == 0] = np.nan
    counting = np.where(np.isin(np.arange(N), left_out), 0, w)
    value, d, count = oracle(x, q, counting, smoothing)
    options = {"label_smoothing": smoothing, "ignore": ignore, "weights": w}
    loss = losses.cross_entropy(x, target, **options)
    tolerance = 2e-6 if dtype == np.float32 else 1e-13
    assert loss.value == pytest.approx(value, rel=tolerance, abs=tolerance)
    assert loss.count == pytest.approx(count)
    assert loss.gradient.dtype == dtype
    np.testing.assert_allclose(loss.gradient, d, atol=tolerance)
    assert not loss.gradient[counting == 0].any()
    assert losses.cross_entropy(x, target, **options, gradient=False).value == loss.value


def test_weights_of_one_change_no_bit(dtype, rng):
    x, target = rng.standard_normal((50, 4, 7)).astype(dtype), rng.integers(0, 7, (50, 4))
    lengths = np.array([50, 3, 17, 44])
    for options in ({}, {"lengths": lengths}, {"ignore": 2}, {"label_smoothing": 0.1, "lengths": lengths}):
        plain = losses.cross_entropy(x, target, **options)
        weighted = losses.cross_entropy(x, target, **options, weights=np.ones(50))
        assert isinstance(plain.count, int) and plain.count == weighted.count
        assert plain.value == weighted.value
        np.testing.assert_array_equal(plain.gradient, weighted.gradient)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_and_vectors_change_no_bit(rng, threads):
    x, w = rng.standard_normal((900, 37)).astype(np.float32), rng.random(900)
    q = rng.dirichlet(np.ones(37), 900)
    want = {}
    for isa in elman.isas():
        elman.use_isa(isa)
        for count in (1, threads):
            elman.set_num_threads(count)
            got = [losses.cross_entropy(x, target, weights=w) for target in (q, q.argmax(axis=1))]
            same = want.setdefault(isa == "scalar", got)  # which has no fused multiply-add
            for loss, one in zip(got, same, strict=True):
                assert loss.value == one.value
                np.testing.assert_array_equal(loss.gradient, one.gradient)


def test_small_weights_are_as_good_as_large_ones(rng):
    x, target, w = rng.standard_normal((5, 3)), rng.integers(0, 3, 5), rng.random(5)
    large, small = (losses.cross_entropy(x, target, weights=w * size) for size in (1, 1e-300))
    assert small.value == pytest.approx(large.value)
    np.testing.assert_allclose(small.gradient, large.gradient, rtol=1e-12)


@pytest.mark.parametrize("odd", [np.uint64(2**64 - 1), np.uint64(2**63)])
def test_a_number_beyond_int64_is_no_class(odd):
    target = np.array([0, odd], np.uint64)
    with pytest.raises(ValueError, match="target: expected 0 to 2, got 9223372036854775807"):
        losses.cross_entropy(np.zeros((2, 3)), target, ignore=int(target.astype(np.int64)[1]))


@pytest.mark.parametrize("ignore", [2.7, np.nan, "a", [2], True])
def test_an_ignored_label_that_is_no_whole_number(ignore):
    with pytest.raises(ValueError, match=r"^ignore: expected a whole number"):
        losses.cross_entropy(np.zeros((3, 3)), [0, 1, 2], ignore=ignore)


def test_an_ignored_label_of_any_size(rng):
    x = rng.standard_normal((3, 3))
    want = losses.cross_entropy(x[:2], [0, 1]).value
    for label in (2, np.int8(2), np.array(2), 2**64 - 1):
        target = np.array([0, 1, label], np.uint64)
        assert losses.cross_entropy(x, target, ignore=label).value == want
    assert losses.cross_entropy(x, [0, 1, 2], ignore=-(2**63)).count == 3
