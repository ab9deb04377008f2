"""Recurrent networks that run and train at hardware speed.

Examples:
    >>> import elman, numpy as np
    >>> layer = elman.LSTM(input_size=7, hidden_size=64)
    >>> y, (h, c) = layer(np.zeros((100, 32, 7), np.float32))      # x [T, B, I] -> y [T, B, H]

Shapes throughout: T steps, B sequences in a batch, I inputs, H hidden units, L layers, D directions.

Rooms, each imported when it is first used: `elman.layers`; `elman.models`, `elman.train`, `elman.optim`,
`elman.losses` and `elman.data` to train; `elman.sequence` and `elman.datasets`; `elman.forecast`; `elman.sklearn`,
`elman.torch`, `elman.sktime` and `elman.darts`, which need those packages.
"""

import importlib
from typing import TYPE_CHECKING, Any

from . import _interpreter, init, sequence  # noqa: F401  (_interpreter before what imports the extension)
from ._info import info, isas, num_threads, set_num_threads, use_isa
from ._load import load
from ._version import __version__
from .layers import GRU, LSTM, RNN, Linear, Recurrent, Stepper, check_cell
from .tracing import cell

if TYPE_CHECKING:
    from . import cells, data, datasets, forecast, layers, losses, models, optim, train
    from . import darts as darts
    from . import sklearn as sklearn
    from . import sktime as sktime
    from . import torch as torch

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Linear",
    "Recurrent",
    "Stepper",
    "__version__",
    "cell",
    "cells",
    "check_cell",
    "data",
    "datasets",
    "forecast",
    "info",
    "init",
    "isas",
    "layers",
    "load",
    "losses",
    "models",
    "num_threads",
    "optim",
    "sequence",
    "set_num_threads",
    "train",
    "use_isa",
]
# Rooms that need another package are not in `__all__`: `from elman import *` serves without it.
_WITH_EXTRAS = ("darts", "sklearn", "sktime", "torch")


def __getattr__(name: str) -> Any:
    """A room, imported now. An extra that is missing is an AttributeError here, as for any attribute that is not there,
    and an ImportError for `import elman.torch`; both say what to install."""
    if name not in __all__ and name not in _WITH_EXTRAS:
        raise AttributeError(f"module 'elman' has no attribute {name!r}")
    try:
        return importlib.import_module(f"elman.{name}")
    except ImportError as error:
        raise AttributeError(str(error)) from error


def __dir__() -> list[str]:
    return [*__all__, *_WITH_EXTRAS]
