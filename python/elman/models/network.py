"""The network that most models are: vectors or tokens in, recurrent layers, a linear map out."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _check
from .. import init as initial
from ..data.vocabulary import as_vocabulary
from ..layers import Dropout, Embedding, Linear, Parameters, Pooling, Sequential
from ..layers.cells import GRU, LSTM, RNN, Recurrent
from ..layers.recurrent import RecurrentLayer
from ..tracing.definition import CellDefinition

# elman's own recurrent layers by the names that models have for them.
RECURRENT: dict[str, type[RecurrentLayer]] = {kind.__name__.lower(): kind for kind in (RNN, LSTM, GRU)}


class Network(Sequential):
    """A Sequential with one recurrent layer."""

    @property
    def recurrent(self) -> RecurrentLayer:
        layer = self.parts["recurrent"]
        assert isinstance(layer, RecurrentLayer)
        return layer

    @property
    def tokens(self) -> bool:
        """Whether it reads tokens rather than features."""
        return "embedding" in self.parts

    @property
    def size(self) -> int:
        """How many tokens it knows, or how many features it reads."""
        first = self.parts.get("embedding", self.recurrent)
        return first.num_embeddings if isinstance(first, Embedding) else self.recurrent.input_size


def network(
    outputs: int | None,
    pooling: str | None = None,
    *,
    input_size: int | None = None,
    vocabulary: Any = None,
    embedding_size: int | None = None,
    embedding_std: float = 1.0,
    hidden_size: int = 128,
    cell: str | type[RecurrentLayer] | CellDefinition = "lstm",
    num_layers: int = 1,
    heads: int = 1,
    bidirectional: bool = False,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    checkpoint_every: int | None = None,
    init: str = "orthogonal",
    dtype: Any = np.float32,
    seed: Any = None,
) -> Network:
    """Embedding (for tokens), recurrent layers, pooling (if any), a linear head (unless `outputs` is None).

    Args:
        outputs: size of the head's output, or None for no head.
        pooling: "last", "mean" or "max" over time; None keeps every step.
        input_size: I, features of a step, for x [T, B, I]; or
        vocabulary: V, how many tokens there are, or an `elman.train.Vocabulary`, for x [T, B] of tokens. One of the two
            is needed.
        embedding_size: of a token's vector; `hidden_size` if None.
        embedding_std: standard deviation of the initial vectors; less than 1 where most tokens are rare.
        hidden_size: H, of each layer and direction.
        cell: "lstm", "gru" or "rnn", or the class of such a layer; or a cell of `elman.cells`, or your own.
        num_layers, heads, bidirectional, recurrent_dropout, checkpoint_every, init: of the recurrent layers.
        dropout: share of features dropped in training: of embeddings, between recurrent layers, and before the head.
            Embeddings and what the head reads lose the same features at all steps of a sequence.
        dtype: float32 or float64.
        seed: of initial weights and dropout: a whole number or a generator; None for new ones.

    Returns:
        A Sequential of these layers, named "embedding", "recurrent", "pooling", "head" (and dropouts between).

    Raises:
        ValueError: an argument has the wrong type or value.
    """
    _, vocabulary = as_vocabulary(vocabulary)
    chosen = cell_of(cell)
    kind: Callable[..., RecurrentLayer]
    if isinstance(chosen, str):
        kind = RECURRENT[chosen]
        if heads != 1:
            raise ValueError(
                f"heads: expected 1 for {chosen!r}, got {heads}; cells of elman.cells take more, as cells.lstm()"
            )
    else:
        kind = functools.partial(Recurrent, chosen, heads=heads)
    if (input_size is None) == (vocabulary is None):
        raise ValueError(
            f"input_size: expected either it or vocabulary, got input_size={input_size} and vocabulary={vocabulary}"
        )
    _check.fraction("dropout", dropout)
    seeds = iter(initial.seeds(seed, 5))
    parts: dict[str, Parameters] = {}
    width = input_size or embedding_size or hidden_size
    if vocabulary is not None:
        parts["embedding"] = Embedding(
            _check.whole_number("vocabulary", vocabulary, 1),
            width,
            dtype=dtype,
            seed=next(seeds),
            std=embedding_std,
        )
        if dropout:
            parts["embedding_dropout"] = Dropout(dropout, variational=True, seed=next(seeds))
    elif embedding_size is not None:
        raise ValueError(f"embedding_size: expected None without vocabulary, got {embedding_size}")
    elif embedding_std != 1:
        raise ValueError(f"embedding_std: expected 1 without vocabulary, got {embedding_std}")
    recurrent = kind(
        width, hidden_size, num_layers, bidirectional=bidirectional, recurrent_dropout=recurrent_dropout,
        checkpoint_every=checkpoint_every, dropout=dropout if num_layers > 1 else 0.0, init=init, dtype=dtype,
        seed=next(seeds),
    )  # fmt: skip
    parts["recurrent"] = recurrent
    if pooling is not None:
        parts["pooling"] = Pooling(pooling, bidirectional=bidirectional)
    if outputs is not None:
        if dropout:
            parts["dropout"] = Dropout(dropout, variational=pooling is None, seed=next(seeds))
        parts["head"] = Linear(
            recurrent.directions * recurrent.hidden_size, outputs, dtype=dtype, seed=next(seeds)
        )
    return Network(**parts)


def without_scalars(what: str, cell: Any) -> None:
    """Refuses a cell whose scalars nobody would give."""
    if isinstance(cell, CellDefinition) and cell.scalars:
        names = ", ".join(cell.scalars)
        raise ValueError(
            f"{what}: expected a cell without scalars, which models do not give, got {cell.name} ({names})"
        )


def decoder_of(encoder: RecurrentLayer, input_size: int, hidden_size: int, seed: Any) -> RecurrentLayer:
    """Layers like the encoder's, which run forward."""
    kind: Any = type(encoder)
    if isinstance(encoder, Recurrent):
        kind = functools.partial(Recurrent, encoder.cell, heads=encoder.heads)
    made: RecurrentLayer = kind(
        input_size, hidden_size, encoder.num_layers, dropout=encoder.dropout,
        recurrent_dropout=encoder.recurrent_dropout, checkpoint_every=encoder.checkpoint_every,
        dtype=encoder.dtype, seed=seed,
    )  # fmt: skip
    return made


# What models take beside their own arguments.
OPTIONS = tuple(inspect.signature(network).parameters)[2:]


def cell_of(cell: Any) -> str | CellDefinition:
    """A cell as `config` has it: "gru" of "GRU", or of the class GRU; one that was traced is itself."""
    if isinstance(cell, CellDefinition):
        without_scalars("cell", cell)
        return cell
    if getattr(cell, "makes_cells", False):
        raise ValueError(f"cell: expected a cell, got what makes one; call it, {cell.__name__}()")
    for name, kind in RECURRENT.items():
        if cell is kind:
            return name
    word = cell.lower() if isinstance(cell, str) else cell
    if not isinstance(word, str) or word not in RECURRENT:
        raise ValueError(
            f"cell: expected {', '.join(map(repr, RECURRENT))}, a cell of elman.cells or one made by elman.cell, got "
            f"{repr(cell) if isinstance(cell, str) else _check.describe(cell)}"
            + ("; other cells are given, not named: elman.cells has them" if isinstance(cell, str) else "")
        )
    return word
