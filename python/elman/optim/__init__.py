"""Optimisers, learning-rate schedules, averages of parameters and the clipping of gradients."""

from .averages import EMA, SWA, Average
from .gradients import clip_global_norm, clip_value, global_norm
from .groups import Groups
from .optimizer import Optimizer
from .rules import SGD, Adam, AdamW, RMSProp, make_optimizer
from .schedules import Constant, Cosine, Exponential, Plateau, Schedule, Steps, WarmUp

__all__ = [
    "EMA",
    "SGD",
    "SWA",
    "Adam",
    "AdamW",
    "Average",
    "Constant",
    "Cosine",
    "Exponential",
    "Groups",
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
