"""Tokens as vectors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, overload

import numpy as np

from .. import _check, _core, init
from .._arrays import returner
from .parameters import Parameters
from .steppers import Stateless
from .wanted import wanted_of


class Embedding(Parameters):
    """A learnt vector for each of V tokens: y = weight[token].

    Args:
        num_embeddings: V, how many tokens there are.
        embedding_dim: E, the size of a vector.
        dtype: float32 or float64.
        std: standard deviation of the initial vectors, normal with mean 0; 1 as in torch. Where most tokens are rare,
            smaller ones learn better: they say little until they have been seen.
        seed: of the initial vectors: a whole number or a generator; None for new ones.

    Parameters: `weight` [V, E].

    Raises:
        ValueError: an argument has the wrong type or value.
    """

    _fixed = _options = ("num_embeddings", "embedding_dim", "dtype")

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

    def _shapes(self) -> str:
        return f"[...] -> [..., {self.embedding_dim}]"

    def stepper(self, batch_size: int) -> Stateless:
        """This layer with its vectors as they are now, for tokens of any shape, whatever `batch_size` is."""
        return Stateless(functools.partial(self._of, self.state_dict()["weight"]))

    @overload
    def __call__(self, tokens: np.ndarray) -> np.ndarray: ...
    @overload
    def __call__(self, tokens: Any) -> Any: ...
    def __call__(self, tokens: Any) -> Any:
        """Vectors [..., E] of tokens [...], an array of any library or a list; they are of the tokens' kind.

        Raises:
            ValueError: tokens are not whole numbers, or one is not 0 to V - 1.
        """
        index = _check.tokens("tokens", tokens, self.num_embeddings)
        return returner(tokens)(self._rows(index))

    def _rows(self, index: np.ndarray) -> np.ndarray:
        with self._store.lock:
            return _taken(self.parameters["weight"], index)

    def _of(self, weight: np.ndarray, tokens: Any) -> Any:
        return returner(tokens)(_taken(weight, _check.tokens("tokens", tokens, self.num_embeddings)))

    def forward(self, tokens: Any) -> tuple[Any, Callable[[Any], None]]:
        """The vectors [..., E] of tokens [...], and `backward(dy)`, which adds to the gradients; tokens have none.

        Raises:
            ValueError: tokens are not whole numbers, or one is not 0 to V - 1.
        """
        wrap, index = returner(tokens), _check.tokens("tokens", tokens, self.num_embeddings)
        y, wanted = wrap(self._rows(index)), wanted_of(self._store)

        def backward(dy: Any) -> None:
            dy = _check.array("dy", dy, (*index.shape, self.embedding_dim), self.dtype)
            if not wanted:
                return
            with self._store.lock:
                _core.add_rows(self._store.grads["weight"], index, dy)

        return y, backward


def _taken(weight: np.ndarray, index: np.ndarray) -> np.ndarray:
    return np.asarray(weight).take(index, axis=0)  # a copy, for a single token too
