"""Nodes of a graph that bring several values together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..layers import DotAttention
from ..layers.pooling import pools
from ..sequence.marks import chosen, closed_up
from .nodes import Back, Node, StepOf, Through, Value, expect_beside
from .order import in_order


class Concatenation(Node):
    """The features of several values side by side."""

    def run(self, values: list[Value], layer: Any, keep: bool, need_dx: bool) -> tuple[Value, Back]:
        expect_beside(values, "one shape but for their features", lambda value: value.array.shape[:-1])
        joined = self.made([value.array for value in values])
        ends = np.cumsum([value.array.shape[-1] for value in values])[:-1]
        return values[0]._replace(array=joined), lambda d: [
            np.ascontiguousarray(part) for part in np.split(d, ends, axis=-1)
        ]

    def made(self, arrays: Sequence[np.ndarray], out: np.ndarray | None = None) -> np.ndarray:
        return np.concatenate(arrays, axis=-1, out=out)


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
        # Attention knows lengths alone.
        keys, key_lengths, open_keys = _dense(memory)
        queries, query_lengths, open_queries = _dense(query)
        context, through = self.layer.apply(queries, keys, key_lengths, query_lengths, keep=keep)

        def back(d: np.ndarray) -> list[np.ndarray | None]:
            d_query, d_memory = through(
                d if query.mask is None else closed_up(d, query.lengths, query.mask)[0]
            )
            return [open_queries(d_query), open_keys(d_memory)]

        return query._replace(array=open_queries(context)), back

    def stepper(self, layer: Any, batch_size: int) -> StepOf:
        raise ValueError(
            "stepper: expected what goes step by step, got attention, which looks at the whole of a sequence"
        )


def _dense(value: Value) -> tuple[np.ndarray, np.ndarray | None, Callable[[np.ndarray], np.ndarray]]:
    """The steps that count of a sequence, one after the other, their lengths, and the way back to where they were."""
    if value.mask is None:
        return value.array, value.lengths, lambda d: d
    return closed_up(value.array, value.lengths, value.mask)


class Repetition(Node):
    """A vector for each sample, at every step of a sequence of that sample."""

    paced_by = 1

    def run(self, values: list[Value], layer: Any, keep: bool, need_dx: bool) -> tuple[Value, Back]:
        vector, like = values
        if vector.steps or not like.steps:
            raise ValueError("expected a vector for each sample and a sequence, in this order")
        repeated = np.broadcast_to(vector.array, (len(like.array), *vector.array.shape))
        value = like._replace(array=repeated)
        known = value.spread(like.known())
        repeated = np.ascontiguousarray(chosen(known, repeated))
        return value._replace(array=repeated), lambda d: [chosen(known, d).sum(axis=0), None]

    def stepper(self, layer: Any, batch_size: int) -> StepOf:
        for node in in_order([self.sources[0]]):
            if isinstance(node, Through) and pools(node.layer):
                raise ValueError(
                    "stepper: expected a vector that is known before the first step, got one that is pooled over "
                    f"the whole sequence by {node.layer!r}"
                )
        return super().stepper(layer, batch_size)


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
