"""Columns of a series by name and by index."""

import numpy as np
import pandas as pd
import pytest

from elman.data import Sequences, forecast_windows
from elman.models import Forecaster

FRAME = pd.DataFrame(np.arange(40.0).reshape(10, 4), columns=["sales", "price", "rain", "day"])


@pytest.mark.parametrize(
    "targets", ["sales", ["sales"], 0, [0], -4, np.int64(0), slice(0, 1), pd.Index(["sales"])]
)
def test_one_target_in_every_form(targets):
    found = forecast_windows(FRAME, 3, 2, targets, future=["day", "price"])
    want = forecast_windows(FRAME.to_numpy(), 3, 2, [0], future=[3, 1])
    for a, b in ((found.x, want.x), (found.y, want.y), (found.future, want.future)):
        np.testing.assert_array_equal(a, b)
    assert found.y.shape == (6, 2, 1) and found.y[0, 0, 0] == 12


def test_names_that_are_numbers_are_names():
    frame = FRAME.set_axis([3, 2, 1, 0], axis=1)
    np.testing.assert_array_equal(
        forecast_windows(frame, 3, 2, 0).y[..., 0], forecast_windows(FRAME, 3, 2, "day").y[..., 0]
    )
    with pytest.raises(ValueError, match=r"targets: expected one of \[3, 2, 1, 0\], got -1"):
        forecast_windows(frame, 3, 2, -1)


REFUSALS = {
    r"targets: expected one of \['sales', 'price', 'rain', 'day'\], got 'sale'": {"targets": "sale"},
    r"targets: expected one of \['sales', .*\], got 4": {"targets": [0, 4]},
    r"targets: expected at least one column, got none": {"targets": []},
    r"future: expected one of \['sales', .*\], got True": {"future": True},
    r"future: expected one of \['sales', .*\], got 0.5": {"future": [0.5]},
}


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    with pytest.raises(ValueError, match=message):
        forecast_windows(FRAME, 3, 2, **REFUSALS[message])


def test_refusals_of_arrays():
    with pytest.raises(ValueError, match="targets: expected an index below 4, got 'sales'"):
        forecast_windows(FRAME.to_numpy(), 3, 2, ["sales"])
    with pytest.raises(ValueError, match="targets: expected an index below 4, got -5"):
        forecast_windows(FRAME.to_numpy(), 3, 2, -5)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_gaps_are_masked_and_unknown_targets_do_not_count(cell):
    """The loss and its gradients are those of each window by hand: its known steps read, its known targets compared."""
    rng = np.random.default_rng(0)
    series = rng.standard_normal((40, 2))
    series[rng.random((40, 2)) < 0.2] = np.nan
    windows = forecast_windows(series, 8, 3, targets=[0])
    seen = ~np.isnan(windows.x).any(axis=-1)
    (batch,) = Sequences(windows.x, windows.y, mask=seen).batches(100)
    model = Forecaster(3, input_size=2, hidden_size=4, cell=cell, dtype="float64", seed=0)
    model.zero_grad()
    step = model.loss(batch)
    step.backward()
    got = {name: grad.copy() for name, grad in model.grads.items()}

    model.zero_grad()
    total, count = 0.0, int((~np.isnan(windows.y)).sum())
    assert 0 < count < windows.y.size and not seen.all()
    for x, y, known in zip(windows.x, windows.y, seen, strict=True):
        prediction, _, backward = model.encoder.forward(np.ascontiguousarray(x[known][:, None]))
        wrong = np.nan_to_num(prediction[0] - y[:, 0])
        total += np.square(wrong).sum()
        backward(2 * wrong[None] / count)
    assert step.value == pytest.approx(total / count, rel=1e-12)
    for name, grad in model.grads.items():
        np.testing.assert_allclose(got[name], grad, rtol=1e-9, atol=1e-12)
