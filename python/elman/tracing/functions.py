"""The functions of a cell. Of symbols they make symbols, of NumPy's arrays and Python's numbers they compute."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._check import describe
from .numeric import NUMPY
from .refusals import Symbol, Trace
from .symbols import Condition, Value


def trace_of(*given: Any) -> Trace | None:
    """Of the first symbol, if there is one."""
    return next((x.trace for x in given if isinstance(x, Symbol)), None)


def numbers(name: str, *given: Any) -> None:
    for x in given:
        if isinstance(x, bool) or not isinstance(x, (int, float, np.ndarray, np.number)):
            raise TypeError(
                f"{name}: expected numbers, NumPy's arrays or symbols of a cell, got {describe(x)}"
            )
        if isinstance(x, np.ndarray) and x.dtype.kind not in "fiu":
            raise TypeError(f"{name}: expected an array of numbers, got {describe(x)}")


def _unary(name: str, x: Any) -> Any:
    trace = trace_of(x)
    if trace is not None:
        return Value(trace, trace.graph.apply(name, trace.node(x)))
    numbers(name, x)
    return NUMPY[name](x)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)).

    Args:
        x: a symbol, or numbers.

    Returns:
        The same kind, between 0 and 1.
    """
    return _unary("sigmoid", x)


def tanh(x: Any) -> Any:
    """The hyperbolic tangent.

    Args:
        x: a symbol, or numbers.

    Returns:
        The same kind, between -1 and 1.
    """
    return _unary("tanh", x)


def exp(x: Any) -> Any:
    """e to the power of x.

    Args:
        x: a symbol, or numbers.

    Returns:
        The same kind, above 0.
    """
    return _unary("exp", x)


def log(x: Any) -> Any:
    """The natural logarithm.

    Args:
        x: a symbol, or numbers.

    Returns:
        The same kind, NaN below 0.
    """
    return _unary("log", x)


def sqrt(x: Any) -> Any:
    """The square root.

    Args:
        x: a symbol, or numbers.

    Returns:
        The same kind, NaN below 0.
    """
    return _unary("sqrt", x)


def softplus(x: Any) -> Any:
    """log(1 + exp(x)).

    Args:
        x: a symbol, or numbers.

    Returns:
        The same kind, above 0.
    """
    return _unary("softplus", x)


def _extreme(name: str, op: str, a: Any, b: Any) -> Any:
    trace = trace_of(a, b)
    if trace is not None:
        return Value(trace, trace.graph.extreme(op, trace.node(a), trace.node(b)))
    numbers(name, a, b)
    return NUMPY[op](a, b)


def maximum(a: Any, b: Any) -> Any:
    """The larger of two, NaN if either is. Its gradient goes to a where a > b, else to b. (Of a symbol and a number it
    is 0 where they are equal, whichever comes first.)

    Args:
        a: a symbol, or numbers.
        b: a symbol, or numbers.

    Returns:
        A symbol if either is one, else numbers.
    """
    return _extreme("maximum", "max", a, b)


def minimum(a: Any, b: Any) -> Any:
    """The smaller of two, NaN if either is. Its gradient goes to a where a < b, else to b. (Of a symbol and a number it
    is 0 where they are equal, whichever comes first.)

    Args:
        a: a symbol, or numbers.
        b: a symbol, or numbers.

    Returns:
        A symbol if either is one, else numbers.
    """
    return _extreme("minimum", "min", a, b)


def relu(x: Any) -> Any:
    """x where it is above 0, else 0.

    Args:
        x: a symbol, or numbers.

    Returns:
        The same kind.
    """
    return _extreme("relu", "max", x, 0.0)


def clip(x: Any, low: Any, high: Any) -> Any:
    """x, but no less than low and no more than high. No gradient comes from beyond them.

    Args:
        x: a symbol, or numbers.
        low: the least, a symbol or numbers.
        high: the most, a symbol or numbers.

    Returns:
        A symbol if one of them is, else numbers.
    """
    return _extreme("clip", "min", _extreme("clip", "max", x, low), high)


