"""Layers: what holds parameters and has a forward and a backward pass."""

from .attention import DotAttention
from .cells import GRU, LSTM, RNN, Recurrent
from .check import check_cell
from .dropout import Dropout
from .embedding import Embedding
from .linear import Linear
from .parameters import Composite, Parameters
from .pooling import Pooling
from .sequential import Sequential
from .stepper import Stepper

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Composite",
    "DotAttention",
    "Dropout",
    "Embedding",
    "Linear",
    "Parameters",
    "Pooling",
    "Recurrent",
    "Sequential",
    "Stepper",
    "check_cell",
]


def __dir__() -> list[str]:
    return __all__
