"""Columns of a series by name and by index."""

import numpy as np
import pandas as pd
import pytest

from elman.data import forecast_windows

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
