"""Data as batches for training."""

from .batch import Batch, Data
from .lazy import Ragged
from .prefetch import prefetch
from .sequences import Sequences, as_data
from .stream import Stream
from .windows import forecast_windows

__all__ = ["Batch", "Data", "Ragged", "Sequences", "Stream", "as_data", "forecast_windows", "prefetch"]


def __dir__() -> list[str]:
    return __all__
