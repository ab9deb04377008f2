"""Data as batches for training."""

from .batches import Batch, Data, Sequences, Stream, as_data, forecast_windows

__all__ = ["Batch", "Data", "Sequences", "Stream", "as_data", "forecast_windows"]
