"""The small training layer: loss, optimiser, clipping, loop, and the demo's data."""

import numpy as np
import pytest
import torch
from tests.test_oracle import finite_differences

import elman
from elman.data import load_weather
from elman.train import Adam, Forecaster, clip_global_norm, fit, mean_squared_error, predict


def test_mean_squared_error_and_its_gradient():
    rng = np.random.default_rng(0)
    prediction, target = rng.standard_normal((2, 5, 3))
    target[1, 2] = np.nan
    value, gradient = mean_squared_error(prediction, target)
    known = ~np.isnan(target)
    assert value == pytest.approx(((prediction - target)[known] ** 2).mean())
    np.testing.assert_allclose(
        gradient, finite_differences(prediction, lambda: mean_squared_error(prediction, target)[0]), atol=1e-8
    )
    assert mean_squared_error(prediction, target * np.nan)[0] == 0


def test_linear_gradients():
    layer = elman.Linear(3, 2, dtype=np.float64, seed=0)
    x, dy = (
        np.random.default_rng(0).standard_normal((4, 5, 3)),
        np.random.default_rng(1).standard_normal((4, 5, 2)),
    )
    _, backward = layer.forward(x)
    dx = backward(dy)
    loss = lambda: (layer(x) * dy).sum()  # noqa: E731
    np.testing.assert_allclose(dx, finite_differences(x, loss), atol=1e-7)
    for name, grad in layer.grads.items():
        np.testing.assert_allclose(grad, finite_differences(layer.parameters[name], loss), atol=1e-7)
    assert "bias" not in elman.Linear(3, 2, bias=False).parameters


def test_adam_and_clipping_equal_torch_step_for_step():
    layer = elman.Linear(4, 3, seed=0)
    parameters = {n: torch.nn.Parameter(torch.from_numpy(v.copy())) for n, v in layer.parameters.items()}
    adam = Adam([layer], learning_rate=0.01)
    twin = torch.optim.Adam(parameters.values(), lr=0.01)
    rng = np.random.default_rng(0)
    for _ in range(20):
        for name, grad in layer.grads.items():
            grad[:] = rng.standard_normal(grad.shape)
            parameters[name].grad = torch.from_numpy(grad.copy())
        norm = clip_global_norm([layer], 1.5)
        assert norm == pytest.approx(
            float(torch.nn.utils.clip_grad_norm_(parameters.values(), 1.5)), rel=1e-5
        )
        adam.step()
        twin.step()
        for name, value in layer.parameters.items():
            np.testing.assert_allclose(value, parameters[name].detach().numpy(), atol=2e-6)


@pytest.mark.parametrize("kind", [elman.RNN, elman.LSTM, elman.GRU])
def test_forecaster_gradients(kind):
    model = Forecaster(kind(2, 3, num_layers=2, dtype=np.float64, seed=0), 2, seed=0)
    x, d = (
        np.random.default_rng(0).standard_normal((4, 3, 2)),
        np.random.default_rng(1).standard_normal((3, 2)),
    )
    prediction, backward = model.forward(x)
    np.testing.assert_array_equal(prediction, model(x))
    backward(d)
    for layer in model.layers:
        for name, grad in layer.grads.items():
            slope = finite_differences(layer.parameters[name], lambda: (model(x) * d).sum())
            np.testing.assert_allclose(grad, slope, atol=1e-7)


def sine_task(n=300, window=20):
    wave = np.sin(np.arange(n + window) * 0.3)[:, None].astype(np.float32)
    return np.stack([wave[i : i + window] for i in range(n)]), wave[window:]


def test_fit_learns_and_keeps_the_best_epoch():
    x, y = sine_task()
    model = Forecaster(elman.GRU(1, 16, seed=0), 1, seed=0)
    history = fit(
        model, (x[:200], y[:200]), (x[200:], y[200:]), epochs=15, learning_rate=5e-3, seed=0, progress=False
    )
    assert min(history.validation_loss) < 0.01 < history.validation_loss[0]
    assert history.best_epoch == int(np.argmin(history.validation_loss))
    now = mean_squared_error(predict(model, x[200:]), y[200:])[0]
    assert now == history.validation_loss[history.best_epoch]


def test_fit_repeats_bit_for_bit_and_stops_early():
    x, y = sine_task(100)
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(y.shape).astype(np.float32)  # nothing to learn: validation soon gets worse
    results = []
    for _ in range(2):
        model = Forecaster(elman.LSTM(1, 8, num_layers=2, dropout=0.3, seed=0), 1, seed=0)
        history = fit(
            model, (x, noise), (x, -noise), epochs=40, patience=3, learning_rate=1e-2, seed=1, progress=False
        )
        results.append((history, [layer.state_dict() for layer in model.layers]))
    assert results[0][0] == results[1][0]
    assert len(results[0][0].train_loss) == results[0][0].best_epoch + 1 + 3 < 40
    for a, b in zip(results[0][1], results[1][1], strict=True):
        assert all(np.array_equal(a[name], b[name]) for name in a)


def test_fit_shows_a_progress_bar(capsys):
    x, y = sine_task(40)
    fit(Forecaster(elman.GRU(1, 4), 1), (x, y), (x, y), epochs=2, progress="a network")
    shown = capsys.readouterr().err
    assert "a network" in shown and "2/2" in shown and "validation=" in shown


def test_weather():
    weather = load_weather()
    assert weather.values.shape == (8730, 3, 8) and len(weather.hours) == 8730
    assert str(weather.hours[0]) == "2013-01-01T06" and (np.diff(weather.hours).astype(int) == 1).all()
    temperature = weather.values[:, 1, 0]
    assert np.isnan(temperature).sum() == 24  # hours that the source lacks at JFK
    assert temperature[0] == pytest.approx((39.02 - 32) / 1.8)
    wind = np.hypot(weather.values[..., 3], weather.values[..., 4])
    assert 15 < np.nanmax(wind) < 25  # the record of 1,048 miles an hour is left out
    known = weather.values[~np.isnan(weather.values).any(axis=(1, 2))]
    assert len(known) == 6723  # hours with every variable at every station
