"""The programs of a cell: for each stage of a step one there, one that keeps the tape, and one back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from . import tape
from .affine import in_affine_form
from .derivative import differentiate
from .elementwise import Elementwise, computed_again
from .emit import Program, Statistic, emit, place_of
from .graph import Graph
from .operations import (
    FREE,
    MOST_COLUMNS,
    MOST_INSTRUCTIONS,
    MOST_REGISTERS,
    MOST_STATISTICS,
    STATISTICS,
    Node,
)
from .schedule import Found, Order, Output
from .stages import Left, Span, Stages, columns_of
from .units import alike


class Sizes(NamedTuple):
    """How many a cell has of each."""

    slots: int
    states: int
    params: int
    scalars: int
    matrices: int = 0
    h_slots: int = 0  # slots that h feeds


class Programs(NamedTuple):
    """What the engine runs of a cell, by stage or by part; the way back begins with the last one. Slots have the
    engine's order: those fed by x alone, by both, by h alone, then the products, by stage."""

    forward: tuple[Program, ...]
    forward_keep: tuple[Program, ...]
    backward: tuple[Program, ...]
    kept: tuple[int, ...]  # the nodes of the trace that the way there leaves on the tape
    products: tuple[tuple[int, ...], ...]  # the matrices of each stage but the first
    columns: int  # of the tape, those of the slots' gradients first
    left: int  # columns that one program leaves for another of the same way

    @property
    def all(self) -> tuple[Program, ...]:
        """Those of all stages, there and back."""
        return self.forward + self.forward_keep + self.backward


def make_programs(name: str, nodes: Sequence[Node], results: Sequence[int], sizes: Sizes) -> Programs:
    """The programs of a trace.

    Raises:
        ValueError: one of them needs more registers, instructions or columns than the engine has.
    """
    programs = _Maker(nodes, results, sizes).programs()
    _check(name, "values at a time", MOST_REGISTERS, [program.registers for program in programs.all])
    _check(name, "instructions", MOST_INSTRUCTIONS, [len(program.instructions) for program in programs.all])
    _check(name, "columns", MOST_COLUMNS, [programs.columns, programs.left])
    _check(
        name,
        "statistics",
        MOST_STATISTICS,
        [sum(len(one.statistics) for one in programs.forward + programs.backward)],
    )
    return programs


def _check(name: str, what: str, most: int, got: list[int]) -> None:
    if max(got) > most:
        raise ValueError(
            f"cell {name}: expected programs of at most {most} {what}, got {max(got)}; a simpler function needs fewer"
        )


class _Way(NamedTuple):
    programs: tuple[Program, ...]
    columns: dict[int, int]  # by node


