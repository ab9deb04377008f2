"""What a stack's forward pass keeps for its backward pass."""

from __future__ import annotations

from typing import Any

from ..spec import StackSpec
from .library import Library


def tape_size(spec: StackSpec, rows: int, itemsize: int) -> int:
    """Numbers of the stack's type that a tape of so many rows takes."""
    beyond_h = (spec.states - 1) * 4 // itemsize  # float32
    return rows * spec.H * spec.L * spec.D * (beyond_h + spec.facts.slots + 1)


class Tape:
    """Of each layer and direction the states beyond h and the slots, and of each layer the results.

    `memory`: an array of tape_size numbers whose parts these are; new arrays if None. `holes`: whether there are
    rows that no step computes: zeros then.
    """

    def __init__(self, library: Library, spec: StackSpec, rows: int, holes: bool, memory: Any = None):
        taken = 0

        def array(width: int, dtype: str = "") -> Any:
            nonlocal taken
            if memory is None:
                return (library.zeros if holes and not dtype else library.empty)(rows, width, dtype=dtype)
            begin = taken
            taken += rows * width * (4 // library.itemsize if dtype else 1)
            return library.view(memory[begin:taken], dtype).reshape(rows, width)

        cell, L, D, H = spec.facts, range(spec.L), range(spec.D), spec.H
        # [layer][direction], of states [state] as well: float32, first, where any type is at a multiple of 4 bytes
        self.states = [[[array(H, "float32") for _ in cell.states[1:]] for _ in D] for _ in L]
        self.slots = [[array(cell.slots * H) for _ in D] for _ in L]
        self.y = [array(spec.width) for _ in L]
