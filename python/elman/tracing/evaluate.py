"""A cell on arrays: its trace with any library's functions, and its programs with NumPy, as the engine runs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .emit import Instruction, Program, place_of
from .numeric import BACKWARD, NUMPY, Functions
from .operations import OPERATIONS, STATISTICS, Node

_TABLE = {**NUMPY, **BACKWARD}
_STORED = ("state", "tape", "gradient", "vector", "scalar", "read", "left")


def evaluate(
    nodes: Sequence[Node],
    results: Sequence[int],
    inputs: Mapping[str, Sequence[Any]],
    functions: Functions = NUMPY,
) -> list[Any]:
    """The new states, computed from a trace.

    Args:
        nodes: of a trace.
        results: the nodes of the new states.
        inputs: "slot", "state", "vector" and "scalar": the arrays of each, slots in the order of the engine; a vector
            and a scalar ([B, 1]) stretch as the library stretches them. "matrix": functions from rows to products.
            In training also "random": numbers from 0 to 1.
        functions: for each operation one on arrays of that library, the node's number behind them where it has one;
            `spike(x, slope)`, and `broadcast(value, like)`, an array with the shape and type of `like`.

    Returns:
        An array for each state, with the shape and the type of the first slot.
    """
    like = inputs["slot"][0]
    values: list[Any] = []
    for node in nodes:
        args = [values[a] for a in node.args]
        if node.op == "constant":
            values.append(functions["broadcast"](node.number, like))
        elif node.op == "random":  # None outside training
            values.append(inputs[node.op][node.which] if node.op in inputs else None)
        elif node.op == "chance" and args[0] is None:
            values.append(functions["broadcast"](node.number, like))
        elif not node.args:
            values.append(inputs[node.op][node.which])
        elif node.op == "product":
            values.append(inputs["matrix"][node.which](functions["broadcast"](args[0], like)))
        elif node.op in STATISTICS:
            rows = [functions["broadcast"](value, like) for value in args]
            values.append(functions[node.op](*rows, *([node.number] if OPERATIONS[node.op].numbered else [])))
        elif node.op == "spike":
            values.append(functions["spike"](args[0], node.number))
        elif OPERATIONS[node.op].numbered:
            values.append(functions[node.op](*args, node.number))
        else:
            values.append(functions[node.op](*args))
    return [functions["broadcast"](values[n], like) for n in results]


def run_program(
    program: Program, slots: Sequence[Any] = (), **inputs: Sequence[Any] | Mapping[int, Any]
) -> dict[str, dict[int, Any]]:
    """What a program stores, computed with NumPy.

    Args:
        program: one of a cell's programs.
        slots: arrays [.., H], in the order of the engine, of the program's stage.
        **inputs: what it loads, a sequence of arrays each: `state`, `after`, `tape`, `gradient`, `vector`, `scalar`,
            `random`, `statistic`, `left`, and by stage `read` and `passed`; or mappings, by index.

    Returns:
        "state", "tape", "gradient", "read", "left", and what it adds to the gradients of "vector" and "scalar": the
        arrays by index.
    """
    rows = [x.values() if isinstance(x, Mapping) else x for x in inputs.values()]
    given = [x for arrays in (slots, *rows) for x in arrays]
    shape = np.broadcast_shapes(*map(np.shape, given))
    dtype = np.result_type(*(np.asarray(x).dtype for x in given))
    registers: list[Any] = [None] * program.registers
    stored: dict[str, dict[int, Any]] = {kind: {} for kind in _STORED}
    for place, slot in zip(program.place, slots, strict=True):
        if place >= 0:
            registers[place] = np.broadcast_to(slot, shape)
        else:
            where, index = place_of(-1 - place)
            stored[where][index] = np.broadcast_to(slot, shape)
    for one in _counted(program):
        kind, _, what = one.op.partition("_")
        if kind == "store" or one.op in ("add_vector", "add_scalar"):
            stored[what][one.index] = registers[one.args[0]]
        elif one.op == "load_random" and what not in inputs:
            registers[one.to] = None  # outside training
        elif kind == "load":
            registers[one.to] = np.broadcast_to(np.asarray(inputs[what][one.index], dtype), shape)
        elif kind == "constant":
            registers[one.to] = np.full(shape, one.number, dtype)
        else:
            args = [registers[a] for a in one.args]
            numbered = one.op in OPERATIONS and OPERATIONS[one.op].numbered
            registers[one.to] = _TABLE[one.op](*args, *([one.number] if numbered else []))
    return stored


def _counted(program: Program) -> list[Instruction]:
    """The instructions, those with a count one by one."""
    return [
        one._replace(to=one.to + i, args=tuple(a + i for a in one.args), index=one.index + i, count=1)
        for one in program.instructions
        for i in range(one.count)
    ]
