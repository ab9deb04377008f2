"""elman under PyTorch: the recurrent modules of torch.nn on elman's engine.

Examples:
    >>> import torch, elman.torch
    >>> layer = elman.torch.LSTM(7, 64, batch_first=True)     # torch.nn.LSTM's arguments, call and state_dict
    >>> y, (h, c) = layer(torch.zeros(32, 100, 7), lengths=torch.full((32,), 80))
    >>> model = elman.torch.accelerate(model)                 # every torch RNN inside, in place

Extra: elman[torch]. Works with PyTorch 2.4 and newer; see docs/pytorch.md.
"""

from .._extras import need

need("torch", "torch", "elman.torch")

from . import flops, threads  # noqa: E402, F401
from .cells import GRUCell, LSTMCell, RNNCell  # noqa: E402
from .frozen import assume_frozen  # noqa: E402
from .layers import GRU, LSTM, RNN  # noqa: E402
from .recurrent import Recurrent  # noqa: E402
from .swap import Entry, Report, accelerate, report, restore, restored  # noqa: E402

threads.borrow()

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Entry",
    "GRUCell",
    "LSTMCell",
    "RNNCell",
    "Recurrent",
    "Report",
    "accelerate",
    "assume_frozen",
    "report",
    "restore",
    "restored",
]


def __dir__() -> list[str]:
    return __all__
