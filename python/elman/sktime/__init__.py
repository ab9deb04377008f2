"""A forecaster for sktime (extra: sktime)."""

from .._extras import need

need("sktime", "sktime", "elman.sktime")

from .forecaster import RecurrentForecaster  # noqa: E402

__all__ = ["RecurrentForecaster"]


def __dir__() -> list[str]:
    return __all__
