"""What the programs of an elementwise cell compute when: no product reads a state, so a unit needs no other one.

Its step has three parts: what needs no state, the recurrence itself, and what no later step needs. The engine runs the
first and the last part for many steps at once, and the way back has the same parts, from the last to the first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from .graph import Graph
from .operations import FREE, STATISTICS, Node
from .units import IN_ROWS

_AHEAD, _LOOP, _AFTER, _COUNT = 0, 1, 2, 3
_IN_LOOP = 100  # more than any node costs


class Elementwise:
    """The parts of a step, in the words of `Stages`.

    Attributes:
        carried: the states that a step reads; what becomes of the others is known after the recurrence.
        count: of the parts.
    """

    rows: Mapping[int, int] = {}
    of_matrix: Mapping[int, int] = {}
    order: Sequence[int] = ()
    products: tuple[tuple[int, ...], ...] = ()
    count = _COUNT

    def __init__(self, nodes: Sequence[Node], results: Sequence[int]):
        self.carried = _states(nodes)
        reads = _reach(nodes, {n for n, node in enumerate(nodes) if node.op == "state"})
        loop = _needs(nodes, [results[k] for k in self.carried])
        loop |= {n for n, node in enumerate(nodes) if node.op == "state"}
        self._there = [
            _AHEAD if n not in reads else _LOOP if n in loop else _AFTER for n in range(len(nodes))
        ]

    @staticmethod
    def fits(nodes: Sequence[Node], h_slots: int) -> bool:
        """Whether a cell is one, and reads a state at all."""
        products = h_slots or any(node.op in ("product", *STATISTICS) for node in nodes)
        return not products and bool(_states(nodes))

    def back(self, stage: int) -> int:
        """The time of a part on the way back."""
        return 2 * self.count - 1 - stage

    def stored(self, state: int) -> int:
        """When the new state is there."""
        return _LOOP if state in self.carried else _AFTER

    def passed_on(self, state: int) -> int | None:
        """When the gradient of the state before the step is; of a state that nothing reads it is 0."""
        return self.back(_LOOP) if state in self.carried else None

    def free(self, node: Node, time: int) -> bool:
        """Whether a node can be had at that time without a column. States lie where the step before has left them,
        which on the way there has just run; gradients of those that are carried lie in the place of the next one's."""
        if node.op == "state":
            return time == _LOOP or time >= self.count
        if node.op == "gradient" and node.which in self.carried:
            return time == self.back(_LOOP)
        return node.op in FREE

    def cost(self, alike: int, time: int) -> int | None:
        """Of what is not counted as it is: values of one row are nothing beside those of many, and the recurrence goes
        step by step, so that it computes nothing which could have been there before it."""
        if time in (_LOOP, self.back(_LOOP)):
            return _IN_LOOP
        return 0 if alike else None

    def of_one(self, alike: Sequence[int]) -> set[int]:
        """What lies in a column of one row."""
        return {n for n, one in enumerate(alike) if one == IN_ROWS}

    def held(self, nodes: Collection[int], forward: int) -> dict[int, int]:
        """Of what is left for one row, the end of its way: a column of it is never one of all rows."""
        return {n: self.count * (1 + (n >= forward)) - 1 for n in nodes}

    def times(self, graph: Graph, gradients: Mapping[tuple[str, int], int]) -> list[int]:
        """When each node is first there to be computed.

        Args:
            graph: of the way there and back.
            gradients: of the inputs, by what they are of.
        """
        first, nodes = len(self._there), graph.nodes
        carried = {n for n, node in enumerate(nodes) if node.op == "gradient" and node.which in self.carried}
        reads = _reach(nodes, carried)
        loop = _needs(nodes, [n for (of, k), n in gradients.items() if of == "state" and k in self.carried])
        loop |= carried
        times = list(self._there)
        for n in range(first, len(nodes)):
            part = _AFTER if n not in reads else _LOOP if n in loop else _AHEAD
            times.append(self.back(part))
        return times


def computed_again(
    nodes: Sequence[Node], forward: int, wanted: Collection[int], at_hand: Collection[int]
) -> tuple[list[Node], list[int]]:
    """The nodes with copies of those of the way there that the way back computes again: these are its own, so that its
    first part can leave them for the others.

    Args:
        nodes: of the way there and back.
        forward: how many the way there has.
        wanted: what the way back computes.
        at_hand: of the way there.

    Returns:
        The nodes, and where the way back finds each old one.
    """
    needed, walk = set[int](), list(wanted)
    while walk:
        n = walk.pop()
        if n not in needed and n not in at_hand:
            needed.add(n)
            walk += nodes[n].args
    again = sorted(n for n in needed if n < forward)
    place = list(range(forward)) + [n + len(again) for n in range(forward, len(nodes))]
    for k, n in enumerate(again, forward):
        place[n] = k
    moved = lambda n: nodes[n]._replace(args=tuple(place[a] for a in nodes[n].args))  # noqa: E731
    return [*nodes[:forward], *map(moved, again), *map(moved, range(forward, len(nodes)))], place


def _states(nodes: Sequence[Node]) -> set[int]:
    return {node.which for node in nodes if node.op == "state"}


def _reach(nodes: Sequence[Node], of: Collection[int]) -> set[int]:
    """These nodes and all that are computed from them."""
    found = set(of)
    for n, node in enumerate(nodes):
        if not found.isdisjoint(node.args):
            found.add(n)
    return found


def _needs(nodes: Sequence[Node], of: Collection[int]) -> set[int]:
    """These nodes and all that they are computed from."""
    found = set(of)
    for n in reversed(range(len(nodes))):
        if n in found:
            found.update(nodes[n].args)
    return found
