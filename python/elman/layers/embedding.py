"""Tokens as vectors."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _check, _core, init
from .parameters import Parameters


class Embedding(Parameters):
    """A learnt vector for each of V tokens: y = weight[token].

    Args:
        num_embeddings: V, how many tokens there are.
        embedding_dim: E, the size of a vector.
        dtype: float32 or float64.
        std: standard deviation of the initial vectors, normal with mean 0; 1 as in torch. Where most tokens are rare,
            smaller ones learn better: they say little until they have been seen.
        seed: of the initial vectors.

    Parameters: `weight` [V, E].
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        dtype: Any = np.float32,
        seed: Any = None,
        *,
        std: float = 1.0,
    ):
        self.num_embeddings = _check.whole_number("num_embeddings", num_embeddings, 1)
        self.embedding_dim = _check.whole_number("embedding_dim", embedding_dim, 1)
        self.dtype = _check.float_type("dtype", dtype)
        rng = np.random.default_rng(seed)
        shape = (self.num_embeddings, self.embedding_dim)
        std = _check.positive("std", std)
        self._hold({"weight": init.normal(rng, shape, std, self.dtype)})

    def __repr__(self) -> str:
        return f"Embedding({self.num_embeddings}, {self.embedding_dim}, dtype={self.dtype})"

    def stepper(self, batch_size: int) -> Callable[[np.ndarray], np.ndarray]:
        """This layer with its vectors as they are now."""
        return copy.deepcopy(self)

    def __call__(self, tokens: np.ndarray) -> np.ndarray:
        """Vectors [..., E] of tokens [...].

        Raises:
            ValueError: tokens are not whole numbers, or one is not 0 to V - 1.
        """
        _check.tokens("tokens", tokens, self.num_embeddings)
        return self.parameters["weight"][tokens]

    def forward(self, tokens: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], None]]:
        """The vectors, and `backward(dy)`, which adds to the gradients; tokens have none."""
        y = self(tokens)
        index = np.ascontiguousarray(tokens, np.int64)

        def backward(dy: np.ndarray) -> None:
            _check.array("dy", dy, (*index.shape, self.embedding_dim), self.dtype)
            _core.add_rows(self.grads["weight"], index, dy)

        return y, backward
