"""Calibration and scores against their definitions, and coverage on data whose distribution is known."""

from statistics import NormalDist

import numpy as np
import pytest

from elman.forecast import Calibration, Distribution
from elman.forecast.backtest import naive_error
from elman.forecast.conformal import central_intervals, rolling_quantiles
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


@pytest.mark.parametrize("n", [5, 19, 100])
@pytest.mark.parametrize("level", [0.02, 0.05, 0.3, 0.5, 0.9, 0.95, 0.99])
def test_equal_weights_are_numpys_quantile_of_the_finite_sample(n, level):
    errors = np.random.default_rng(0).standard_normal((n, 2, 1, 1))
    place = min(np.ceil((n + 1) * max(level, 1 - level) - 1e-9) / n, 1)  # n errors and the new one
    side = 1 if level >= 0.5 else -1
    want = side * np.quantile(side * errors[..., 0], place, axis=0, method="inverted_cdf")
    np.testing.assert_array_equal(Calibration(errors).shift(level, 0), want)


@pytest.mark.parametrize("level", [0.05, 0.4, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("name", ["a", "b", "new", None])
@pytest.mark.parametrize("n", [60, 400])
def test_weights_of_age_and_series(level, name, n):
    """Against a plain loop: the first error up to which the weights are enough."""
    rng = np.random.default_rng(1)
    errors, ages = rng.standard_normal(n), rng.integers(0, 30, n)
    names = rng.choice(["a", "b", "c", None], n).tolist()
    errors[::9] = np.nan
    one = Calibration(errors.reshape(-1, 1, 1, 1), ages, names, half_life=7)
    age_weights = 0.5 ** (ages / 7)
    own = sum(w for w, of in zip(age_weights, names, strict=True) if of == name)
    factor = 3 if own >= 40 else max(1, min(3, (age_weights.sum() - own) / (40 - own)))
    assert name not in ("a", "b") or (factor < 3) == (n == 60)
    weight = [0.5 ** (age / 7) * (factor if own == name and name is not None else 1)
              for age, own in zip(ages, names, strict=True)]  # fmt: skip
    np.testing.assert_allclose(one.weights(name), weight, rtol=1e-12)
    known = sorted((e, w) for e, w in zip(errors, weight, strict=True) if e == e)
    if level < 0.5:
        known = known[::-1]
    share, sum_, want = max(level, 1 - level), 0.0, known[-1][0]
    for error, w in known:
        sum_ += w
        if sum_ >= share * (sum(w for _, w in known) + max(weight)):
            want = error
            break
    assert one.shift(level, 0, name)[0, 0] == want


def test_half_life_and_later_errors():
    zeros = np.zeros((40, 2, 1, 1))
    assert Calibration(zeros, np.arange(40)).half_life == 20 and Calibration(zeros).half_life == 1
    assert Calibration(np.zeros((400, 2, 1, 1)), np.arange(400)).half_life == 70
    assert Calibration(np.zeros((400, 12, 1, 1)), np.arange(400)).half_life == 120  # 10 horizons
    said = forecast(np.zeros((3, 2, 1, 1)))
    one = Calibration.of(said, np.arange(6.0).reshape(3, 2, 1), np.array([5, 9, 5]))
    np.testing.assert_array_equal(one.ages, [1, 0, 1])
    later = one.after(said, np.ones((3, 2, 1)), np.array([20, 10, 20]))
    np.testing.assert_array_equal(later.ages, [3, 2, 3, 0, 1, 0])
    assert (
        later.half_life == one.half_life == 1
        and one.after(said.take(np.arange(0)), np.ones((0, 2, 1)), np.arange(0)) is one
    )
    many = forecast(np.zeros((30, 2, 1, 1)))
    kept = one.after(many, np.ones((30, 2, 1)), np.arange(30))
    np.testing.assert_array_equal(kept.ages, np.arange(10, -1, -1))  # 10 half-lives
    nothing = one.after(many, np.full((30, 2, 1), np.nan), np.arange(30))
    assert len(nothing.ages) == 33 and np.isfinite(nothing.shift(0.9, 0)).all()
    for given, want in (({"ages": [1]}, "ages: expected 40"), ({"names": "ab"}, "names: expected 40"),
                        ({"half_life": 0}, "half_life: expected a number above 0")):  # fmt: skip
        with pytest.raises(ValueError, match=want):
            Calibration(zeros, **given)


def process(kind, seed, n=600, m=500, S=4):
    """Errors [n + m, S] of the best forecast of an autoregression whose noise changes."""
    rng, t = np.random.default_rng(seed), np.arange(n + m + 2 * S)
    scale = {"steady": np.ones(len(t)), "jump": np.where(t < n + S, 1.0, 1.6),
             "growth": np.exp(t / 1000)}[kind]  # fmt: skip
    noise = scale * rng.standard_normal(len(t))
    ahead = np.arange(S)
    return np.stack([noise[ahead + o].cumsum() for o in range(n + m)])[..., None]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["steady", "jump", "growth"])
def test_coverage_holds_where_noise_changes(kind):
    """Rolling calibration: within 4 % of what is said; the same errors with equal weights and never anew are not."""
    levels, n, S, found = (0.05, 0.1, 0.25, 0.75, 0.9, 0.95), 600, 4, []
    for seed in range(3):
        truth = process(kind, seed)
        said = forecast(np.zeros((*truth.shape, 1)))
        old, new = np.arange(n - S), np.arange(n, n + 500)
        rolling = rolling_quantiles(
            said.take(new), truth[new], levels, Calibration.of(said.take(old), truth[old], old), new, new + S
        )
        once = said.take(new).quantiles(levels, Calibration.of(said.take(old), truth[old]))
        found.append([[np.mean((q[..., i] <= truth[new]) & (truth[new] <= q[..., -1 - i])) for i in range(3)]
                      for q in (rolling, once)])  # fmt: skip
    rolling, once = np.mean(found, axis=0)
    np.testing.assert_allclose(rolling, [0.9, 0.8, 0.5], atol=0.04)
    assert kind == "steady" or np.abs(once - [0.9, 0.8, 0.5]).max() > 0.06


def test_rolling_quantiles_know_only_what_was_over():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((60, 2, 1))
    said = Distribution(
        np.zeros((60, 2, 1)), np.zeros((60, 2, 1, 1)), np.ones((60, 2, 1)), names=("a", "b") * 30
    )
    when = np.repeat(np.arange(30), 2)
    first = Calibration.of(said.take(np.arange(20)), truth[:20], when[:20])
    rows, wanted = np.arange(20, 60), when[20:] % 3 == 0
    given = (said.take(rows), truth[20:], (0.1, 0.9), first, when[20:], when[20:] + 2)
    got = rolling_quantiles(*given, wanted)
    for now in (12, 18, 27):
        over = rows[when[20:] + 2 <= now]
        one = first
        for time in np.unique(when[over]):  # one after another is the same as all at once
            part = over[when[over] == time]
            one = one.after(said.take(part), truth[part], when[part])
        here = rows[when[20:] == now]
        np.testing.assert_array_equal(
            got[when[20:][wanted] == now], said.take(here).quantiles((0.1, 0.9), one)
        )
    other = truth[20:].copy()
    other[when[20:] + 2 > 18] *= 100
    again = rolling_quantiles(given[0], other, *given[2:], wanted)
    before = when[20:][wanted] <= 18
    np.testing.assert_array_equal(again[before], got[before])
    assert (again[~before] != got[~before]).any()
