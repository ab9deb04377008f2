"""Cells that people use, as `elman.cell` makes them, and the functions to write your own with."""

from ..tracing import (
    CellDefinition,
    clip,
    exp,
    hard_sigmoid,
    log,
    maximum,
    minimum,
    relu,
    sigmoid,
    softplus,
    spike,
    sqrt,
    tanh,
    where,
    zoneout,
)

__all__ = [
    "CellDefinition",
    "clip",
    "exp",
    "hard_sigmoid",
    "log",
    "maximum",
    "minimum",
    "relu",
    "sigmoid",
    "softplus",
    "spike",
    "sqrt",
    "tanh",
    "where",
    "zoneout",
]


def __dir__() -> list[str]:
    return __all__