def hard_sigmoid(x: Any, slope: float = 1 / 6, offset: float = 0.5) -> Any:
    """`slope` x + `offset`, between 0 and 1. The defaults are those of torch, Keras 3 and ONNX's HardSwish.

    Args:
        x: a symbol, or numbers.
        slope: a number; 0.2 in Keras 1 and 2 and in ONNX's HardSigmoid.
        offset: a number, the result at 0.

    Returns:
        The same kind.
    """
    trace = trace_of(x, slope, offset)
    if trace is None:
        numbers("hard_sigmoid", x, slope, offset)
    return clip(slope * x + offset, 0.0, 1.0)


def where(condition: Any, then: Any, otherwise: Any) -> Any:
    """A choice for each unit and row. What is not chosen gets the gradient 0; as in torch that becomes NaN where its
    slope is infinite or NaN, so sqrt(maximum(x, 1e-6)) rather than where(x > 0, sqrt(x), 0).

    Args:
        condition: True or False of numbers; of symbols a comparison, as x > 0, or several: (x > 0) & (x < y), |, ~.
        then: a symbol, or numbers: the result where it holds.
        otherwise: a symbol, or numbers: the result elsewhere, and so where a number that is compared is NaN.

    Returns:
        A symbol if one of them is, else numbers.

    Raises:
        TypeError: the condition is none.
    """
    trace = trace_of(condition, then, otherwise)
    if trace is None:
        numbers("where", then, otherwise)
        if np.asarray(condition).dtype != np.bool_:
            raise TypeError(f"where: expected a condition, as x > 0, got {describe(condition)}")
        return np.where(condition, then, otherwise)
    if isinstance(condition, (bool, np.bool_)):  # of plain numbers, while the function runs
        return Value(trace, trace.node(then if condition else otherwise))
    if not isinstance(condition, Condition):
        got = "a value" if isinstance(condition, Value) else describe(condition)
        trace.refuse(f"where: expected a condition, as x > 0, got {got}")
    if condition.trace is not trace:
        trace.node(condition)  # refuses it
    return Value(trace, condition.choose(trace.node(then), trace.node(otherwise)))


def spike(x: Any, slope: float = 25.0) -> Any:
    """1 where x > 0, else 0. Backward it is x / (1 + `slope` |x|), whose derivative is 1 / (1 + `slope` |x|)^2.

    Args:
        x: a symbol, or numbers.
        slope: a number, how narrow the derivative is.

    Returns:
        The same kind.
    """
    trace = trace_of(x, slope)
    if trace is not None:
        return Value(trace, trace.graph.spike(trace.node(x), trace.number(slope)))
    numbers("spike", x, slope)
    return NUMPY["spike"](x, slope)


def zoneout(old: Any, new: Any, p: float) -> Any:
    """In training `old` with probability p, else `new`, drawn for each unit, step and sequence; otherwise p old +
    (1 - p) new, which is the mean of that (Krueger et al. 2017). Of numbers it is the mean.

    Args:
        old: a state before the step, a symbol or numbers.
        new: the same after it, a symbol or numbers.
        p: the chance, a number from 0 to 1.

    Returns:
        One of them, unit by unit, or their mean.

    Raises:
        ValueError: p lies elsewhere.
    """
    trace = trace_of(old, new, p)
    if isinstance(p, (int, float)) and not isinstance(p, bool) and not 0 <= p <= 1:
        raise ValueError(f"p: expected 0 to 1, got {p}")
    if trace is None:
        numbers("zoneout", old, new, p)
        return p * old + (1 - p) * new
    kept = Value(trace, trace.graph.chance(trace.number(p)))
    mean = kept * old + (1.0 - kept) * new
    return where(
        kept >= 1.0, old, where(kept <= 0.0, new, mean)
    )  # no product with 0: a state may be infinite
