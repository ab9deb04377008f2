"""What a stack's forward pass keeps for its backward pass."""

from __future__ import annotations

from typing import Any

from .library import Library


def tape_size(cell: dict[str, Any], L: int, D: int, H: int, rows: int, itemsize: int) -> int:
    """Numbers of the stack's type that a tape of so many rows takes."""
    memory = D * 4 // itemsize if cell["states"] > 1 else 0
    return rows * H * L * (memory + D * cell["slots"] + D)


class Tape:
    """Of each layer and direction the slots and the memory beyond h, and of each layer the results.

    `part_of`: an array of tape_size numbers whose parts these are; new arrays if None. `holes`: whether there are
    rows that no step computes: zeros then.
    """

    def __init__(
        self, library: Library, cell: dict[str, Any], L: int, D: int, H: int, rows: int,
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

        def of_layers(width: int, dtype: str = "") -> list[list[Any]]:
            return [[array(width, dtype) for _ in range(D)] for _ in range(L)]

        # [layer][direction]; float32, first, where a part of any type begins at a multiple of 4 bytes
        self.memory = of_layers(H if cell["states"] > 1 else 0, "float32")
        self.slots = of_layers(cell["slots"] * H)
        self.y = [array(D * H) for _ in range(L)]
