"""Losses: each gives the loss of a batch and its gradient."""

from .ctc import ctc
from .losses import (
    Loss,
    binary_cross_entropy,
    cross_entropy,
    gaussian,
    huber,
    mean_absolute_error,
    mean_squared_error,
    quantile,
)

__all__ = [
    "Loss",
    "binary_cross_entropy",
    "cross_entropy",
    "ctc",
    "gaussian",
    "huber",
    "mean_absolute_error",
    "mean_squared_error",
    "quantile",
]
