"""What is the same for all rows: values of params and numbers alone. A program that runs over many rows at once
computes them for one, and `spread` gives them to all."""

from __future__ import annotations

from collections.abc import Sequence

from .operations import Node


def of_units(nodes: Sequence[Node]) -> list[bool]:
    """Whether each node is the same for all rows, and not just a number."""
    found: list[bool] = []
    for node in nodes:
        fixed = [found[a] or nodes[a].op == "constant" for a in node.args]
        found.append(
            node.op in ("vector", "number")
            or (node.op != "spread" and all(fixed) and any(found[a] for a in node.args))
        )
    return found


def with_spread(nodes: Sequence[Node], forward: int) -> tuple[list[Node], list[int], int]:
    """The nodes with one that spreads wherever a value of one row meets others.

    Args:
        nodes: of the way there and back.
        forward: how many the way there has.

    Returns:
        The nodes; the place of each old one, spread where it is of units; how many the way there has now.
    """
    of_one, made = of_units(nodes), list[Node]()
    whole: list[int] = []  # where each old node now is, for all rows
    one: dict[int, int] = {}  # and for one of them
    ahead = forward

    def add(node: Node) -> int:
        made.append(node)
        return len(made) - 1

    for n, node in enumerate(nodes):
        if n == forward:
            ahead = len(made)
        if of_one[n]:
            args = tuple(one[a] if a in one else one.setdefault(a, add(_number(nodes[a]))) for a in node.args)
            one[n] = add(node._replace(args=args))
            whole.append(add(Node("spread", (one[n],))))
        else:
            whole.append(add(node._replace(args=tuple(whole[a] for a in node.args))))
    return made, whole, ahead


def _number(node: Node) -> Node:
    """A number for one row."""
    return Node("number", (), node.number)
