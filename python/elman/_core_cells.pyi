"""The names of _core that are about cells and instruction sets. There is no module of this name."""

from typing import Any

def cells() -> dict[str, dict[str, Any]]:
    """Of each cell what csrc/cells/cell.h calls its facts; elman.stack.cells reads them."""

def operations() -> tuple[str, ...]:
    """Of programs, in the order of their numbers (csrc/kernels/program.h)."""

_Feed = tuple[int, list[int]]  # the first slot, and the gate of each from there on
# Behind a mean the number of that mean, else -1; its own number; the columns that it is of, from 64 on those left
# within a step; and for 1 / sqrt(variance + epsilon) that number, else -1.
_Statistic = tuple[int, int, list[int], float]
# Registers, the place of each slot, the instructions (operation, to, four registers, index, count, whether it is for
# one row), their numbers, and the statistics that come before.
_Code = tuple[int, list[int], list[list[int]], list[float], list[_Statistic]]

def define_cell(
    name: str,
    slots: int,
    columns: int,
    left: int,
    x: _Feed,
    h: _Feed,
    later: list[_Feed],
    states: list[str],
    gates: list[str],
    bias: list[float],
    bias_h: list[float],
    vectors: list[str],
    scalars: list[str],
    forward: list[_Code],
    forward_keep: list[_Code],
    backward: list[_Code],
) -> dict[str, Any]:
    """Adds a cell for as long as the process lives; its facts, as `cells` has them. All of it is checked.

    `columns`: of the tape, at least one for each slot; `left`: within a step; `later`: what the product of each stage
    but the first feeds. There is a program of each stage.
    """

def isas() -> list[str]: ...
def isa() -> str: ...
def use_isa(name: str) -> None: ...
