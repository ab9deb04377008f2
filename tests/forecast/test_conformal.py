"""Calibration and scores against their definitions, and coverage on data whose distribution is known."""

from statistics import NormalDist

import numpy as np
import pytest

from elman.forecast import Calibration, Distribution
from elman.forecast.backtest import naive_error
from elman.forecast.conformal import central_intervals
from elman.losses.scores import crps, pinball


def forecast(heads, levels=None, normal=False, unit=1.0):
    heads = np.asarray(heads, float)
    return Distribution(heads[..., 0], heads, np.full(heads.shape[:-1], unit), levels, normal)


@pytest.mark.parametrize("n", [9, 19, 200])
@pytest.mark.parametrize("kind", ["mean", "quantile", "normal"])
def test_coverage_of_exchangeable_errors(n, kind):
    """Over many draws of calibration and test the coverage of each bound is what theorem 2 says, whatever the model."""
    rng = np.random.default_rng(0)
    inside = np.zeros(2)
    for _ in range(400):
        truth = rng.exponential(3.0, n + 20).reshape(-1, 1, 1)
        unit = np.ones_like(truth) if kind != "normal" else np.full_like(truth, 0.3)
        heads = (
            np.zeros((n + 20, 1, 1, 2 if kind == "quantile" else 1))
            + [0.5, 1.0][: 2 if kind == "quantile" else 1]
        )
        levels = (0.1, 0.9) if kind == "quantile" else None
        said = Distribution(heads[..., 0], heads, unit, levels, kind == "normal")
        part = Distribution(said.centre[:n], heads[:n], unit[:n], levels, kind == "normal")
        new = Distribution(said.centre[n:], heads[n:], unit[n:], levels, kind == "normal")
        bounds = new.quantiles((0.1, 0.9), Calibration.of(part, truth[:n]))
        inside += [np.mean(truth[n:] < bounds[..., 0]), np.mean(truth[n:] <= bounds[..., 1])]
    low, high = inside / 400
    assert low <= 0.1 + 0.012 and high >= 0.9 - 0.012  # at least: the finite sample only widens
    assert low >= 0.1 - 1.2 / n - 0.012 and high <= 0.9 + 1.2 / n + 0.012


def test_shifts_are_the_ranks_of_errors():
    errors = np.array([3.0, 1, np.nan, 2, 4])
    one = Calibration(errors.reshape(-1, 1, 1, 1))
    assert one.shift(0.8, 0) == 4 and one.shift(0.6, 0) == 3 and one.shift(0.2, 0) == 1
    assert one.shift(0.4, 0) == 2 and one.shift(0.99, 0) == 4 and one.shift(0.01, 0) == 1


def test_quantiles():
    normal = forecast([[[[1.0]]]], normal=True, unit=2.0)
    want = [NormalDist(1, 2).inv_cdf(q) for q in (0.1, 0.5, 0.975)]
    np.testing.assert_allclose(normal.quantiles((0.1, 0.5, 0.975))[0, 0, 0], want, rtol=1e-12)
    np.testing.assert_allclose(
        normal.quantiles((0.975, 0.1, 0.5))[0, 0, 0], np.array(want)[[2, 0, 1]], rtol=1e-12
    )
    crossed = forecast([[[[2.0, 1.0]]]], levels=(0.1, 0.9))
    np.testing.assert_array_equal(crossed.quantiles((0.1, 0.9))[0, 0, 0], [1, 2])
    with pytest.raises(
        ValueError, match=r"quantiles: expected some of \[0.1, 0.9\], which were trained, got \[0.5\]"
    ):
        crossed.quantiles([0.5])
    with pytest.raises(ValueError, match="quantiles: expected a forecaster with loss='quantile'"):
        forecast([[[[2.0]]]]).quantiles([0.5])
    with pytest.raises(ValueError, match=r"quantiles\[0\]: expected a number above 0, got 0"):
        normal.quantiles([0.0])
    with pytest.raises(ValueError, match="calibration: expected a known target for each step ahead"):
        Calibration(np.full((3, 1, 1, 1), np.nan))


def test_scores():
    assert naive_error(np.array([1.0, 4, 2, np.nan, 5]), 1) == 2.5
    assert naive_error(np.array([1.0, 4, 2, 6]), 2) == 1.5 and np.isnan(naive_error(np.array([1.0]), 1))
    np.testing.assert_allclose(pinball(np.array([3.0]), np.array([[1.0, 5.0]]), (0.1, 0.8)), [[0.2, 0.4]])
    levels = np.arange(1, 400) / 400
    quantiles = np.array([NormalDist(1, 2).inv_cdf(q) for q in levels])
    for truth in (-1.0, 1.0, 4.0):  # the closed form for a normal distribution (Gneiting & Raftery 2007)
        z, unit = (truth - 1) / 2, NormalDist()
        want = 2 * (z * (2 * unit.cdf(z) - 1) + 2 * unit.pdf(z) - 1 / np.sqrt(np.pi))
        assert crps(np.array(truth), quantiles, levels) == pytest.approx(want, rel=0.01)
    assert central_intervals((0.05, 0.1, 0.5, 0.9, 0.95)) == [(0, 4, 0.9), (1, 3, 0.8)]
