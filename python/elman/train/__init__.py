"""Training on explicit gradients: what a forecaster needs, and the place for the rest."""

from .fit import History, fit, predict
from .losses import mean_squared_error
from .models import Forecaster
from .optim import SGD, Adam, AdamW, Optimizer, RMSProp, clip_global_norm, clip_value, global_norm
from .schedules import Constant, Cosine, Exponential, Plateau, Schedule, Steps, WarmUp

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Constant",
    "Cosine",
    "Exponential",
    "Forecaster",
    "History",
    "Optimizer",
    "Plateau",
    "RMSProp",
    "Schedule",
    "Steps",
    "WarmUp",
    "clip_global_norm",
    "clip_value",
    "fit",
    "global_norm",
    "mean_squared_error",
    "predict",
]
