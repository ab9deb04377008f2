"""The gradients of a model: found, measured and clipped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from .. import _check, _core
from ..files import Arrays


class WithGradients(Protocol):
    """What has parameters and a gradient beside each, under the same names: a layer, or a model made of some."""

    @property
    def parameters(self) -> Mapping[str, np.ndarray]: ...
    @property
    def grads(self) -> Mapping[str, np.ndarray]: ...


Model = WithGradients | Sequence[WithGradients]


def gather(model: Model) -> tuple[Arrays, Arrays]:
    """The parameters and the gradients of a model; those of a list of models under "0.name", "1.name", ..."""
    parts = {f"{i}.": m for i, m in enumerate(model)} if isinstance(model, (list, tuple)) else {"": model}
    values, grads = _named(parts, "parameters"), _named(parts, "grads")
    if not values or values.keys() != grads.keys():
        raise ValueError(
            "model: expected parameters and a gradient for each, "
            f"got parameters {list(values)} and gradients {list(grads)}"
        )
    dtype = next(iter(values.values())).dtype
    last = {place(value): name for name, value in values.items()}
    for name, value in values.items():
        _check.float_type(f"dtype of {name}", value.dtype)
        _check.in_place(name, value, value.shape, dtype)
        _check.in_place(f"gradient of {name}", grads[name], value.shape, dtype)
        if last[place(value)] != name:
            raise ValueError(
                f"{last[place(value)]}: expected each parameter once, got the same array as {name}; "
                "give layers that are shared as a list, each once"
            )
    return values, grads


def place(array: np.ndarray) -> int:
    """Where its numbers lie, which is the same for two views of them."""
    return array.__array_interface__["data"][0]


def _named(parts: Mapping[str, Any], kind: str) -> Arrays:
    found: Arrays = {}
    for prefix, part in parts.items():
        own = getattr(part, kind, None)
        if not isinstance(own, Mapping) or not all(isinstance(array, np.ndarray) for array in own.values()):
            hint = "; give the layer or model itself" if isinstance(part, Mapping) else ""
            raise ValueError(
                f"model: expected a layer or model with {kind}, arrays by name, or a list of such, "
                f"got {_check.describe(part)}{hint}"
            )
        found.update((prefix + name, array) for name, array in own.items())
    return found


def global_norm(model: Model) -> float:
    """The joint norm of all gradients, sqrt(sum g^2), summed in double precision.

    Args:
        model: a layer or model with `parameters` and `grads`, or a list of such.

    Returns:
        The norm, 0 or more; infinite or NaN if a gradient is.

    Raises:
        ValueError: the model has no parameters, or some without a gradient.
    """
    return _norm(gather(model)[1])


def clip_global_norm(model: Model, limit: float) -> float:
    """Scale all gradients together, in place, so that their joint norm is at most `limit` (Pascanu et al. 2013).

    Args:
        model: a layer or model with `parameters` and `grads`, or a list of such.
        limit: the largest norm, above 0.

    Returns:
        The norm before.

    Raises:
        ValueError: limit is not above 0, or the model has no parameters.
    """
    limit = _check.positive("limit", limit)
    _, grads = gather(model)
    norm = _norm(grads)
    if norm > limit:
        for grad in grads.values():
            grad *= grad.dtype.type(limit / norm)
    return norm


def clip_value(model: Model, limit: float) -> float:
    """Clamp every element of the gradients to [-limit, limit], in place.

    Args:
        model: a layer or model with `parameters` and `grads`, or a list of such.
        limit: the largest size of an element, above 0.

    Returns:
        The joint norm before.

    Raises:
        ValueError: limit is not above 0, or the model has no parameters.
    """
    limit = _check.positive("limit", limit)
    _, grads = gather(model)
    norm = _norm(grads)
    for grad in grads.values():
        np.clip(grad, -limit, limit, out=grad)
    return norm


def _norm(grads: Arrays) -> float:
    return math.sqrt(_core.sum_of_squares(list(grads.values())))
