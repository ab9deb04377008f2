"""What each program of a cell computes when, and what one leaves for another, in columns.

A step of S stages has a program for each: there they have the times 0 to S - 1; back, from the last stage to the first,
S to 2 S - 1. Before each but the first of both ways come the product of a row and statistics of columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from .graph import Graph
from .operations import FREE, KNOWN, Node

# What takes less work than this is computed again by a later program, else it is left for it.
_CHEAP = 3


class Stages:
    """The stages of a trace: the first has the products of x and h, each other one those of at most one row.

    Attributes:
        rows: the row of each stage that has one.
        of_matrix: the stage of each matrix.
        count: S.
    """

    def __init__(self, nodes: Sequence[Node]):
        self.rows: dict[int, int] = {}
        self.of_matrix: dict[int, int] = {}
        self._there: list[int] = []
        for node in nodes:
            self._there.append(self._stage(node))
        self.count = max(self._there, default=0) + 1

    def _stage(self, node: Node) -> int:
        last = max((self._there[a] for a in node.args), default=0)
        if node.op == "mean":
            return last + 1
        if node.op == "product":
            (row,) = node.args
            last += 1
            while self.rows.get(last, row) != row:
                last += 1
            self.rows[last] = row
            self.of_matrix[node.which] = last
        return last  # of a variance that of its mean

    @property
    def order(self) -> list[int]:
        """The matrices as the engine has their slots: by stage."""
        return sorted(self.of_matrix, key=lambda matrix: (self.of_matrix[matrix], matrix))

    @property
    def products(self) -> tuple[tuple[int, ...], ...]:
        """The matrices of each stage but the first."""
        return tuple(
            tuple(m for m in self.order if self.of_matrix[m] == stage) for stage in range(1, self.count)
        )

    def back(self, stage: int) -> int:
        """The time of a stage's program on the way back."""
        return 2 * self.count - 1 - stage

    def stored(self, state: int) -> int:
        """When the new state is there."""
        return self.count - 1

    def passed_on(self, state: int) -> int | None:
        """When the gradient of the state before the step is."""
        return self.back(0)

    def free(self, node: Node, time: int) -> bool:
        """Whether a node can be had at that time without a column."""
        return node.op in FREE

    def cost(self, alike: int, time: int) -> int | None:
        """Of what is not counted as it is: values of one row, or of one unit, are nothing beside those of all."""
        return 0 if alike else None

    def of_one(self, alike: Sequence[int]) -> set[int]:
        """What lies in a column of one row: nothing."""
        return set()

    def held(self, nodes: Collection[int], forward: int) -> dict[int, int]:
        """Until when nodes of one row lie in their columns."""
        return {}

    def times(self, graph: Graph, gradients: Mapping[tuple[str, int], int]) -> list[int]:
        """When each node is first there to be computed, or with what comes before that program."""
        times = list(self._there)
        for node in graph.nodes[len(times) :]:
            time = max([times[a] for a in node.args] + [self.count])
            if node.op == "passed":
                time = self.back(node.which) + 1
            times.append(time + 1 if node.op == "mean" else time)
        return times


class Left:
    """The nodes that programs leave in columns, found from what later ones need.

    Args:
        graph: of the way there and back.
        times: of its nodes.
        at_hand: whether a node can be loaded from elsewhere, at a time.
        again: up to this node all is computed again rather than left; those that are kept are at hand.
        nodes: those that are left in any case.
        cost: of a node at a time, with all that leads to it; None where it is that of its operation.

    Sums of slots, and what else has no operation and is not at hand, cannot be computed again.
    """

    def __init__(
        self,
        graph: Graph,
        times: Sequence[int],
        at_hand: Callable[[int, int], bool],
        again: int,
        nodes: Collection[int],
        cost: Callable[[int, int], int | None],
    ):
        self.nodes = set(nodes)
        self._graph, self._times, self._at_hand, self._again = graph, times, at_hand, again
        self._own_cost = cost

    def find(self, stored: Sequence[int], time: int) -> None:
        """Adds what the program of that time needs of earlier ones to store these nodes."""
        seen: set[int] = set()
        walk = list(stored)
        needed = []
        while walk:
            n = walk.pop()
            if n in seen or self._there(n, time):
                continue
            seen.add(n)
            if self._times[n] < time and n >= self._again:
                needed.append(n)
            elif self._graph.nodes[n].op != "product":
                walk += self._graph.nodes[n].args
        for n in sorted(needed):
            if self._cost(n, time) > _CHEAP:
                self.nodes.add(n)

    def _there(self, n: int, time: int) -> bool:
        return (n in self.nodes and self._times[n] < time) or self._at_hand(n, time)

    def _cost(self, n: int, time: int) -> float:
        """Of computing it again from what is there; it stops where that is too much."""
        node = self._graph.nodes[n]
        if self._there(n, time):
            return 0
        if node.op == "product" or node.op not in KNOWN:
            return math.inf
        own = self._own_cost(n, time)
        if own is not None:
            return own
        cost: float = KNOWN[node.op].cost
        for a in node.args:
            if cost <= _CHEAP:
                cost += self._cost(a, time)
        return cost


class Span(NamedTuple):
    """From when to when a node lies in its column."""

    begin: int
    end: int
    node: int


def columns_of(spans: Collection[Span], gradients: Mapping[int, int], first: int = 0) -> dict[int, int]:
    """A column for each node. What a program stores may take the place of what it loads.

    Args:
        spans: of the nodes.
        gradients: by column, from when on it holds the gradient of a slot.
        first: the first column.
    """
    taken: dict[int, list[Span]] = {}
    found: dict[int, int] = {}
    for span in sorted(spans):
        column = first
        while span.end > gradients.get(column, span.end) or any(
            span.begin < other.end or span.begin == other.begin for other in taken.get(column, ())
        ):
            column += 1
        taken.setdefault(column, []).append(span)
        found[span.node] = column
    return found
