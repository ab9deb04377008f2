"""Recurrences that are affine in their states, as s' = a s + b: written so, a step of them is one instruction.

A function may say the same in other words, as f (h - n) + n. Here it becomes f h + (n - f n), whose factors need no
state, so that they are computed for many steps at once. Of at most two states each may read both, as the real and the
imaginary part of one number do.

Where rounding would be another thing it stays as it is: h + z (n - h), since 1 - z would lose what a small z says;
f (h - n) to which n is not added, as the difference may be much smaller than both; and products of factors that the
function keeps apart, which may be larger than a number can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .graph import Graph, pruned
from .operations import Node

_MOST = 2  # states


class _Sum(NamedTuple):
    """constant + the sum of factor * state; None: there is no constant, or the factor is 1."""

    constant: int | None
    factors: dict[int, int | None]  # by the state's number
    owed: int | None = None  # what is still to be added: of f (h - n), which is f h - f n here, the n


def in_affine_form(nodes: Sequence[Node], results: Sequence[int]) -> tuple[list[Node], list[int]]:
    """The trace of an elementwise cell, in which the new values of the states that a step reads are such sums, if all
    of them can be.

    Args:
        nodes: of the trace.
        results: of the new states.

    Returns:
        Nodes and results; those that were given if it is not so.
    """
    carried = sorted({node.which for node in nodes if node.op == "state"})
    graph = Graph(nodes)
    sums = _sums(graph)
    made = list(results)
    for k in carried:
        one = sums[results[k]]
        if one is None or len(carried) > _MOST or one.constant is None or [*sorted(one.factors)] != carried:
            return list(nodes), list(results)
        if one.owed is not None:
            return list(nodes), list(results)
        total = one.constant
        for j, factor in reversed(sorted(one.factors.items())):
            if factor is None or graph.value(factor) is not None:
                return list(nodes), list(results)
            state = graph.find("state", j)
            assert state is not None
            total = graph.node("fma", factor, state, total)
        made[k] = total
    return pruned(graph.nodes, made)


def _sums(graph: Graph) -> list[_Sum | None]:
    """Each node of the trace as such a sum; None for what is none."""
    sums: list[_Sum | None] = []
    for n, node in enumerate(list(graph.nodes)):
        parts = [sums[a] for a in node.args]
        if node.op == "state":
            sums.append(_Sum(None, {node.which: None}))
        elif all(part is not None and not part.factors for part in parts):
            sums.append(_Sum(n, {}))
        elif any(part is None for part in parts):
            sums.append(None)
        else:
            sums.append(_of(graph, node, [part for part in parts if part is not None]))
    return sums


def _of(graph: Graph, node: Node, parts: list[_Sum]) -> _Sum | None:
    """What an operation makes of such sums, at least one of which has a state."""
    number = _Sum(graph.constant(node.number), {})
    match node.op:
        case "add":
            return _added(graph, parts[0], parts[1])
        case "sub":
            return _added(graph, parts[0], _negated(graph, parts[1]))
        case "add_number":
            return _added(graph, parts[0], number)
        case "from_number":
            return _added(graph, number, _negated(graph, parts[0]))
        case "mul":
            return _multiplied(graph, parts[0], parts[1])
        case "mul_number":
            return _multiplied(graph, parts[0], number)
        case "fma" | "fnma":
            product = _multiplied(graph, parts[0], parts[1])
            if product is None:
                return None
            return _added(graph, parts[2], product if node.op == "fma" else _negated(graph, product))
    return None


def _added(graph: Graph, a: _Sum, b: _Sum) -> _Sum | None:
    if a.factors.keys() & b.factors.keys():  # as h - z h
        return None
    constant = a.constant if b.constant is None else b.constant
    if a.constant is not None and b.constant is not None:
        constant = graph.add(a.constant, b.constant)
    owed = [
        one.owed for one, other in ((a, b), (b, a)) if one.owed is not None and other != _Sum(one.owed, {})
    ]
    if len(owed) > 1:
        return None
    return _Sum(constant, {**a.factors, **b.factors}, *owed)


def _multiplied(graph: Graph, a: _Sum, b: _Sum) -> _Sum | None:
    """Where one of them has no state, and the states of the other no factor that is more than a number, nor anything
    that is still to be added."""
    if b.factors:
        a, b = b, a
    by = b.constant
    if b.factors or by is None:
        return None
    number = graph.value(by) is not None
    if not number and (a.owed is not None or not all(factor is None for factor in a.factors.values())):
        return None
    owed = a.owed if number or a.constant is None or not a.factors else graph.negate(a.constant)
    if number and owed is not None:
        owed = graph.mul(owed, by)
    factors: dict[int, int | None]
    factors = {state: by if factor is None else graph.mul(factor, by) for state, factor in a.factors.items()}
    return _Sum(None if a.constant is None else graph.mul(a.constant, by), factors, owed)


def _negated(graph: Graph, a: _Sum) -> _Sum:
    product = _multiplied(graph, a, _Sum(graph.constant(-1.0), {}))
    assert product is not None
    return product
