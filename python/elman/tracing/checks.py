"""Refusals of a cell that the engine cannot run, and of data that is none."""

from __future__ import annotations

import keyword
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._check import describe
from .operations import (
    LARGEST,
    LEAVES,
    MOST_NODES,
    MOST_PARAMS,
    MOST_RANDOM,
    MOST_SCALARS,
    MOST_SLOTS,
    MOST_STAGES,
    MOST_STATES,
    OPERATIONS,
    STATISTICS,
    Node,
)
from .stages import Stages

FEEDS = ("x", "xh", "h")
Start = float | tuple[float, float] | None


def identifier(what: str, name: Any) -> str:
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"{what}: expected a name, as Python's identifiers are, got {describe(name)}")
    return name


def finite(what: str, number: Any) -> float:
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise ValueError(f"{what}: expected a number, got {describe(number)}")
    if not abs(number) <= LARGEST:
        raise ValueError(
            f"{what}: expected a finite number, got {describe(number)}; float32 holds up to 3.4e38"
        )
    return float(number)


def start(what: str, given: Any) -> Start:
    """A param's: a number, the two ends that it is drawn between, or None, which leaves it to the layer."""
    if given is None:
        return None
    if not isinstance(given, (list, tuple)):
        return finite(what, given)
    if len(given) != 2:
        raise ValueError(f"{what}: expected a number or a pair (low, high), got {len(given)} numbers")
    low, high = (finite(what, number) for number in given)
    if low > high:
        raise ValueError(f"{what}: expected (low, high), got ({low}, {high})")
    return low, high


def feed(slot: str, given: Any) -> str:
    if not isinstance(given, str) or given not in FEEDS:
        raise ValueError(f"slots: expected {slot} to be fed by 'x', 'xh' or 'h', got {describe(given)}")
    return given


def fed(slots: Mapping[str, str]) -> None:
    """Some slot must read x, or the layer would not."""
    if not any("x" in given for given in slots.values()):
        raise ValueError("slots: expected at least one that is fed by x, got none")


def names(
    slots: Sequence[str],
    states: Sequence[str],
    params: Sequence[str],
    scalars: Sequence[str],
    matrices: Sequence[str],
) -> None:
    """How many there are of each, that they are identifiers, and that no two are alike."""
    seen: dict[str, str] = {}
    for what, given, least, most in (
        ("slots", slots, 1, MOST_SLOTS),
        ("states", states, 1, MOST_STATES),
        ("params", params, 0, MOST_PARAMS),
        ("scalars", scalars, 0, MOST_SCALARS),
        ("matrices", matrices, 0, MOST_SLOTS - len(slots)),
    ):
        if not least <= len(given) <= most:
            raise ValueError(f"{what}: expected {least} to {most}, got {len(given)}")
        for name in given:
            identifier(what, name)
            if name in seen:
                raise ValueError(
                    f"{what}: expected a name of its own for each, got {name} in {seen[name]}, too"
                )
            seen[name] = what


def bias(slots: Sequence[str], given: Mapping[str, float]) -> None:
    for name in given:
        if name not in slots:
            raise ValueError(f"bias: expected slots of the cell ({', '.join(slots)}), got {describe(name)}")


def trace(nodes: Sequence[Node], results: Sequence[int], sizes: dict[str, list[str]]) -> None:
    """That it is a program: every node reads nodes before it, and all that the cell is given is read.

    Args:
        nodes: of the trace.
        results: the nodes of the new states.
        sizes: the names of each kind of input.
    """
    if len(nodes) > MOST_NODES:
        raise ValueError(f"nodes: expected at most {MOST_NODES}, got {len(nodes)}")
    seen = set()
    for n, node in enumerate(nodes):
        _node(f"node {n}", n, node, nodes, sizes)
        same = node.op, node.args, node.number.hex()
        if same in seen:
            raise ValueError(
                f"node {n}: expected one that is not there yet, got a second {node.op} of the same"
            )
        seen.add(same)
    if len(results) != len(sizes["state"]):
        raise ValueError(f"results: expected one for each state, {len(sizes['state'])}, got {len(results)}")
    for n in results:
        if not 0 <= n < len(nodes):
            raise ValueError(f"results: expected numbers of nodes, 0 to {len(nodes) - 1}, got {n}")
        if nodes[n].op == "random":
            raise ValueError("results: expected values, got a random number, which only chance reads")
    for word, name in unused(nodes, results, sizes):
        raise ValueError(f"nodes: expected the results to need {word} {name}")
    _products(nodes, sizes["matrix"])
    drawn = sorted(node.number for node in nodes if node.op == "random")
    if drawn != list(range(len(drawn))):
        raise ValueError(f"nodes: expected random leaves with the numbers 0 to {len(drawn) - 1}, got {drawn}")


