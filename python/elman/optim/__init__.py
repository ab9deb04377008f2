"""Optimisers, learning-rate schedules and the clipping of gradients."""

from .gradients import clip_global_norm, clip_value, global_norm
from .optimizer import Optimizer
from .rules import SGD, Adam, AdamW, RMSProp, make_optimizer
from .schedules import Constant, Cosine, Exponential, Plateau, Schedule, Steps, WarmUp

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Constant",
    "Cosine",
    "Exponential",
    "Optimizer",
    "Plateau",
    "RMSProp",
    "Schedule",
    "Steps",
    "WarmUp",
    "clip_global_norm",
    "clip_value",
    "global_norm",
    "make_optimizer",
]


def __dir__() -> list[str]:
    return __all__
