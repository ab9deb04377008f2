"""Losses: each gives the loss of a batch and its gradient."""

from .classification import binary_cross_entropy, cross_entropy
from .ctc import ctc
from .custom import CustomLoss, check_gradient, custom
from .distribution import gaussian, quantile
from .loss import Loss
from .regression import huber, mean_absolute_error, mean_squared_error

__all__ = [
    "CustomLoss",
    "Loss",
    "binary_cross_entropy",
    "check_gradient",
    "cross_entropy",
    "ctc",
    "custom",
    "gaussian",
    "huber",
    "mean_absolute_error",
    "mean_squared_error",
    "quantile",
]


def __dir__() -> list[str]:
    return __all__
