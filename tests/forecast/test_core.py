"""The forecaster of many series: what its parts say together, its shares of the origins, its file."""

import numpy as np
import pytest

from elman.forecast import Series, SeriesForecaster
from elman.forecast.files import arrays_of, described, load_arrays, made_of

NETWORK = {"hidden_size": 4, "cell": "gru"}
TRAINING = {"epochs": 1, "batch_size": 16}


def series(n=60, count=2, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(n + 3)
    return [
        Series(
            (10 * (i + 1) + 3 * np.sin(0.4 * t[:n]) + 0.1 * rng.standard_normal(n))[:, None],
            np.zeros((n, 0)), np.cos(0.4 * t)[:, None], np.array([float(i)]), f"s{i}",
        )
        for i in range(count)
    ]  # fmt: skip


def made(**options):
    network = NETWORK | options.pop("network", {})
    options = {"network": network, "training": TRAINING, "scale": "series"} | options
    return SeriesForecaster(3, options.pop("context", 8), **options)


def test_the_parts_of_the_origins_share_no_step_ahead():
    core = made(validation=0.2, calibration=0.3)
    train, validation, calibration = core._parts(series(100))
    for a, b, c in zip(train, validation, calibration, strict=True):
        assert a[0] == 8 and c[-1] == 97
        assert a[-1] + 3 <= b[0] and b[-1] + 3 <= c[0]
        assert len(c) == 27 and len(b) == 16 and len(a) == 43


@pytest.mark.parametrize("residual", [None, "last", "seasonal", "linear"])
@pytest.mark.parametrize("scale", ["all", "series", "context", "last", None])
def test_forecasts_are_what_the_network_says_in_the_units_of_the_series(residual, scale):
    core = made(residual=residual, season=4, scale=scale).fit(series(), 0)
    (member,) = core.members
    windows = core._windows(series(), [np.array([20]), np.array([30, 40])], member)
    part = windows.take(np.arange(3))
    said = member.model(part.batch.x, future=part.batch.future)
    want = part.level + part.unit * (part.baseline + member.spread * said)
    got = core.forecast(series(), [np.array([20]), np.array([30, 40])]).centre
    np.testing.assert_allclose(got, want, rtol=1e-6)
    # what the network is to say would give the truth
    whole = part.level + part.unit * (part.baseline + member.spread * part.batch.y)
    truth = core.truth(series(), [np.array([20]), np.array([30, 40])])
    np.testing.assert_allclose(whole, truth, rtol=1e-5)


@pytest.mark.parametrize("loss", ["squared", "gaussian", "quantile"])
def test_members_are_averaged(loss):
    core = made(context=(6, 8), members=2, network={"loss": loss}).fit(series(), 0)
    assert [member.context for member in core.members] == [6, 6, 8, 8]
    together = core.forecast(series())
    members, each = core.members, []
    for member in members:
        core.members = [member]
        each.append(core.forecast(series()))
    np.testing.assert_allclose(together.centre, np.mean([one.centre for one in each], axis=0), rtol=1e-12)
    levels = (0.1, 0.5, 0.9)
    if loss != "squared":
        want = np.mean([one.quantiles(levels) for one in each], axis=0)
        np.testing.assert_allclose(together.quantiles(levels), want, rtol=1e-9)
    assert len({one.centre[0, 0, 0] for one in each}) == 4


@pytest.mark.parametrize("loss", ["squared", "gaussian", "quantile"])
def test_a_blend_is_the_share_that_serves_best_where_it_was_held_out(loss):
    core = made(blend="linear", validation=0.4, network={"loss": loss}, scale="all").fit(series(120), 0)
    (member,) = core.members
    held = core._parts(series(120))[1]
    windows = core._windows(series(120), held, member)
    part = windows.take(np.arange(len(windows)))
    other = part.level + part.unit * member.other(part.batch.x, part.batch.future)
    truth, mixed = core.truth(series(120), held), core.forecast(series(120), held)
    share, member.share = member.share, np.ones((3, 1))
    network = core.forecast(series(120), held)
    assert (share >= 0).all() and (share < 1).all()
    np.testing.assert_allclose(mixed.centre, other + share * (network.centre - other), rtol=1e-5)
    moved = mixed.heads - network.heads - (mixed.centre - network.centre)[..., None]
    np.testing.assert_allclose(moved, 0, atol=1e-5)

    def error(w):
        return np.square(truth - other - w * (network.centre - other)).mean(axis=0)

    assert all((error(share) <= error(np.clip(share + d, 0, 1)) + 1e-6).all() for d in (-0.2, 0.2))


def test_a_series_has_the_same_forecast_alone_and_among_others_and_without_what_follows():
    core = made(scale="context", residual="linear").fit(series(count=3), 0)
    several = core.forecast(series(count=3), [np.array([20, 30])] * 3).centre
    for i, one in enumerate(series(count=3)):
        np.testing.assert_array_equal(core.forecast([one.between(0, 30)]).centre[0], several[2 * i + 1])
        np.testing.assert_array_equal(core.forecast([one.between(12, 20)]).centre[0], several[2 * i])


def test_short_series_and_gaps():
    many = series(60, 3)
    many[1] = many[1].between(0, 7)  # shorter than the context
    many[2] = many[2].between(0, 2)  # shorter than the horizon
    many[0].target[10:14] = np.nan
    core = made(short=True).fit(many, 0)
    assert core.marks and [len(core.origins(one)) for one in many] == [50, 1, 0]
    said = core.forecast(many)
    assert said.centre.shape == (3, 3, 1) and np.isfinite(said.centre).all()
    with pytest.raises(
        ValueError, match="series: expected series long enough for windows of context and horizon, 11"
    ):
        made().fit([many[1]], 0)


@pytest.mark.parametrize("options", [{}, {"residual": "linear"}, {"blend": "linear", "validation": 0.2}])
def test_a_file_holds_all_of_it(options):
    core = made(calibration=0.3, context=(6, 8), **options).fit(series(), 0)
    again = made_of(described(core))
    load_arrays(again, {name: value.copy() for name, value in arrays_of(core).items()})
    a, b = core.forecast(series()), again.forecast(series())
    np.testing.assert_array_equal(a.centre, b.centre)
    levels = (0.05, 0.5, 0.95)
    np.testing.assert_array_equal(
        a.quantiles(levels, core.calibration), b.quantiles(levels, again.calibration)
    )
    with pytest.raises(
        ValueError, match="partial_fit: expected an estimator fitted in this program, got one from a file"
    ):
        again.train_epoch(series())


REFUSALS = {
    "horizon: expected a whole number of at least 1, got 0": lambda: SeriesForecaster(0, 4),
    "context: expected a whole number of at least 1, got 0": lambda: SeriesForecaster(1, [4, 0]),
    "context: expected at least one, got none": lambda: SeriesForecaster(1, []),
    "members: expected a whole number": lambda: made(members=0),
    "scale: expected one of 'all', 'series', 'context', 'last', got 'robust'": lambda: made(scale="robust"),
    "residual: expected one of 'last', 'seasonal', 'linear', got 'naive'": lambda: made(residual="naive"),
    "blend: expected one of 'last', 'seasonal', 'linear', got 'mean'": lambda: made(blend="mean", validation=0.1),
    "blend: expected a validation_fraction above 0 with it, got 0": lambda: made(blend="linear"),
    "season: expected at most the context of 8 steps, got 9": lambda: made(residual="seasonal", season=9),
    "calibration_fraction: expected a number from 0": lambda: made(calibration=1),
    "validation_fraction: expected series long enough": lambda: made(validation=0.01).fit(series(30), 0),
    "series: expected at least one, got none": lambda: made().fit([], 0),
    r"series: expected sizes .* \(1, 0, 1, 1\) for each, got \(1, 0, 1, 0\) for 'b'": lambda: made().fit(
        [*series(), Series(np.zeros((9, 1)), np.zeros((9, 0)), np.zeros((9, 1)), name="b")], 0
    ),
    r"past: expected 9 steps, got \[8, 1\] float64": lambda: made().fit([Series(np.ones((9, 1)), np.ones((8, 1)))], 0),
    r"known: expected at least 9 steps, got \[8, 1\]": lambda: made().fit(
        [Series(np.ones((9, 1)), known=np.ones((8, 1)))], 0
    ),
    "target: x: expected a value for every feature": lambda: made().fit([Series(np.full((20, 1), np.nan))], 0),
    "series: expected numbers that float32 can hold": lambda: made(scale=None).fit([Series(np.full((20, 1), 1e40))], 0),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    with pytest.raises(ValueError, match=message):
        REFUSALS[message]()


def test_other_series_are_refused():
    core = made().fit(series(), 0)
    with pytest.raises(
        ValueError, match=r"series: expected sizes .* \(1, 0, 1, 1\), as in fit, got \(2, 0, 0, 0\)"
    ):
        core.forecast([Series(np.ones((9, 2)))])