def _products(nodes: Sequence[Node], matrices: Sequence[str]) -> None:
    """Each matrix has one product, and there are not too many stages."""
    products = [node for node in nodes if node.op == "product"]
    if len(products) > len(matrices):
        raise ValueError(f"nodes: expected one product of each matrix, {len(matrices)}, got {len(products)}")
    stages = Stages(nodes).count
    if stages > MOST_STAGES:
        raise ValueError(
            f"nodes: expected at most {MOST_STAGES} stages, one more than there are products and statistics one "
            f"after another, got {stages}"
        )


def _node(what: str, n: int, node: Node, nodes: Sequence[Node], sizes: dict[str, list[str]]) -> None:
    if node.op in LEAVES:
        arity = 0
    elif node.op in OPERATIONS:
        arity = OPERATIONS[node.op].arity
    else:
        raise ValueError(
            f"{what}: expected an operation ({', '.join([*LEAVES, *OPERATIONS])}), got {node.op!r}"
        )
    most = arity + MOST_SLOTS - 1 if node.op in STATISTICS else arity
    if not arity <= len(node.args) <= most:
        count = arity if most == arity else f"{arity} to {most}"
        raise ValueError(f"{what}: expected {count} arguments of {node.op}, got {len(node.args)}")
    for a in node.args:
        if not 0 <= a < n:
            raise ValueError(f"{what}: expected arguments that stand before it, got {a}")
    if node.op in STATISTICS and node.op != "mean" and nodes[node.args[0]] != Node("mean", node.args[1:]):
        raise ValueError(f"{what}: expected the mean of its values as the first argument of {node.op}")
    if node.op == "inverse_deviation" and not node.number > 0:
        raise ValueError(f"{what}: expected a number above 0 of inverse_deviation, got {node.number}")
    kind = "matrix" if node.op == "product" else node.op
    if kind in sizes:
        most = len(sizes[kind]) - 1
        if node.number not in range(most + 1):
            raise ValueError(f"{what}: expected the number of a {kind}, 0 to {most}, got {node.number}")
    elif node.op == "random":
        if node.number not in range(MOST_RANDOM):
            raise ValueError(
                f"{what}: expected the number of a random leaf, 0 to {MOST_RANDOM - 1}, got {node.number}"
            )
    elif node.op != "constant" and node.number and not OPERATIONS[node.op].numbered:
        raise ValueError(f"{what}: expected no number of {node.op}, got {node.number}")
    drawn = [nodes[a].op == "random" for a in node.args]
    if any(drawn) != (node.op == "chance") or (node.op == "chance" and not drawn[0]):
        raise ValueError(f"{what}: expected random numbers as the arguments of chance alone, got {node.op}")
    if node.op == "chance" and not 0 <= node.number <= 1:
        raise ValueError(f"{what}: expected a chance of 0 to 1, got {node.number}")
    if node.op != "constant" and (not node.args or kind == "matrix") and math.copysign(1, node.number) < 0:
        raise ValueError(f"{what}: expected the number of a {node.op}, got {node.number}")
    if node.op == "spike":
        fixed = [(nodes[a].op, nodes[a].number) for a in node.args[1:]]
        if fixed != [("constant", 0), ("constant", 1), ("constant", 0)]:
            raise ValueError(f"{what}: expected the constants 0, 1 and 0 behind the first argument of spike")
        if node.number < 0:
            raise ValueError(f"{what}: expected a slope of at least 0, got {node.number}")


def unused(
    nodes: Sequence[Node], results: Sequence[int], sizes: dict[str, list[str]]
) -> Iterator[tuple[str, str]]:
    """What no result needs, but for states: a cell may forget one."""
    needed = set(results)
    for n in reversed(range(len(nodes))):
        if n in needed:
            needed.update(nodes[n].args)
    found = {(nodes[n].op, nodes[n].number) for n in needed}
    for kind, op, word in (
        ("slot", "slot", "slot"),
        ("vector", "vector", "param"),
        ("scalar", "scalar", "scalar"),
        ("matrix", "product", "matrix"),
    ):
        for i, name in enumerate(sizes[kind]):
            if (op, i) not in found:
                yield word, name
