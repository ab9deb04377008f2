"""Cells that people use, as `elman.cell` makes them, and the functions to write your own with.

A cell without options is a definition, as `cells.cifg`; one with options is a function that gives one, as
`cells.lstm(peepholes=True)`. Either goes to a layer: `elman.Recurrent(cells.slstm(), I, H)`.
"""

from ..tracing import (
    CellDefinition,
    clip,
    exp,
    hard_sigmoid,
    layer_norm,
    log,
    maximum,
    mean,
    minimum,
    relu,
    sigmoid,
    softplus,
    spike,
    sqrt,
    tanh,
    variance,
    where,
    zoneout,
)
from .continuous import cfc, unicornn
from .grus import atr, augru, brc, cfn, gru, gru_d, li_gru, light_ru, mgu, sgrn, star, ugrnn
from .legendre import legendre, lmu
from .linear import lru, rg_lru, sru, t_rnn
from .lstms import cifg, janet, lstm, peephole_lstm, ran
from .minimal import min_gru, min_lstm
from .norms import dreamer_gru, layer_norm_gru, layer_norm_lstm
from .plain import ctrnn, echo_state, fast_grnn, fast_rnn, ind_rnn, leaky_rnn, rnn
from .searched import nas
from .spiking import lif, rlif
from .xlstm import slstm
from .zoneouts import zoneout_gru, zoneout_lstm

__all__ = [
    "CellDefinition",
    "atr",
    "augru",
    "brc",
    "cfc",
    "cfn",
    "cifg",
    "clip",
    "ctrnn",
    "dreamer_gru",
    "echo_state",
    "exp",
    "fast_grnn",
    "fast_rnn",
    "gru",
    "gru_d",
    "hard_sigmoid",
    "ind_rnn",
    "janet",
    "layer_norm",
    "layer_norm_gru",
    "layer_norm_lstm",
    "leaky_rnn",
    "legendre",
    "li_gru",
    "lif",
    "light_ru",
    "lmu",
    "log",
    "lru",
    "lstm",
    "maximum",
    "mean",
    "mgu",
    "min_gru",
    "min_lstm",
    "minimum",
    "nas",
    "peephole_lstm",
    "ran",
    "relu",
    "rg_lru",
    "rlif",
    "rnn",
    "sgrn",
    "sigmoid",
    "slstm",
    "softplus",
    "spike",
    "sqrt",
    "sru",
    "star",
    "t_rnn",
    "tanh",
    "ugrnn",
    "unicornn",
    "usual",
    "variance",
    "where",
    "zoneout",
    "zoneout_gru",
    "zoneout_lstm",
]


def __dir__() -> list[str]:
    return __all__


def usual() -> dict[str, CellDefinition]:
    """Every cell in its usual form: the definitions, and what the functions give without arguments.

    Returns:
        The cells by name.
    """
    found = {}
    for name, thing in sorted(globals().items()):
        if name in __all__ and isinstance(thing, CellDefinition):
            found[name] = thing
        elif name in __all__ and hasattr(thing, "makes_cells"):
            found[name] = thing()
    return found
