"""Forecasting without scikit-learn: series out of frames, windows, calendars, calibration, backtests.

`elman.sklearn.RecurrentForecaster`, `elman.sktime` and `elman.darts` are made of it.
"""

from .backtest import Backtest, backtest
from .conformal import Calibration, Distribution, rolling_quantiles
from .core import SeriesForecaster
from .frames import FrameReader
from .roles import Roles
from .series import Series

__all__ = [
    "Backtest",
    "Calibration",
    "Distribution",
    "FrameReader",
    "Roles",
    "Series",
    "SeriesForecaster",
    "backtest",
    "rolling_quantiles",
]


def __dir__() -> list[str]:
    return __all__
