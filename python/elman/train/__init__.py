"""Training on explicit gradients: data as batches, losses, optimisers, schedules, and the loop."""

from .ctc import ctc
from .data import Batch, Data, Sequences, Stream, forecast_windows
from .fit import evaluate, fit
from .gradients import clip_global_norm, clip_value, global_norm
from .history import History
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
from .optim import SGD, Adam, AdamW, Optimizer, RMSProp, make_optimizer
from .run import Run
from .schedules import Constant, Cosine, Exponential, Plateau, Schedule, Steps, WarmUp
from .tune import Log, tune

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Batch",
    "Constant",
    "Cosine",
    "Data",
    "Exponential",
    "History",
    "Log",
    "Loss",
    "Optimizer",
    "Plateau",
    "RMSProp",
    "Run",
    "Schedule",
    "Sequences",
    "Steps",
    "Stream",
    "WarmUp",
    "binary_cross_entropy",
    "clip_global_norm",
    "clip_value",
    "cross_entropy",
    "ctc",
    "evaluate",
    "fit",
    "forecast_windows",
    "gaussian",
    "global_norm",
    "huber",
    "make_optimizer",
    "mean_absolute_error",
    "mean_squared_error",
    "quantile",
    "tune",
]
