"""Programs of the engine: instructions over registers, each a block of vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from .graph import Graph
from .operations import MOST_COLUMNS, UNARY
from .schedule import Found, Order, Output, Step, fewest_alive
from .units import IN_ROWS, alike_of


class Instruction(NamedTuple):
    """Register `to` becomes `op` of the registers `args`; a store has no `to` (-1).

    With a count, registers to, to + 1, .. come from args[0], args[0] + 1, .. or from index, index + 1, ..; `once`: from
    or to a column of one row.
    """

    op: str
    to: int
    args: tuple[int, ...] = ()
    number: float = 0.0
    index: int = 0  # type: ignore[assignment]  # a tuple has methods of these names
    count: int = 1  # type: ignore[assignment]
    once: bool = False


class Statistic(NamedTuple):
    """A mean over all units of some columns, or with the number of that mean their variance, or with `epsilon`, too,
    1 / sqrt(variance + epsilon); and its own number."""

    mean: int | None
    to: int
    columns: tuple[int, ...]
    epsilon: float | None = None


class Program(NamedTuple):
    """Instructions, the number of registers, where each slot arrives, and what comes before. Slots arrive in registers,
    or in the column c as -1 - c."""

    instructions: tuple[Instruction, ...]
    registers: int
    place: tuple[int, ...] = ()
    statistics: tuple[Statistic, ...] = ()


def emit(
    graph: Graph,
    outputs: Sequence[Output],
    slot_nodes: Sequence[int],
    columns: Mapping[int, int],
    found: Mapping[int, Found],
    of_one: Collection[int],
) -> Program:
    """A program.

    It loads columns first, since what it stores may lie there. Functions of slots that nothing else reads
    come next, in place, those alike as one instruction. Slots that are stored and nothing else arrive where they are
    to lie.

    Args:
        graph: of the cell.
        outputs: what it stores.
        slot_nodes: the nodes of the slots and products that are in registers when it starts.
        columns: nodes that earlier programs have left, and where.
        found: nodes that are loaded from elsewhere.
        of_one: nodes whose columns are of one row.
    """
    stored = {} if columns else _stored_alone(graph, outputs, slot_nodes, found)
    outputs = [output for output in outputs if output.node not in stored]
    order = Order(graph, outputs, {*slot_nodes, *columns}, found)
    needed = order.needed()
    readers: dict[int, list[Step]] = {n: [] for n in slot_nodes}
    for step in [order.step(n) for n in needed - {*slot_nodes, *columns}] + [*map(order.store, outputs)]:
        for n in set(step.args) & readers.keys():
            readers[n].append(step)
    alike: dict[str, list[int]] = {}
    for n in slot_nodes:
        if len(readers[n]) == 1 and readers[n][0].op in UNARY:
            alike.setdefault(readers[n][0].op, []).append(n)
    registers: dict[int, int] = {}
    functions = []
    places: dict[int, int] = {}
    for op, members in alike.items():
        at = len(places)
        functions.append(Instruction(op, at, (at,), count=len(members)))
        for n in members:
            registers[readers[n][0].node] = places[n] = len(places)
    for n in slot_nodes:
        if n not in places and n not in stored:
            registers[n] = places[n] = len(places)
    loads = _loads({n: columns[n] for n in columns if n in needed}, of_one, len(places), registers)
    program = _fewest(graph, outputs, registers, found, loads + functions)
    return program._replace(place=tuple(-1 - stored[n] if n in stored else places[n] for n in slot_nodes))


def _stored_alone(
    graph: Graph, outputs: Sequence[Output], slot_nodes: Sequence[int], found: Mapping[int, Found]
) -> dict[int, int]:
    """The columns of the slots of a first stage that only one output reads. A column of the tape may hold what is
    computed ahead for the slot of that number, so that no slot before it may arrive there."""
    column = {"store_tape": 0, "store_left": MOST_COLUMNS}
    order = Order(graph, outputs, slot_nodes, found)
    read = Counter(output.node for output in outputs)
    read.update(a for n in order.needed() - {*slot_nodes} for a in order.step(n).args)
    return {
        output.node: column[output.op] + output.which
        for output in outputs
        if output.node in slot_nodes
        and graph.nodes[output.node].op == "slot"
        and output.op in column
        and read[output.node] == 1
        and (output.op == "store_left" or output.which <= slot_nodes.index(output.node))
    }


def _loads(
    columns: Mapping[int, int], of_one: Collection[int], register: int, registers: dict[int, int]
) -> list[Instruction]:
    """Loads into registers from this one on; neighbouring columns are one instruction."""
    loads: list[Instruction] = []
    for to, n in enumerate(sorted(columns, key=lambda n: columns[n]), register):
        registers[n] = to
        where, index = place_of(columns[n])
        last, once = loads[-1] if loads else None, n in of_one
        if last and (last.op, last.once, last.index + last.count) == (f"load_{where}", once, index):
            loads[-1] = last._replace(count=last.count + 1)
        else:
            loads.append(Instruction(f"load_{where}", to, index=index, once=once))
    return loads


def place_of(column: int) -> tuple[str, int]:
    """What holds a column, and its number there: those that are left within a step come behind the largest tape."""
    return ("tape", column) if column < MOST_COLUMNS else ("left", column - MOST_COLUMNS)


def _fewest(
    graph: Graph,
    outputs: Sequence[Output],
    there: Mapping[int, int],
    found: Mapping[int, Found],
    first: Sequence[Instruction],
) -> Program:
    """The program of the order that takes the fewest registers."""
    order = Order(graph, outputs, there.keys(), found)
    sizes = order.sizes()
    orders = [
        order.steps(key, turned) for key in (lambda _: 0, lambda n: -sizes[n]) for turned in (False, True)
    ]
    orders += [fewest_alive(steps) for steps in orders]
    programs = [_with_registers(steps, there, first) for steps in orders]
    return min(programs, key=lambda program: program.registers)


def _with_registers(steps: Sequence[Step], there: Mapping[int, int], first: Sequence[Instruction]) -> Program:
    """Gives each node a register until its last use. What is alike in rows or units has a register to itself."""
    last = {n: t for t, step in enumerate(steps) for n in step.args}
    register = dict(there)
    top = len(there)
    free = sorted((r for n, r in there.items() if n not in last), reverse=True)
    instructions = list(first)
    alike = {r: IN_ROWS for one in first if one.once for r in range(one.to, one.to + one.count)}
    for t, step in enumerate(steps):
        args = tuple(register[n] for n in step.args)
        made = alike_of(step.op.removeprefix("load_"), (alike.get(r, 0) for r in args))
        ends = [register[n] for n in dict.fromkeys(step.args) if last[n] == t]
        free += [r for r in ends if alike.get(r, 0) == made]
        to = -1
        if step.node >= 0:
            to = free.pop() if free else top
            top = max(top, to + 1)
            register[step.node] = to
        free += [r for r in ends if alike.get(r, 0) != made]
        if to >= 0:
            alike[to] = made
        instructions.append(Instruction(step.op, to, args, step.number, step.which, once=step.once))
    return Program(tuple(instructions), top)
