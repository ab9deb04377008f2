"""The three programs of a cell: one step there, one that keeps the tape, and one step back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from . import tape
from .derivative import differentiate
from .emit import Program, emit_backward, emit_forward
from .graph import Graph
from .operations import MOST_INSTRUCTIONS, MOST_REGISTERS, Node
from .schedule import Output


class Sizes(NamedTuple):
    """How many a cell has of each."""

    slots: int
    states: int
    params: int
    scalars: int


class Programs(NamedTuple):
    """What the engine runs of a cell. Slots have the engine's order: those fed by x alone, by both, by h alone."""

    forward: Program
    forward_keep: Program
    backward: Program
    kept: tuple[int, ...]  # the nodes of the trace on the tape


def make_programs(name: str, nodes: Sequence[Node], results: Sequence[int], sizes: Sizes) -> Programs:
    """The programs of a trace.

    Raises:
        ValueError: one of them needs more registers or instructions than the engine has.
    """
    graph = Graph(nodes)
    inputs = differentiate(graph, results)
    zero = graph.constant(0.0)
    back = [Output("store_tape", s, inputs.get(("slot", s), zero)) for s in range(sizes.slots)]
    back += [Output("store_gradient", k, inputs.get(("state", k), zero)) for k in range(sizes.states)]
    extras = [("vector", p) for p in range(sizes.params)] + [("scalar", s) for s in range(sizes.scalars)]
    back += [Output("store_extra", k, inputs.get(extra, zero)) for k, extra in enumerate(extras)]

    kept = tape.choose(graph, len(nodes), results, [output.node for output in back], sizes.slots)
    states = [Output("store_state", k, n) for k, n in enumerate(results)]
    tapes = [Output("store_tape", i, n) for i, n in enumerate(kept)]
    # What is at hand anyway need not be looked up among the new states.
    after = {n: k for k, n in enumerate(results) if nodes[n].op not in tape.FREE}
    programs = Programs(
        emit_forward(graph, states, sizes.slots),
        emit_forward(graph, states + tapes, sizes.slots),
        emit_backward(graph, back, kept, after),
        tuple(kept),
    )
    _check(name, "values at a time", MOST_REGISTERS, [program.registers for program in programs[:3]])
    _check(name, "instructions", MOST_INSTRUCTIONS, [len(program.instructions) for program in programs[:3]])
    return programs


def _check(name: str, what: str, most: int, got: list[int]) -> None:
    if max(got) > most:
        raise ValueError(
            f"cell {name}: expected programs of at most {most} {what}, got {max(got)}; a simpler function needs fewer"
        )
