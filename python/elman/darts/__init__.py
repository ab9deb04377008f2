"""A global forecasting model for darts (extra: darts)."""

from .._extras import need

need("darts", "darts", "elman.darts")

from .model import RecurrentModel  # noqa: E402

__all__ = ["RecurrentModel"]


def __dir__() -> list[str]:
    return __all__
