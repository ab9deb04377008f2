"""Initial weights: orthogonal ones, and that none are drawn where weights are loaded."""

import math

import numpy as np
import pytest

import elman
from elman import init
from elman.layers import Embedding, Linear


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 200])
def test_orthogonal(dtype, size):
    q = init.orthogonal(np.random.default_rng(0), size, np.dtype(dtype)).astype(float)
    np.testing.assert_allclose(q @ q.T, np.eye(size), atol=1e-6 if dtype == np.float32 else 1e-13)


@pytest.mark.slow
def test_orthogonal_is_uniform(monkeypatch):
    """Moments over the orthogonal matrices of three dimensions, blocks of two reflections and of all at once."""
    rng, count = np.random.default_rng(0), 4000
    for block in (2, 64):
        monkeypatch.setattr(init, "_BLOCK", block)
        q = np.array([init.orthogonal(rng, 3, np.dtype(float)) for _ in range(count)])
        error = 5 / math.sqrt(count)  # five standard deviations of a mean of ones
        assert (np.abs(q.mean(0)) < error).all()
        assert (np.abs((q**2).mean(0) - 1 / 3) < error).all()
        assert (np.abs((q**4).mean(0) - 1 / 5) < error).all()  # 3 / (n (n + 2))
        assert abs((q[:, 0, 0] * q[:, 1, 1] * q[:, 2, 2]).mean()) < error
        trace = np.trace(q, axis1=1, axis2=2)
        assert abs((trace**2).mean() - 1) < 2 * error  # the deviation of trace^2 is sqrt(2)
        assert abs(np.linalg.det(q).mean()) < error


def test_orthogonal_costs_as_many_products_as_it_says(monkeypatch):
    counted, product = [], init._product

    def counting(x, w):
        counted.append(len(x) * len(w) * x.shape[1])
        return product(x, w)

    monkeypatch.setattr(init, "_product", counting)
    monkeypatch.setattr(np.linalg, "qr", None)
    elman.LSTM(512, 512, bidirectional=True, seed=0)
    assert sum(counted) < 8 * 512**3  # a QR decomposition that also forms Q has 4 / 3 of that


def test_the_number_of_threads_changes_no_bit_of_the_weights():
    drawn = []
    for threads in (1, 3):
        elman.set_num_threads(threads)
        drawn.append(elman.GRU(3, 150, seed=0).parameters["weight_hh_l0"])
    np.testing.assert_array_equal(*drawn)


def test_nothing_is_drawn_where_weights_come_from_a_file(monkeypatch):
    monkeypatch.setattr(init, "_reflections", None)
    monkeypatch.setattr(np.random, "default_rng", lambda seed: None)
    with init.from_file(100_000):
        for layer in (elman.LSTM(3, 70), Linear(3, 2), Embedding(3, 2)):
            assert not any(v.any() for name, v in layer.parameters.items() if name.startswith("weight"))
