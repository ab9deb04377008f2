"""The demo's data."""

import numpy as np
import pytest

from elman.datasets import load_weather


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
