"""Data as batches for training."""

from .batch import Batch, Data
from .sequences import Sequences, as_data
from .stream import Stream
from .vocabulary import Vocabulary
from .windows import forecast_windows

__all__ = ["Batch", "Data", "Sequences", "Stream", "Vocabulary", "as_data", "forecast_windows"]
