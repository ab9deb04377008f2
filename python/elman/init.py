"""Initial weights, and seeds for several layers from one.

Every other function returns an array of the given shape [rows, columns] with fan-in = columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def uniform(rng: np.random.Generator, shape: tuple[int, ...], limit: float, dtype: np.dtype) -> np.ndarray:
    """Uniform over [-limit, limit]; torch.nn uses limit = 1/sqrt(H) for every weight and bias."""
    return rng.uniform(-limit, limit, shape).astype(dtype)


def glorot(rng: np.random.Generator, shape: tuple[int, int], dtype: np.dtype) -> np.ndarray:
    """Uniform with limit sqrt(6 / (rows + columns)) (Glorot & Bengio 2010)."""
    return uniform(rng, shape, float(np.sqrt(6.0 / sum(shape))), dtype)


def orthogonal(rng: np.random.Generator, size: int, dtype: np.dtype) -> np.ndarray:
    """A random orthogonal [size, size] matrix, uniform over all of them (Saxe et al. 2014)."""
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    return (q * np.sign(np.diagonal(r))).astype(dtype)


def seeds(seed: Any, count: int) -> list[np.random.SeedSequence]:
    """Independent seeds for `count` layers; the same ones for the same whole number, new ones for None."""
    if not isinstance(seed, np.random.SeedSequence):
        seed = np.random.SeedSequence(seed)
    return seed.spawn(count)
