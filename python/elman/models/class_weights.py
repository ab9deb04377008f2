"""How much a target of each class counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from .._arrays import to_numpy
from .labels import UNKNOWN, Labels

BALANCED = "balanced"


def weights_of_classes(given: Any, labels: Labels) -> np.ndarray | str | None:
    """[C] of a dict by label, or of an array; "balanced" and None as they are.

    Raises:
        ValueError: it is none of these.
    """
    if given is None or isinstance(given, str):
        return None if given is None else _check.choice("class_weight", given, (BALANCED,))
    if isinstance(given, dict):
        names = range(labels.count) if labels.names is None else labels.names
        if set(given) != set(names):
            raise ValueError(f"class_weight: expected a weight for each of {list(names)}, got {list(given)}")
        given = [given[label] for label in names]
    values = to_numpy("class_weight", given, np.float64)
    right = values.shape == (labels.count,) and values.dtype.kind in "fiu"
    if not right or not (np.isfinite(values).all() and (values >= 0).all() and values.any()):
        want = f"'balanced', a dict or [{labels.count}] finite numbers of at least 0"
        raise ValueError(f"class_weight: expected {want}, got {_check.describe(values)}")
    return values.astype(np.float64)


def counts_of(y: np.ndarray, count: int) -> np.ndarray:
    """How many targets are of each of `count` classes, [C], of numbers of classes [...] or shares of them [..., C]."""
    if y.dtype.kind == "f":
        return y.reshape(-1, count).sum(axis=0)
    return np.bincount(y[y != UNKNOWN], minlength=count).astype(np.float64)


def balanced(counts: np.ndarray) -> list[float]:
    """n / (C n_c) for each class c, where n_c of all n targets, `counts` [C], are of it; 0 where there is none."""
    even = counts.sum() / len(counts)
    return np.divide(even, counts, where=counts > 0, out=np.zeros(len(counts))).tolist()


def weighed(y: np.ndarray, of_class: Any, weights: np.ndarray | None) -> np.ndarray | None:
    """The weights of targets y, numbers of classes [...] or shares of them [..., C].

    Args:
        of_class: [C], how much a target of each class counts; None: all alike.
        weights: those that the data give, [...], or None.
    """
    if of_class is None:
        return weights
    of_class = np.asarray(of_class)
    own = y @ of_class if y.dtype.kind == "f" else of_class[np.where(y == UNKNOWN, 0, y)]
    return own if weights is None else own * weights