class _Maker:
    def __init__(self, nodes: Sequence[Node], results: Sequence[int], sizes: Sizes):
        elementwise = Elementwise.fits(nodes, sizes.h_slots)
        if elementwise:
            nodes, results = in_affine_form(nodes, results)
        self.results, self.sizes, self.forward = results, sizes, len(nodes)
        self.stages = Elementwise(nodes, results) if elementwise else Stages(nodes)
        self.graph = Graph(nodes)
        inputs = differentiate(self.graph, results, self.stages.of_matrix)
        self.outputs = self._there() | self._back(inputs)
        self.times = self.stages.times(self.graph, inputs)
        self.sums = self._sums()
        self.statistics = self._statistics()

    def _computed_again(self, kept: Collection[int]) -> None:
        """Makes what an elementwise cell computes again a part of its way back."""
        nodes = self.graph.nodes
        there = (n for n in self.results if not self.alike[n])
        at_hand = {*kept, *there, *(n for n, node in enumerate(nodes) if node.op in FREE)}
        back = range(self.stages.count, 2 * self.stages.count)
        wanted = [output.node for time in back for output in self.outputs[time]]
        again, place = computed_again(nodes, self.forward, wanted, at_hand)
        self.graph = Graph(again)
        for time in back:
            self.outputs[time] = [output._replace(node=place[output.node]) for output in self.outputs[time]]
        passed = [o for time in back for o in self.outputs[time] if o.op == "store_gradient"]
        self.times = self.stages.times(self.graph, {("state", o.which): o.node for o in passed})

    def _there(self) -> dict[int, list[Output]]:
        """What each program there stores, by time, but for the tape."""
        outputs: dict[int, list[Output]] = {time: [] for time in range(self.stages.count)}
        for stage, row in self.stages.rows.items():
            outputs[stage - 1].append(Output("store_read", stage, row))
        for k, n in enumerate(self.results):
            outputs[self.stages.stored(k)].append(Output("store_state", k, n))
        return outputs

    def _back(self, inputs: Mapping[tuple[str, int], int]) -> dict[int, list[Output]]:
        """What each program back stores, but for what it leaves to others."""
        sizes, zero = self.sizes, self.graph.constant(0.0)
        slots = [Output("store_tape", s, inputs.get(("slot", s), zero)) for s in range(sizes.slots)]
        vectors = [(p, inputs.get(("vector", p))) for p in range(sizes.params)]
        more = [Output("add_vector", p, n) for p, n in vectors if n is not None]
        more += [Output("add_scalar", s, inputs.get(("scalar", s), zero)) for s in range(sizes.scalars)]
        outputs: dict[int, list[Output]] = {
            self.stages.back(stage): [] for stage in reversed(range(self.stages.count))
        }
        outputs[self.stages.back(0)] += slots
        for k in range(sizes.states):
            time = self.stages.passed_on(k)
            if time is not None:
                outputs[time].append(Output("store_gradient", k, inputs.get(("state", k), zero)))
        outputs[self.stages.back(0)] += more
        for column, matrix in enumerate(self.stages.order, sizes.slots):
            time = self.stages.back(self.stages.of_matrix[matrix])
            gradient = inputs.get(("product", matrix), zero)
            outputs[time].append(Output("store_tape", column, gradient))
        return outputs

    def _sums(self) -> dict[int, list[int]]:
        """The nodes of the slots that each program there finds in registers, in the engine's order."""
        leaf = {
            (node.op, node.which): n
            for n, node in enumerate(self.graph.nodes[: self.forward])
            if node.op in ("slot", "product")
        }
        sums: dict[int, list[int]] = {time: [] for time in range(2 * self.stages.count)}
        sums[0] += [leaf["slot", s] for s in range(self.sizes.slots)]
        for matrix in self.stages.order:
            sums[self.stages.of_matrix[matrix]].append(leaf["product", matrix])
        return sums

    def _statistics(self) -> list[int]:
        """The nodes of the statistics that a step needs, in the order in which they are computed."""
        needed: set[int] = set()
        walk = [output.node for outputs in self.outputs.values() for output in outputs]
        while walk:
            n = walk.pop()
            if n not in needed:
                needed.add(n)
                walk += self.graph.nodes[n].args
        found = [n for n in needed if self.graph.nodes[n].op in STATISTICS]
        return sorted(found, key=lambda n: (self.times[n], n))

    def _values(self, statistic: int) -> tuple[int, ...]:
        """What it is of."""
        node = self.graph.nodes[statistic]
        return node.args if node.op == "mean" else node.args[1:]

    def _of_statistics(self, times: Sequence[int]) -> set[int]:
        """What those of these times are of."""
        return {v for n in self.statistics if self.times[n] in times for v in self._values(n)}

    def programs(self) -> Programs:
        """Chooses what is kept and what is left, and where it lies; then the programs follow."""
        count = self.stages.count
        there, back = range(count), range(count, 2 * count)
        slots = self.sizes.slots + self.sizes.matrices
        wanted = [output.node for time in back for output in self.outputs[time]]
        # What statistics are of lies in columns in any case.
        found = {*self.results, *self.stages.rows.values(), *self._of_statistics(there)}
        self.alike = alike(self.graph.nodes)
        found |= {n for n in range(self.forward) if self.alike[n]}
        kept = tape.choose(self.graph, self.forward, found, wanted, slots)
        if isinstance(self.stages, Elementwise):
            self._computed_again(kept)
            self.alike = alike(self.graph.nodes)
        self.of_one = self.stages.of_one(self.alike)
        plain = self._made(there, self._left(there, ()), ())
        left = {*kept, *self._left(there, kept), *self._left(back, kept)}
        both = self._made([*there, *back], left, {*kept, *self._of_statistics(there)})
        return Programs(
            plain.programs,
            both.programs[:count],
            both.programs[: count - 1 : -1],
            tuple(sorted(n for n, column in both.columns.items() if column < MOST_COLUMNS)),
            self.stages.products,
            max([slots, *(1 + c for c in both.columns.values() if c < MOST_COLUMNS)]),
            max([MOST_COLUMNS, *(1 + c for made in (plain, both) for c in made.columns.values())])
            - MOST_COLUMNS,
        )

    def _found(self, time: int) -> dict[int, Found]:
        """What the program of that time can load of what others have stored for good."""
        found = {row: Found("load_read", stage) for stage, row in self.stages.rows.items() if stage <= time}
        if time >= self.stages.count:
            found |= {n: Found("load_after", k) for k, n in enumerate(self.results)}
        found = {
            n: one
            for n, one in found.items()
            if not self.alike[n] and not self.stages.free(self.graph.nodes[n], time)
        }
        numbers = enumerate(self.statistics)
        return found | {n: Found("load_statistic", k) for k, n in numbers if self.times[n] <= time}

    def _left(self, times: Sequence[int], kept: Collection[int]) -> set[int]:
        """What one program leaves for another of the same way, beside what is kept."""

        def at_hand(n: int, time: int) -> bool:
            left = n in kept and self.times[n] < time
            return left or self.stages.free(self.graph.nodes[n], time) or n in self._found(time)

        again = self.forward if times[0] else 0
        of_statistics = self._of_statistics(times)
        cost = lambda n, time: self.stages.cost(self.alike[n], time)  # noqa: E731
        left = Left(self.graph, self.times, at_hand, again, of_statistics, cost)
        for time in reversed(times):  # what one leaves it has to compute, too
            stores = [n for n in (*kept, *left.nodes) if self.times[n] == time]
            left.find([*(output.node for output in self.outputs[time]), *stores], time)
        return left.nodes

    def _made(self, times: Sequence[int], left: Collection[int], kept: Collection[int]) -> _Way:
        """The programs of these times, in their order, and the columns of what they leave.

        Args:
            times: of the programs.
            left: all that one leaves for another.
            kept: what the way back may use of what the way there has left.
        """
        stores = {time: [n for n in sorted(left) if self.times[n] == time] for time in times}
        there = {
            time: {n for n in left if self._reaches(n, time, kept)} - self._found(time).keys()
            for time in times
        }
        loaded: dict[int, int] = {}  # when last
        for time in times:
            outputs = [*self.outputs[time], *(Output("store_tape", 0, n) for n in stores[time])]
            order = Order(self.graph, outputs, {*self.sums[time], *there[time]}, self._found(time))
            loaded |= dict.fromkeys(order.needed() & there[time], time)
        last = dict(loaded)
        for n in self.statistics:  # other threads may still read what it is of while the next program runs
            if self.times[n] in times:
                last |= {v: max(last.get(v, 0), self.times[n] + 1) for v in self._values(n)}
        gradients = {
            output.which: time for time in times for output in self.outputs[time] if output.op == "store_tape"
        }
        last |= self.stages.held(self.of_one & last.keys(), self.forward)
        spans = [Span(self.times[n], end, n) for n, end in last.items()]
        across = [s for s in spans if s.begin < self.stages.count <= loaded.get(s.node, 0)]
        within = [span for span in spans if span not in across]
        columns = columns_of(across, gradients) | columns_of(within, {}, MOST_COLUMNS)
        programs = []
        for time in times:
            places = [(n, *place_of(columns[n])) for n in stores[time] if n in columns]
            program = emit(
                self.graph,
                self.outputs[time]
                + [Output(f"store_{where}", index, n, n in self.of_one) for n, where, index in places],
                self.sums[time],
                {n: columns[n] for n in there[time] if n in columns},
                self._found(time),
                self.of_one,
            )
            programs.append(program._replace(statistics=self._before(time, columns)))
        return _Way(tuple(programs), columns)

    def _reaches(self, n: int, time: int, kept: Collection[int]) -> bool:
        """Whether the program of that time may load a node that is left."""
        return self.times[n] < time and (time < self.stages.count or n >= self.forward or n in kept)

    def _before(self, time: int, columns: Mapping[int, int]) -> tuple[Statistic, ...]:
        """The statistics that come before the program of that time."""
        found = []
        for to, n in enumerate(self.statistics):
            if self.times[n] == time:
                node = self.graph.nodes[n]
                mean = None if node.op == "mean" else self.statistics.index(node.args[0])
                epsilon = node.number if node.op == "inverse_deviation" else None
                found.append(Statistic(mean, to, tuple(columns[v] for v in self._values(n)), epsilon))
        return tuple(found)
