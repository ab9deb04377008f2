"""What a stack's forward pass keeps for its backward pass."""

from __future__ import annotations

from typing import Any

from ..cells import Cell
from .library import Library


def tape_size(cell: Cell, L: int, D: int, H: int, rows: int, itemsize: int) -> int:
    """Numbers of the stack's type that a tape of so many rows takes."""
    beyond_h = (len(cell.states) - 1) * 4 // itemsize  # float32
    return rows * H * L * D * (beyond_h + cell.slots + 1)


class Tape:
    """Of each layer and direction the states beyond h and the slots, and of each layer the results.

    `part_of`: an array of tape_size numbers whose parts these are; new arrays if None. `holes`: whether there are
    rows that no step computes: zeros then.
    """

    def __init__(
        self, library: Library, cell: Cell, L: int, D: int, H: int, rows: int,
        holes: bool, part_of: Any = None,
    ):  # fmt: skip
        taken = 0

        def array(width: int, dtype: str = "") -> Any:
            nonlocal taken
            if part_of is None:
                return (library.zeros if holes and not dtype else library.empty)(rows, width, dtype=dtype)
            begin = taken
            taken += rows * width * (4 // library.itemsize if dtype else 1)
            return library.view(part_of[begin:taken], dtype).reshape(rows, width)

        # [layer][direction], of states [state] as well: float32, first, where any type is at a multiple of 4 bytes
        self.states = [[[array(H, "float32") for _ in cell.states[1:]] for _ in range(D)] for _ in range(L)]
        self.slots = [[array(cell.slots * H) for _ in range(D)] for _ in range(L)]
        self.y = [array(D * H) for _ in range(L)]
