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
def from_file(count: int) -> Iterator[None]:
    """Within it layers get zeros, as their weights are about to be loaded, and in all no more than the `count` numbers
    that the file holds, whatever its description asks for.

    Raises:
        ValueError: layers want more.
    """
    token = _left.set([count])
    try:
        yield
    finally:
        _left.reset(token)


def _zeros_for_file(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray | None:
    left = _left.get()
    if left is None:
        return None
    left[0] -= math.prod(shape)
    if left[0] < 0:
        raise ValueError("its arguments ask for more parameters than it holds")
    return np.zeros(shape, dtype)


def uniform(rng: np.random.Generator, shape: tuple[int, ...], limit: float, dtype: np.dtype) -> np.ndarray:
    """Uniform over [-limit, limit]; torch.nn uses limit = 1/sqrt(H) for every weight and bias."""
    zeros = _zeros_for_file(shape, dtype)
    return rng.uniform(-limit, limit, shape).astype(dtype) if zeros is None else zeros


def normal(rng: np.random.Generator, shape: tuple[int, ...], std: float, dtype: np.dtype) -> np.ndarray:
    """Normal with mean 0."""
    zeros = _zeros_for_file(shape, dtype)
    return (std * rng.standard_normal(shape)).astype(dtype) if zeros is None else zeros


def glorot(rng: np.random.Generator, shape: tuple[int, int], dtype: np.dtype) -> np.ndarray:
    """Uniform with limit sqrt(6 / (rows + columns)) (Glorot & Bengio 2010)."""
    return uniform(rng, shape, float(np.sqrt(6.0 / sum(shape))), dtype)


def orthogonal(rng: np.random.Generator, size: int, dtype: np.dtype) -> np.ndarray:
    """A random orthogonal [size, size] matrix, uniform over all of them (Saxe et al. 2014)."""
    zeros = _zeros_for_file((size, size), dtype)
    if zeros is not None:
        return zeros
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    return (q * np.sign(np.diagonal(r))).astype(dtype)


def seeds(seed: Any, count: int) -> list[np.random.SeedSequence]:
    """Independent seeds for `count` layers; the same ones for the same whole number, new ones for None."""
    if not isinstance(seed, np.random.SeedSequence):
        seed = np.random.SeedSequence(seed)
    return seed.spawn(count)
