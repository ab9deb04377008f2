"""The names of _core that are about cells and instruction sets. There is no module of this name."""

from typing import Any

def cells() -> dict[str, dict[str, Any]]:
    """Of each cell what csrc/cells/cell.h calls its facts; elman.stack.cells reads them."""

def operations() -> tuple[str, ...]:
    """Of programs, in the order of their numbers (csrc/kernels/program.h)."""

_Feed = tuple[int, list[int]]  # the first slot, and the gate of each from there on
# Registers, the place of each slot, the instructions (operation, to, four registers, index, count), their numbers.
_Code = tuple[int, list[int], list[list[int]], list[float]]

def define_cell(
    name: str,
    slots: int,
    x: _Feed,
    h: _Feed,
    states: list[str],
    gates: list[str],
    bias: list[float],
    bias_h: list[float],
    vectors: list[str],
    scalars: list[str],
    forward: _Code,
    forward_keep: _Code,
    backward: _Code,
) -> dict[str, Any]:
    """Adds a cell for as long as the process lives; its facts, as `cells` has them. All of it is checked."""

def isas() -> list[str]: ...
def isa() -> str: ...
def use_isa(name: str) -> None: ...
