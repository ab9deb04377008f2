"""What is alike in all rows, since it follows from params, and in all units, since it follows from scalars or from
statistics of a row. A program that runs over many rows and units computes it once for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .operations import STATISTICS, Node

IN_ROWS, IN_UNITS = 1, 2  # numbers are alike in both, 3

_OF_LEAVES = {"constant": IN_ROWS | IN_UNITS, "vector": IN_ROWS, "scalar": IN_UNITS, "statistic": IN_UNITS}


def alike_of(op: str, args: Iterable[int]) -> int:
    """What a value is alike in.

    Args:
        op: of it; of a leaf what it is, of what is loaded from a column anything else.
        args: what its arguments are alike in.
    """
    alike, leaf = IN_ROWS | IN_UNITS, True
    for one in args:
        alike, leaf = alike & one, False
    return _OF_LEAVES.get(op, 0) if leaf else alike


def alike(nodes: Sequence[Node]) -> list[int]:
    """What each node is alike in."""
    found: list[int] = []
    for node in nodes:
        if node.op in STATISTICS:
            found.append(IN_UNITS)
        elif node.op == "product":
            found.append(0)
        else:
            found.append(alike_of(node.op, (found[a] for a in node.args)))
    return found
