"""Nodes of a graph that bring several values together."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..layers import DotAttention
from ..sequence.marks import chosen, known_steps
from .nodes import Back, Node, Value, expect_beside


class Concatenation(Node):
    """The features of several values side by side."""

    def run(self, values: list[Value], layer: Any, keep: bool, need_dx: bool) -> tuple[Value, Back]:
        expect_beside(values, "one shape but for their features", lambda value: value.array.shape[:-1])
        joined = np.concatenate([value.array for value in values], axis=-1)
        ends = np.cumsum([value.array.shape[-1] for value in values])[:-1]
        return values[0]._replace(array=joined), lambda d: [
            np.ascontiguousarray(part) for part in np.split(d, ends, axis=-1)
        ]


class Attention(Node):
    """What each step of a sequence, the query, finds in another one, the memory, by dot products."""

    def __init__(self, query: Node, memory: Node, scaled: bool):
        super().__init__(query, memory)
        self.layer = DotAttention(scaled)

    def facts(self) -> dict[str, Any]:
        return {"scaled": self.layer.scaled}

    def run(self, values: list[Value], layer: Any, keep: bool, need_dx: bool) -> tuple[Value, Back]:
        query, memory = values
        if not query.steps or not memory.steps:
            raise ValueError("expected two sequences for each sample, a query and a memory")
        lengths = memory.lengths, query.lengths
        context, through = self.layer.apply(query.array, memory.array, *lengths, keep=keep)
        return query._replace(array=context), through


class Repetition(Node):
    """A vector for each sample, at every step of a sequence of that sample."""

    def run(self, values: list[Value], layer: Any, keep: bool, need_dx: bool) -> tuple[Value, Back]:
        vector, like = values
        if vector.steps or not like.steps:
            raise ValueError("expected a vector for each sample and a sequence, in this order")
        T, B = like.array.shape[:2]
        known = known_steps(T, B, like.lengths)
        known = None if known is None else known[..., None]
        repeated = np.broadcast_to(vector.array, (T, *vector.array.shape))
        repeated = np.ascontiguousarray(chosen(known, repeated))
        return Value(repeated, like.lengths, True), lambda d: [chosen(known, d).sum(axis=0), None]


def concatenate(*nodes: Node) -> Node:
    """The features of several values side by side.

    Args:
        nodes: at least two: vectors, or sequences of the same steps.

    Returns:
        A node of [.., F], F being the sum of theirs.

    Raises:
        ValueError: there are fewer than two, or one is no node.
    """
    if len(nodes) < 2:
        raise ValueError(f"nodes: expected at least two, got {len(nodes)}")
    return Concatenation(*nodes)


def attend(query: Node, memory: Node, scaled: bool = False) -> Node:
    """What each step of the sequence `query` finds in the sequence `memory` of the same sample: a mean of its steps,
    weighed by how well they fit (see `elman.layers.DotAttention`).

    Args:
        query: a sequence [Tq, B, H].
        memory: a sequence [Tk, B, H].
        scaled: multiply the scores by 1 / sqrt(H), True or False.

    Returns:
        A node, [Tq, B, H].

    Raises:
        ValueError: one is not a node, or scaled is not True or False.
    """
    return Attention(query, memory, scaled)


def repeat(vector: Node, like: Node) -> Node:
    """A vector for each sample, at every step of a sequence.

    Args:
        vector: a node of [B, F].
        like: a node of [T, B, ...], whose steps these are.

    Returns:
        A node of [T, B, F].
    """
    return Repetition(vector, like)
