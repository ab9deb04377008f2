"""Attention of a decoder over an encoder's outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _check, _core
from .._arrays import returner
from .parameters import Parameters

Backward = Callable[[Any], tuple[Any, Any]]


class DotAttention(Parameters):
    """Dot-product attention ("dot", Luong et al. 2015) of queries over a memory, for each sequence alone:

    w = softmax(q M^T) over the sequence's own steps of the memory,  context = w M

    The memory's rows are keys and values at once; there are no parameters. Every result row has the same bits
    whatever the batch, the padding and the number of threads.

    Args:
        scaled: multiply the scores q M^T by 1 / sqrt(H) (Vaswani et al. 2017).

    Raises:
        ValueError: scaled is neither True nor False.

    Shapes: query [Tq, B, H] (one step of a decoder: [1, B, H]), memory [Tk, B, H]; both of one type, float32
    or float64. lengths [B], 0 to Tk, and query_lengths [B], 0 to Tq: what lies beyond is not
    read, and results and gradients are 0 there. A sequence of length 0 has the context 0.
    """

    _options = ("scaled",)

    def __init__(self, scaled: bool = False):
        self.scaled = _check.flag("scaled", scaled)
        self._hold({})

    def __repr__(self) -> str:
        return f"DotAttention(scaled={self.scaled})"

    def over(self, memory: Any, lengths: Any = None) -> AttentionMemory:
        """The memory made ready once for many calls, such as the steps of a decoder.

        Args:
            memory: [Tk, B, H], float32 or float64. Later changes of it do not reach what was made ready.
            lengths: [B], the steps of the memory that each sequence has; all if None.

        Returns:
            What takes queries [Tq, B, H], as this layer does, but without the memory.

        Raises:
            ValueError: an argument has the wrong shape, type or value.
        """
        return AttentionMemory(memory, lengths, self.scaled)

    def __call__(self, query: Any, memory: Any, lengths: Any = None, query_lengths: Any = None) -> Any:
        """The context of each query, keeping nothing.

        Args:
            query: [Tq, B, H].
            memory: [Tk, B, H].
            lengths: [B], the steps of the memory that each sequence has; all if None.
            query_lengths: [B], the queries that each sequence has; all if None.

        Returns:
            context [Tq, B, H].

        Raises:
            ValueError: an argument has the wrong shape, type or value.
        """
        return self.over(memory, lengths)(query, query_lengths)

    def forward(
        self, query: Any, memory: Any, lengths: Any = None, query_lengths: Any = None
    ) -> tuple[Any, Backward]:
        """Like a call, and keeps what the gradients need.

        Args:
            query, memory: [Tq, B, H] and [Tk, B, H]. Until the last call of `backward` do not change query; memory may
                change.
            lengths, query_lengths: [B], the steps of memory and query that count; all if None.

        Returns:
            (context, backward): context [Tq, B, H], and `backward(d_context)`, which returns (d_query, d_memory).

        Raises:
            ValueError: an argument has the wrong shape, type or value.
        """
        return self.over(memory, lengths).forward(query, query_lengths)

    def weights(self, query: Any, memory: Any, lengths: Any = None, query_lengths: Any = None) -> Any:
        """How much of each step of the memory is in each context.

        Args:
            query, memory: [Tq, B, H] and [Tk, B, H].
            lengths, query_lengths: [B], the steps of memory and query that count; all if None.

        Returns:
            w [Tq, B, Tk]; 0 beyond the lengths.

        Raises:
            ValueError: an argument has the wrong shape, type or value.
        """
        return self.over(memory, lengths).weights(query, query_lengths)


class AttentionMemory:
    """A memory that queries can attend to; made by `DotAttention.over`.

    Calls take query [Tq, B, H] and give the bits that DotAttention gives. The queries of a sequence do not
    depend on each other, so those of a beam search over K hypotheses are one query [K, B, H].
    """

    def __init__(self, memory: Any, lengths: Any, scaled: bool):
        self._wrap = returner(memory)
        memory = _check.floats("memory", memory, ("Tk", "B", "H"))
        self._dtype = memory.dtype
        self._shape = memory.shape
        Tk, B, H = memory.shape
        _check.whole_number("memory.shape[2]", H, 1)
        if lengths is not None:
            lengths = _check.lengths("lengths", lengths, Tk, (B,))
        self._packed = _core.pack_memory(memory, lengths, float(1 / np.sqrt(H)) if scaled else 1.0)

    def __call__(self, query: Any, query_lengths: Any = None) -> Any:
        """context [Tq, B, H], keeping nothing.

        Raises:
            ValueError: an argument has the wrong shape, type or value.
        """
        queries, query_lengths = self._check_query(query, query_lengths)
        context = _core.empty(queries.shape, self._dtype)
        _core.attention(self._packed, queries, query_lengths, None, context)
        return returner(query)(context)

    def forward(self, query: Any, query_lengths: Any = None) -> tuple[Any, Backward]:
        """context [Tq, B, H], and `backward(d_context)`, which returns (d_query, d_memory).

        Until the last call of `backward` do not change query or query_lengths.

        Raises:
            ValueError: an argument has the wrong shape, type or value.
        """
        wrap = returner(query)
        queries, query_lengths = self._check_query(query, query_lengths)
        context, weights = self._attend(queries, query_lengths)

        def backward(d_context: Any) -> tuple[Any, Any]:
            d_context = _check.array("d_context", d_context, queries.shape, self._dtype)
            d_query = _core.empty(queries.shape, self._dtype)
            d_memory = _core.empty(self._shape, self._dtype)
            _core.attention_backward(
                self._packed, queries, query_lengths, weights, d_context, d_query, d_memory
            )
            return wrap(d_query), self._wrap(d_memory)

        return wrap(context), backward

    def weights(self, query: Any, query_lengths: Any = None) -> Any:
        """w [Tq, B, Tk]: how much of each step of the memory is in each context; 0 beyond the lengths.

        Raises:
            ValueError: an argument has the wrong shape, type or value.
        """
        queries, query_lengths = self._check_query(query, query_lengths)
        return returner(query)(self._attend(queries, query_lengths)[1])

    def _attend(self, queries: np.ndarray, query_lengths: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """context [Tq, B, H] and w [Tq, B, Tk]."""
        context = _core.empty(queries.shape, self._dtype)
        weights = _core.empty((*queries.shape[:2], self._shape[0]), self._dtype)
        _core.attention(self._packed, queries, query_lengths, weights, context)
        return context, weights

    def _check_query(self, query: Any, query_lengths: Any) -> tuple[np.ndarray, np.ndarray | None]:
        _, B, H = self._shape
        queries = _check.array("query", query, ("Tq", B, H), self._dtype)
        if query_lengths is not None:
            query_lengths = _check.lengths("query_lengths", query_lengths, len(queries), (B,))
        return queries, query_lengths
