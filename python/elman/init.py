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

from . import _core

__all__ = ["glorot", "normal", "orthogonal", "seeds", "uniform"]


def __dir__() -> list[str]:
    return __all__


_left: contextvars.ContextVar[list[int] | None] = contextvars.ContextVar("left", default=None)

# Reflections that are applied together: enough to make products of them.
_BLOCK = 64


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
    """Uniform over [-limit, limit]; torch.nn uses limit = 1/sqrt(H) for every weight and bias.

    Args:
        rng: a generator of NumPy's, which is drawn from.
        shape: of the array.
        limit: largest size of a number.
        dtype: float32 or float64.

    Returns:
        An array of that shape and type.
    """
    zeros = _zeros_for_file(shape, dtype)
    return rng.uniform(-limit, limit, shape).astype(dtype) if zeros is None else zeros


def normal(rng: np.random.Generator, shape: tuple[int, ...], std: float, dtype: np.dtype) -> np.ndarray:
    """Normal with mean 0.

    Args:
        rng: a generator of NumPy's, which is drawn from.
        shape: of the array.
        std: standard deviation.
        dtype: float32 or float64.

    Returns:
        An array of that shape and type.
    """
    zeros = _zeros_for_file(shape, dtype)
    return (std * rng.standard_normal(shape)).astype(dtype) if zeros is None else zeros


def glorot(rng: np.random.Generator, shape: tuple[int, int], dtype: np.dtype) -> np.ndarray:
    """Uniform with limit sqrt(6 / (rows + columns)) (Glorot & Bengio 2010).

    Args:
        rng: a generator of NumPy's, which is drawn from.
        shape: [rows, columns].
        dtype: float32 or float64.

    Returns:
        An array of that shape and type.
    """
    zeros = _zeros_for_file(shape, dtype)
    return uniform(rng, shape, float(np.sqrt(6.0 / sum(shape))), dtype) if zeros is None else zeros


def orthogonal(rng: np.random.Generator, size: int, dtype: np.dtype) -> np.ndarray:
    """A random orthogonal [size, size] matrix, uniform over all of them (Saxe et al. 2014).

    What a QR decomposition of a normal matrix would give is drawn directly (Stewart 1980): a reflection for each
    column, of a normal vector one shorter than the last. Less than size^3 multiply-adds for large ones, in products on
    elman's own threads; NumPy's would crowd a busy machine.

    Args:
        rng: a generator of NumPy's, which is drawn from.
        size: rows and columns.
        dtype: float32 or float64.

    Returns:
        [size, size] of that type.
    """
    zeros = _zeros_for_file((size, size), dtype)
    if zeros is not None:
        return zeros
    q = np.empty((0, 0))  # of the columns done, last ones first; transposed
    for first in reversed(range(0, size, _BLOCK)):
        v, signs = _reflections(rng, min(_BLOCK, size - first), size - first)
        count, rows = v.shape
        # The product of the reflections I - 2 v_i v_i^T is I - v^T t v (Schreiber & Van Loan 1989, Puglisi 1992).
        t = np.linalg.inv(np.triu(_product(v, v), 1) + np.eye(count) / 2)
        grown = np.zeros((rows, rows))
        grown[range(count), range(count)] = signs
        grown[count:, count:] = q
        grown -= _product(_product(_product(grown, v), t), np.ascontiguousarray(v.T))
        q = grown
    return q.astype(dtype)


def _reflections(rng: np.random.Generator, count: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors v [count, rows] whose reflections turn normal vectors x_i, which begin with i zeros, to the i-th
    axis; and the signs that make it the axis' positive side."""
    v = np.triu(rng.standard_normal((count, rows)))
    first = np.diagonal(v)
    signs = np.where(first < 0, 1.0, -1.0)
    v[range(count), range(count)] -= signs * np.sqrt((v * v).sum(1))
    return v / np.sqrt((v * v).sum(1, keepdims=True)), signs


def _product(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """x w^T."""
    y = _core.empty((len(x), len(w)), x.dtype)
    _core.linear(_core.pack_linear(w, None), x, y)
    return y


def seeds(seed: Any, count: int) -> list[np.random.SeedSequence]:
    """Independent seeds for several layers out of one.

    Args:
        seed: a whole number or a SeedSequence, which give the same seeds each time; a generator of NumPy's, which is
            drawn from; None for new ones.
        count: how many.

    Returns:
        A list of seeds, each of which a layer takes as its `seed`.
    """
    if isinstance(seed, np.random.Generator):  # as layers take them
        seed = seed.integers(2**32, size=4).tolist()
    if not isinstance(seed, np.random.SeedSequence):
        seed = np.random.SeedSequence(seed)
    return seed.spawn(count)
