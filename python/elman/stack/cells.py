"""The cells: what the engine says of each, read once. Nothing else in Python knows a cell by name."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import _core


class Feed(NamedTuple):
    """Which slots of a cell one product feeds: those from `begin` on, with the gate of the weights behind each."""

    begin: int
    gates: tuple[int, ...]


class Cell(NamedTuple):
    """One cell, as its header in csrc/cells describes it.

    A gate is H rows of weight_ih and weight_hh, a slot one sum of a unit before the cell's functions.
    """

    name: str
    states: tuple[str, ...]  # h first
    gates: tuple[str, ...]  # in the order of the weights
    bias: tuple[float, ...]  # what the bias of each gate begins with
    slots: int
    x: Feed
    h: Feed  # of the first stage
    vectors: tuple[str, ...]  # of one number for each unit
    stages: int  # of a step


def _read(name: str, facts: dict[str, Any]) -> Cell:
    feeds = {side: Feed(facts[side]["begin"], facts[side]["gates"]) for side in ("x", "h")}
    return Cell(
        name,
        facts["states"],
        facts["gates"],
        facts["bias"],
        facts["slots"],
        **feeds,
        vectors=facts["vectors"],
        stages=facts["stages"],
    )


CELLS: dict[str, Cell] = {name: _read(name, facts) for name, facts in _core.cells().items()}
