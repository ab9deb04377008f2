"""What a forward pass keeps: the values from which the way back is computed with the least work."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .graph import Graph
from .operations import FREE, OPERATIONS, Node

# What cannot be computed again.
_SUMS = ("slot", "product")
# Ways that are looked at, at all nodes together.
_WIDTH = 30_000

# What is needed and not yet decided, as bits, and how many values are kept: the least cost of that, and which they are.
_Ways = dict[tuple[int, int], tuple[int, tuple[int, ...]]]


def choose(
    graph: Graph, forward: int, results: Collection[int], outputs: Sequence[int], most: int
) -> list[int]:
    """The nodes to keep.

    From the last node of the way there to the first, each that is needed is either kept or computed again, which
    needs its arguments. All ways are followed while they are few; then only the cheapest so far. Keeping the slots
    is always one.

    Args:
        graph: of the way there and back.
        forward: how many nodes the way there has; they stand first.
        results: the new states, the rows of stages and what statistics are of, which are at hand on the way back.
        outputs: what the way back computes.
        most: how many nodes may be kept; at least as many as there are slots and products.
    """
    slots = [n for n in range(forward) if graph.nodes[n].op in _SUMS and n not in results]
    slot_bits = _bits(graph, slots)
    ways: _Ways = {(_frontier(graph, forward, outputs), 0): (0, ())}
    for n in reversed(range(forward)):
        further: _Ways = {}
        for (needed, _), (cost, kept) in ways.items():
            for key, way in _steps(graph, n, results, needed, cost, kept):
                fits = key[1] + (key[0] & slot_bits).bit_count() <= most
                if fits and (key not in further or way < further[key]):
                    further[key] = way
        ways = further
        width = max(_WIDTH // forward, 16)
        if len(ways) > width:
            ways = dict(sorted(ways.items(), key=lambda item: item[1])[:width])
    # Of equally cheap ones that with the fewest columns.
    best = min(ways.items(), key=lambda item: (item[1][0], item[0][1]), default=None)
    return sorted(best[1][1]) if best else slots


def _steps(
    graph: Graph, n: int, results: Collection[int], needed: int, cost: int, kept: tuple[int, ...]
) -> list[tuple[tuple[int, int], tuple[int, tuple[int, ...]]]]:
    """What may be done about node n: nothing, if nothing needs it or it is at hand."""
    node, bit = graph.nodes[n], 1 << n
    if not needed & bit:
        return [((needed, len(kept)), (cost, kept))]
    needed &= ~bit
    if n in results:
        return [((needed, len(kept)), (cost + 1, kept))]
    keep = (needed, len(kept) + 1), (cost + 1, (*kept, n))
    if node.op in _SUMS:
        return [keep]
    again = (needed | _bits(graph, node.args), len(kept)), (cost + _cost(node), kept)
    return [keep, again]


def _cost(node: Node) -> int:
    return OPERATIONS[node.op].cost


def _bits(graph: Graph, nodes: Sequence[int]) -> int:
    """Those of the nodes that are not at hand."""
    return sum(1 << n for n in set(nodes) if graph.nodes[n].op not in FREE)


def _frontier(graph: Graph, forward: int, outputs: Sequence[int]) -> int:
    """The nodes of the way there that the way back reads, as bits."""
    seen, left, found = set(outputs), list(outputs), 0
    while left:
        n = left.pop()
        if n < forward:
            found |= _bits(graph, [n])
            continue
        new = set(graph.nodes[n].args) - seen
        seen |= new
        left += new
    return found
