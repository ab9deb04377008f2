"""Layers: what holds parameters and has a forward and a backward pass."""

from .attention import DotAttention
from .linear import Linear
from .recurrent import GRU, LSTM, RNN, load
from .stepper import Stepper

__all__ = ["GRU", "LSTM", "RNN", "DotAttention", "Linear", "Stepper", "load"]
