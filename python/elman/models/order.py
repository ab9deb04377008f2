"""How the nodes of a graph hang together: which come first, and what the nodes say of the inputs."""

from __future__ import annotations

import itertools

from ..data import Vocabulary
from ..layers import Parameters
from ..layers.cells import Recurrent
from ..layers.pooling import pools
from .network import without_scalars
from .nodes import Input, Node, Through


def in_order(ends: list[Node]) -> list[Node]:
    """All nodes that these need, sources first."""
    found: dict[int, Node] = {}
    waiting = list(reversed(ends))
    while waiting:
        node = waiting[-1]
        missing = [source for source in reversed(node.sources) if id(source) not in found]
        if missing:
            waiting += missing
        else:
            found.setdefault(id(waiting.pop()), node)
    return list(found.values())


def tokens_of(name: str, order: list[Node]) -> int | None:
    """How many tokens an input may be of; None if it is numbers. Two inputs of one name are one input."""
    readers = [
        reader.tokens if isinstance(reader, Through) else None
        for reader in order
        for source in reader.sources
        if isinstance(source, Input) and source.name == name
    ]
    counts = [count for count in readers if count is not None]
    if counts and len(counts) < len(readers):
        raise ValueError(f"outputs: expected the input {name!r} to be tokens or numbers, got readers of both")
    return min(counts, default=None)


def vocabulary_of(name: str, order: list[Node], tokens: int | None) -> Vocabulary | None:
    """What makes tokens of an input, of which there are so many."""
    nodes = [node for node in order if isinstance(node, Input) and node.name == name]
    found = [node.vocabulary for node in nodes if node.vocabulary is not None]
    if not found:
        return None
    if any(one != found[0] for one in found):
        raise ValueError(f"outputs: expected one vocabulary of the input {name!r}, got several")
    if tokens is None or tokens < len(found[0]):
        got = "none" if tokens is None else f"one of {tokens}"
        raise ValueError(
            f"outputs: expected the input {name!r} to be read by an Embedding of its vocabulary's {len(found[0])} "
            f"tokens, got {got}"
        )
    return found[0]


def pace_of(node: Node) -> Input:
    """The input whose steps a node has, if it has steps."""
    while node.sources:
        node = node.sources[node.paced_by]
    assert isinstance(node, Input)
    return node


def _is_pooled(node: Node) -> bool:
    while node.sources:
        if isinstance(node, Through) and pools(node.layer):
            return True
        node = node.sources[node.paced_by]
    return False


def beside(node: Node) -> list[str]:
    """The inputs whose steps a node brings together, if its sources have steps: those must be the same."""
    if node.paced_by or any(map(_is_pooled, node.sources)):
        return []
    return list(dict.fromkeys(pace_of(source).name for source in node.sources))


def names_of(order: list[Node]) -> tuple[dict[str, Parameters], dict[int, str]]:
    """Each layer by its name, the one of `through` or one that tells its class; and the names of the nodes' layers by
    the nodes' places in the order.

    Raises:
        ValueError: a name is of two layers, or has a dot; or a layer's cell has scalars.
    """
    parts: dict[str, Parameters] = {}
    part_of: dict[int, str] = {}
    through = {i: node for i, node in enumerate(order) if isinstance(node, Through)}
    named = [(id(node.layer), node.name) for node in through.values() if node.name is not None]
    names = dict(reversed(named))  # the first of a layer counts
    given = set(names.values())
    for i, node in through.items():
        kind = type(node.layer).__name__.lower()
        free = (kind if n == 1 else f"{kind}_{n}" for n in itertools.count(1))
        if id(node.layer) not in names:
            names[id(node.layer)] = next(name for name in free if name not in {*given, *parts})
        name = part_of[i] = names[id(node.layer)]
        if parts.setdefault(name, node.layer) is not node.layer or "." in name:
            raise ValueError(f"named: expected a name for one layer, without dots, got {name!r}")
        if isinstance(node.layer, Recurrent):
            without_scalars(name, node.layer.cell)
    return parts, part_of
