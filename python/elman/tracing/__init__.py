"""Cells written in Python: a function runs once on symbols, and its trace becomes programs of the engine."""

from .definition import CellDefinition
from .emit import Instruction, Program
from .evaluate import evaluate, run_program
from .functions import (
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
from .numeric import NUMPY, Functions
from .programs import Programs
from .trace import cell, trace

__all__ = [
    "NUMPY",
    "CellDefinition",
    "Functions",
    "Instruction",
    "Program",
    "Programs",
    "cell",
    "clip",
    "evaluate",
    "exp",
    "hard_sigmoid",
    "log",
    "maximum",
    "minimum",
    "relu",
    "run_program",
    "sigmoid",
    "softplus",
    "spike",
    "sqrt",
    "tanh",
    "trace",
    "where",
    "zoneout",
]


def __dir__() -> list[str]:
    return __all__
