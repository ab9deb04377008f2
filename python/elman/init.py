"""Initial weights, and seeds for several layers from one.

Every function of a shape [rows, columns] returns an array of it, with fan-in = columns.
"""

from __future__ import annotations

import contextlib
import contextvars
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

_left: contextvars.ContextVar[list[int] | None] = contextvars.ContextVar("left", default=None)


@contextlib.contextmanager
def at_most(count: int) -> Iterator[None]:
    """Within it no more than `count` initial numbers are drawn in all: a file must not make layers of any size.

    Raises:
        ValueError: layers want more.
    """
    token = _left.set([count])
    try:
        yield
    finally:
        _left.reset(token)


def _count(shape: tuple[int, ...]) -> None:
    left = _left.get()
    if left is not None:
        left[0] -= math.prod(shape)
        if left[0] < 0:
            raise ValueError("its arguments ask for more parameters than it holds")


def uniform(rng: np.random.Generator, shape: tuple[int, ...], limit: float, dtype: np.dtype) -> np.ndarray:
    """Uniform over [-limit, limit]; torch.nn uses limit = 1/sqrt(H) for every weight and bias."""
    _count(shape)
    return rng.uniform(-limit, limit, shape).astype(dtype)


def normal(rng: np.random.Generator, shape: tuple[int, ...], std: float, dtype: np.dtype) -> np.ndarray:
    """Normal with mean 0."""
    _count(shape)
    return (std * rng.standard_normal(shape)).astype(dtype)


def glorot(rng: np.random.Generator, shape: tuple[int, int], dtype: np.dtype) -> np.ndarray:
    """Uniform with limit sqrt(6 / (rows + columns)) (Glorot & Bengio 2010)."""
    return uniform(rng, shape, float(np.sqrt(6.0 / sum(shape))), dtype)


def orthogonal(rng: np.random.Generator, size: int, dtype: np.dtype) -> np.ndarray:
    """A random orthogonal [size, size] matrix, uniform over all of them (Saxe et al. 2014)."""
    _count((size, size))
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    return (q * np.sign(np.diagonal(r))).astype(dtype)


def seeds(seed: Any, count: int) -> list[np.random.SeedSequence]:
    """Independent seeds for `count` layers; the same ones for the same whole number, new ones for None."""
    if not isinstance(seed, np.random.SeedSequence):
        seed = np.random.SeedSequence(seed)
    return seed.spawn(count)
