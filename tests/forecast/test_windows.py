"""Windows of series against plain loops in float64, and baselines against scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from elman.forecast import Series
from elman.forecast.baseline import PENALTIES, Baseline
from elman.forecast.scales import LEAST, Scales
from elman.forecast.series import carried
from elman.forecast.windows import Windows


def made(n=12, seed=0, name="a", gaps=True):
    rng = np.random.default_rng(seed)
    target, past = 50 + 20 * rng.standard_normal((n, 2)), rng.standard_normal((n, 1))
    if gaps:
        target[[0, 4, 5], 0] = np.nan
        past[3] = np.nan
    return Series(target, past, rng.standard_normal((n + 2, 1)), rng.standard_normal(1), name)


def by_hand(one, scales, context, origin):
    """x [T, I], future [S, C], y [S, F] of one window, horizon 2."""
    level, unit = scales.of(one, origin)
    target = (one.target - level) / unit
    past, known, static = scales.covariates(one)
    rows = []
    for t in range(origin - context, origin):
        row = []
        for values in (target, past):
            for k in range(values.shape[1]):
                before = values[: t + 1, k][~np.isnan(values[: t + 1, k])] if t >= 0 else []
                row.append(before[-1] if len(before) else 0.0)
            row += [float(t >= 0 and not np.isnan(values[t, k])) for k in range(values.shape[1])]
        row += [known[t, 0] if t >= 0 else 0.0, static[0]]
        rows.append(row)
    ahead = [[known[t, 0], static[0]] for t in (origin, origin + 1)]
    return np.array(rows), np.array(ahead), target[origin : origin + 2]


@pytest.mark.parametrize("mode", ["all", "series", None])
def test_windows_by_hand(mode):
    series = [made(), made(15, 1, "b")]
    scales = Scales(mode).fit(series)
    origins = [np.array([2, 7]), np.array([5, 13])]
    windows = Windows(series, origins, scales, 4, 2, True, Baseline(None, 2, 2))
    batch = windows.take(np.arange(4)).batch
    place = 0
    for one, at in zip(series, origins, strict=True):
        for origin in at:
            x, ahead, y = by_hand(one, scales, 4, origin)
            np.testing.assert_allclose(batch.x[:, place], x, rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(batch.future[:, place], ahead, rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(batch.y[place], y, rtol=1e-5, atol=1e-5)
            place += 1
    order = np.concatenate([b.index for b in windows.batches(3, seed=1)])
    assert sorted(order) == [0, 1, 2, 3] and [b.done for b in windows.batches(3)] == [3, 4]


def test_a_window_in_the_scale_of_its_context():
    one = made(gaps=False)
    scales = Scales("context").fit([one])
    windows = Windows([one], [np.array([8])], scales, 5, 2, False, Baseline(None, 2, 2))
    part = windows.take(np.array([0]))
    scaled = (one.target - one.target.mean(axis=0)) / one.target.std(axis=0)
    mean, deviation = scaled[3:8].mean(axis=0), np.sqrt(scaled[3:8].var(axis=0) + LEAST**2)
    np.testing.assert_allclose(part.batch.x[:, 0, :2], (scaled[3:8] - mean) / deviation, atol=1e-5)
    np.testing.assert_allclose(part.level + part.unit * part.batch.y, one.target[None, 8:10], rtol=1e-5)


def test_a_window_relative_to_its_last_value():
    one = made()
    scales, baseline = Scales("last").fit([one]), Baseline(None, 2, 2)
    windows = Windows([one], [np.array([6])], scales, 4, 2, True, baseline)
    same = Windows([one], [np.array([6])], Scales("all").fit([one]), 4, 2, True, baseline).take(np.array([0]))
    part = windows.take(np.array([0]))
    last = same.batch.x[-1, 0, :2]  # the first of the two is carried from two steps before
    np.testing.assert_allclose(part.batch.x[:, 0, :2], same.batch.x[:, 0, :2] - last, atol=1e-6)
    np.testing.assert_array_equal(part.batch.x[:, 0, 2:-2], same.batch.x[:, 0, 2:])
    np.testing.assert_array_equal(part.batch.x[:, 0, -2:], np.broadcast_to(last, (4, 2)))
    np.testing.assert_allclose(part.level[0, 0], [one.target[3, 0], one.target[5, 1]], rtol=1e-6)
    np.testing.assert_allclose(part.level + part.unit * part.batch.y, one.target[None, 6:8], rtol=1e-5)
    assert windows.sizes == (part.batch.x.shape[2], 2)


def test_carried():
    values = np.array([[np.nan, 1], [2, np.nan], [np.nan, np.nan], [3, 4]])
    np.testing.assert_array_equal(carried(values), [[np.nan, 1], [2, 1], [2, 1], [3, 4]])


def test_plain_forecasts():
    x = np.arange(24.0).reshape(6, 2, 2).astype(np.float32)  # [T, B, F]
    last = Baseline("last", 3, 2)(x, None)
    np.testing.assert_array_equal(last, np.repeat(x[-1][:, None], 3, axis=1))
    seasonal = Baseline("seasonal", 3, 2, season=2)(x, None)
    np.testing.assert_array_equal(seasonal, x[[4, 5, 4]].swapaxes(0, 1))


def test_the_linear_one_is_ridge_with_the_best_penalty_of_all():
    rng = np.random.default_rng(0)
    x, future = rng.standard_normal((5, 200, 3)), rng.standard_normal((2, 200, 1))
    y = np.stack([x[-1, :, 0] + 2 * future[0, :, 0], x[-2, :, 0]], axis=1)[..., None]
    y += 0.1 * rng.standard_normal(y.shape)
    y[7] = np.nan
    line = Baseline("linear", 2, 1)
    line.fit(x, future, y)
    flat = np.concatenate([x[:, :, 0].T, x[-1, :, 1:], future[:, :, 0].T], axis=1)
    known = np.delete(np.arange(200), 7)
    found = [Ridge(p).fit(flat[known], y[known, :, 0]).predict(flat) for p in PENALTIES]
    difference = [np.abs(f[..., None] - line(x, future)).max() for f in found]
    assert min(difference) < 1e-8
    errors = []  # generalised cross-validation from the whole hat matrix
    centred = flat[known] - flat[known].mean(axis=0)
    for p, f in zip(PENALTIES, found, strict=True):
        hat = centred @ np.linalg.solve(centred.T @ centred + p * np.eye(centred.shape[1]), centred.T)
        errors.append(np.square(f[known] - y[known, :, 0]).sum() / (len(known) - 1 - np.trace(hat)) ** 2)
    assert np.argmin(difference) == np.argmin(errors)
