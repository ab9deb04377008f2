"""Recurrent networks that run and train at hardware speed.

>>> import elman, numpy as np
>>> layer = elman.LSTM(input_size=7, hidden_size=64)
>>> y, (h, c) = layer(np.zeros((100, 32, 7), np.float32))      # x [T, B, I] -> y [T, B, H]

Shapes throughout: T steps, B sequences in a batch, I inputs, H hidden units, L layers, D directions.
"""

from . import _interpreter, init, sequence  # noqa: F401  (_interpreter before what imports the extension)
from ._info import info, isas, num_threads, set_num_threads, use_isa
from ._load import load
from ._version import __version__
from .layers import GRU, LSTM, RNN, Linear, Stepper

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Linear",
    "Stepper",
    "__version__",
    "info",
    "init",
    "isas",
    "load",
    "num_threads",
    "sequence",
    "set_num_threads",
    "use_isa",
]
