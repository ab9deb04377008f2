"""Training on explicit gradients: what a forecaster needs, and the place for the rest."""

from .fit import History, fit, predict
from .losses import mean_squared_error
from .models import Forecaster
from .optim import Adam, clip_global_norm

__all__ = ["Adam", "Forecaster", "History", "clip_global_norm", "fit", "mean_squared_error", "predict"]
