"""The cells: what the engine says of each, read once. Nothing else in Python knows a cell by name."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import _check, _core
from ..tracing.definition import CellDefinition
from ..tracing.emit import Program


class Feed(NamedTuple):
    """Which slots of a cell one product feeds: those from `begin` on, with the gate of the weights behind each."""

    begin: int
    gates: tuple[int, ...]


class Cell(NamedTuple):
    """One cell: as its header in csrc/cells describes it, or as it was defined.

    A gate is H rows of weight_ih or weight_hh, a slot one sum of a unit before the cell's functions.
    """

    name: str
    states: tuple[str, ...]  # h first
    gates: tuple[str, ...]  # of weight_ih, in the order of its rows
    bias: tuple[float, ...]  # what bias_ih begins with, for each gate
    bias_h: tuple[float, ...]  # what bias_hh begins with
    slots: int
    x: Feed
    h: Feed  # of the first stage
    vectors: tuple[str, ...]  # of one number for each unit
    scalars: tuple[str, ...]  # of one number for each row of x
    stages: int  # of a step
    draws: bool  # random numbers, in training
    definition: CellDefinition | None = None  # of one that is not compiled

    @property
    def matrices(self) -> tuple[str, ...]:
        """What multiplies within a step; its rows are the last ones of weight_hh."""
        return self.definition.matrices if self.definition else ()

    @property
    def h_gates(self) -> int:
        """Of weight_hh."""
        return len(self.bias_h)


def _read(name: str, facts: dict[str, Any], definition: CellDefinition | None = None) -> Cell:
    feeds = {side: Feed(facts[side]["begin"], facts[side]["gates"]) for side in ("x", "h")}
    return Cell(name, **{**facts, **feeds}, definition=definition)


CELLS: dict[str, Cell] = {name: _read(name, facts) for name, facts in _core.cells().items()}
COMPILED = tuple(CELLS)  # the others are added by `define`


# What layers name otherwise: their parameters, and the arguments of their calls.
_PARAMETERS = ("weight_ih", "weight_hh", "weight_hr", "bias_ih", "bias_hh")
_ARGUMENTS = ("self", "x", "input", "state", "hx", "lengths", "mask", "reset", "out", "keep")


def define(cell: CellDefinition) -> str:
    """The name of a traced cell in CELLS. The engine knows it from then on, for as long as the process lives.

    Raises:
        ValueError: it needs more than the engine has, or names its params or scalars as a layer names other things.
    """
    if cell.key not in CELLS:
        for what, names, taken in (
            ("params", cell.params, _PARAMETERS),
            ("scalars", cell.scalars, _ARGUMENTS),
        ):
            for name in names:
                if name in taken:
                    whose = "a layer's" if what == "params" else "those of a call"
                    raise ValueError(f"cell: expected {what} with other names than {whose}, got {name}")
        CELLS[cell.key] = _read(cell.key, _core.define_cell(**_words(cell)), cell)
    if CELLS[cell.key].definition != cell:  # 64 bits of a hash are alike by design alone
        raise ValueError(f"cell: expected another name for {cell.name}, whose key {cell.key} is taken")
    return cell.key


def cell_name(cell: Any) -> str:
    """The name in CELLS of a cell that a user gave.

    Raises:
        ValueError: it is none.
    """
    if isinstance(cell, CellDefinition):
        return define(cell)
    if not isinstance(cell, str) or cell not in COMPILED:
        call = f"; call it, {cell.__name__}()" if getattr(cell, "makes_cells", False) else ""
        if isinstance(cell, str):
            call = "; other cells are given, not named: elman.cells has them"
        raise ValueError(
            f"cell: expected a cell of elman.cells or one made by elman.cell, or one of {', '.join(COMPILED)}, got "
            f"{cell if isinstance(cell, str) else _check.describe(cell)}{call}"
        )
    return cell


def check_heads(cell: str, heads: Any, H: int) -> int:
    """Into how many heads the H units of a layer of this cell are cut, as a user gave it.

    Raises:
        ValueError: the cell can have one alone, or it does not divide H.
    """
    heads, known = _check.whole_number("heads", heads, 1), CELLS[cell]
    if heads > 1 and known.definition is None:
        raise ValueError(
            f"heads: expected 1 for {cell!r}, got {heads}; cells of elman.cells take more, as cells.lstm()"
        )
    if heads > 1 and not known.h_gates:
        raise ValueError(f"heads: expected 1 for a cell without recurrent weights, got {heads}")
    if H % heads:
        raise ValueError(f"heads: expected a divisor of hidden_size, which is {H}, got {heads}")
    return heads


def _words(cell: CellDefinition) -> dict[str, Any]:
    """A cell as the engine takes it: the rows of each weight matrix are the slots that it feeds, as the user has named
    them; the engine's slots are ordered by what feeds them, those of products within the step last."""
    rows = cell.rows
    feeds = {}
    for side, of_side in rows.items():
        fed = [slot for slot in cell.order if slot in of_side]
        feeds[side] = (
            cell.order.index(fed[0]) if fed else len(cell.order),
            [of_side.index(slot) for slot in fed],
        )
    starts = lambda slots: [cell.bias.get(slot, 0.0) for slot in slots]  # noqa: E731
    only_h = [slot if slot not in rows["x"] else None for slot in rows["h"]]
    programs = cell.programs
    later, first = [], len(cell.slots)
    for matrices in programs.products:
        later.append((first, [rows["h"].index(cell.matrices[m]) for m in matrices]))
        first += len(matrices)
    return {
        "name": cell.key,
        "slots": first,
        "columns": programs.columns,
        "left": programs.left,
        **feeds,
        "later": later,
        "states": list(cell.states),
        "gates": rows["x"],
        "bias": starts(rows["x"]),
        "bias_h": starts(only_h),  # a slot that both feed has its start once
        "vectors": list(cell.params),
        "scalars": list(cell.scalars),
        "forward": [_code(program) for program in programs.forward],
        "forward_keep": [_code(program) for program in programs.forward_keep],
        "backward": [_code(program) for program in programs.backward],
    }


_OPERATIONS = {name: number for number, name in enumerate(_core.operations())}


_Code = tuple[int, list[int], list[list[int]], list[float], list[tuple[int, int, list[int], float]]]


def _code(program: Program) -> _Code:
    rows = [
        [_OPERATIONS[i.op], max(i.to, 0), *i.args, *[0] * (4 - len(i.args)), i.index, i.count, int(i.once)]
        for i in program.instructions
    ]
    statistics = [
        (-1 if s.mean is None else s.mean, s.to, list(s.columns), -1.0 if s.epsilon is None else s.epsilon)
        for s in program.statistics
    ]
    numbers = [i.number for i in program.instructions]
    return max(1, program.registers), list(program.place), rows, numbers, statistics
