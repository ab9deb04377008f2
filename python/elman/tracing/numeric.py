"""The operations on numbers, with NumPy. Nothing overflows whose result is finite, however large an argument is."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Functions = Mapping[str, Callable[..., Any]]
"""A function of arrays for each operation."""


def sigmoid(x: Any) -> Any:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, np.ones_like(small), small) / (1 + small)


def softplus(x: Any) -> Any:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def spike(x: Any, slope: float) -> Any:
    return np.where(x > 0, np.ones_like(x), np.zeros_like(x))


def mean(*values: Any) -> Any:
    return (sum(values) / len(values)).mean(-1, keepdims=True)


def variance(middle: Any, *values: Any) -> Any:
    return mean(*((value - middle) ** 2 for value in values))


def inverse_deviation(middle: Any, *given: Any) -> Any:
    *values, epsilon = given
    return (variance(middle, *values) + epsilon) ** -0.5


def broadcast(value: Any, like: Any) -> Any:
    """The number or the array with the shape and the type of `like`."""
    return np.broadcast_to(np.asarray(value, like.dtype), like.shape)


NUMPY: Functions = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": np.divide,
    "fma": lambda a, b, c: a * b + c,
    "fnma": lambda a, b, c: c - a * b,
    "max": np.maximum,
    "min": np.minimum,
    "add_number": operator.add,
    "mul_number": operator.mul,
    "from_number": lambda a, number: number - a,
    "max_number": np.maximum,
    "min_number": np.minimum,
    "where_greater": lambda a, b, c, d: np.where(a > b, c, d),
    "where_at_least": lambda a, b, c, d: np.where(a >= b, c, d),
    "where_equal": lambda a, b, c, d: np.where(a == b, c, d),
    "spike": spike,
    "chance": lambda u, p: p if u is None else (u < p).astype(u.dtype),
    "abs": np.abs,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "softplus": softplus,
    "mean": mean,
    "variance": variance,
    "inverse_deviation": inverse_deviation,
    "broadcast": broadcast,
}
"""Those of NumPy. The same names with another library's functions make `evaluate` compute there."""

BACKWARD: Functions = {
    "dsigmoid": lambda d, y: d * y * (1 - y),
    "dtanh": lambda d, y: d * (1 - y * y),
    "dsigmoid3": lambda a, b, y: a * b * y * (1 - y),
    "dtanh3": lambda a, b, y: a * b * (1 - y * y),
}
