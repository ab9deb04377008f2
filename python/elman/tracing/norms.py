"""Means and norms over all units of a layer, for a cell's function. Of symbols they make symbols, of arrays numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _check
from . import numeric
from .functions import numbers, trace_of
from .operations import MOST_SLOTS
from .symbols import Value


def mean(*values: Any) -> Any:
    """The mean over all units, of one value or of several together: of H numbers, or of k H.

    Args:
        *values: symbols, or arrays [.., H]; at most 16.

    Returns:
        One number of each row, a symbol or an array [.., 1].
    """
    return _statistic("mean", values)


def variance(*values: Any) -> Any:
    """The mean of squared distances from the mean over all units, of one value or of several together.

    Args:
        *values: symbols, or arrays [.., H]; at most 16.

    Returns:
        One number of each row, a symbol or an array [.., 1].
    """
    return _statistic("variance", values)


def layer_norm(values: Any, gain: Any = 1.0, shift: Any = 0.0, epsilon: float = 1e-5) -> Any:
    """Layer normalisation (Ba et al. 2016) over all units:

    gain (value - mean) / sqrt(variance + epsilon) + shift.

    Args:
        values: a symbol or an array [.., H]; or a list of k, whose k H numbers have one mean and one variance.
        gain: a param, or a number; of a list a list of as many.
        shift: a param, or a number; of a list a list of as many.
        epsilon: a number above 0.

    Returns:
        A value, or a list of as many.

    Raises:
        ValueError: the lists differ in length, or epsilon is not above 0.
    """
    if not isinstance(values, (list, tuple)):
        return layer_norm([values], gain, shift, epsilon)[0]
    epsilon = _check.positive("epsilon", epsilon)
    gains, shifts = (_as_many(name, given, len(values)) for name, given in (("gain", gain), ("shift", shift)))
    middle, unit = mean(*values), _inverse_deviation(values, epsilon)
    return [(v - middle) * unit * g + s for v, g, s in zip(values, gains, shifts, strict=True)]


def _inverse_deviation(values: Sequence[Any], epsilon: float) -> Any:
    """1 / sqrt(variance + epsilon), once for each row."""
    trace = trace_of(*values)
    if trace is None:
        return (variance(*values) + epsilon) ** -0.5
    return Value(trace, trace.graph.inverse_deviation([trace.node(v) for v in values], epsilon))


def _as_many(name: str, given: Any, count: int) -> Sequence[Any]:
    if not isinstance(given, (list, tuple)):
        return [given] * count
    if len(given) != count:
        raise ValueError(f"{name}: expected {count}, one for each value, got {len(given)}")
    return given


def _statistic(name: str, values: tuple[Any, ...]) -> Any:
    if not 1 <= len(values) <= MOST_SLOTS:
        raise ValueError(f"{name}: expected 1 to {MOST_SLOTS} values, got {len(values)}")
    trace = trace_of(*values)
    if trace is not None:
        nodes = [trace.node(value) for value in values]
        return Value(trace, trace.graph.mean(nodes) if name == "mean" else trace.graph.variance(nodes))
    numbers(name, *values)
    alone = all(np.ndim(one) == 0 for one in values)
    arrays = [np.atleast_1d(one) for one in np.broadcast_arrays(*values)]
    middle = numeric.mean(*arrays)
    found = middle if name == "mean" else numeric.variance(middle, *arrays)
    return float(found[0]) if alone else found
