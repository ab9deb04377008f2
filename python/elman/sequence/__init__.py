"""Sequences as plain NumPy: padding, bucketing into batches, sliding windows, scaling."""

from .batching import bucket_batches
from .marks import known_steps
from .padding import pad, unpad
from .scaling import Standardizer
from .windows import sliding_windows

__all__ = ["Standardizer", "bucket_batches", "known_steps", "pad", "sliding_windows", "unpad"]


def __dir__() -> list[str]:
    return __all__
