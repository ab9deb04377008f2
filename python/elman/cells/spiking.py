"""Neurons that fire, with a slope in the place of the derivative of a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _check
from .._check import describe
from ..tracing import CellDefinition, spike, trace, where
from ._made import made


def _neuron(
    beta: float, threshold: float, reset: str, slope: float, at_zero: Callable[[Any], Any]
) -> Callable[[Any, Any], Any]:
    """A step from the sum and the potential; `at_zero` is the potential of one that is reset to zero."""
    if isinstance(beta, bool) or not isinstance(beta, (int, float)) or not 0 <= beta <= 1:
        raise ValueError(f"beta: expected a number from 0 to 1, got {describe(beta)}")
    top, narrow = _check.positive("threshold", threshold), _check.positive("slope", slope)
    _check.choice("reset", reset, ("subtract", "zero", "none"))

    def step(a: Any, u: Any) -> Any:
        u1 = beta * u + a
        # A choice, so there is no derivative of whether it was reset.
        if reset == "subtract":
            u1 = u1 - where(u > top, top, 0.0)
        if reset == "zero":
            u1 = where(u > top, at_zero(a), u1)
        return spike(u1 - top, narrow), u1

    return step


@made
def lif(
    beta: float = 0.9, threshold: float = 1.0, reset: str = "subtract", slope: float = 25.0
) -> CellDefinition:
    """Leaky integrate-and-fire neuron (Eshraghian et al. 2023, snntorch's Leaky), states s u; no slot is fed by s:

    u' = beta u + W_ih x + b_ih - threshold [u > threshold];  s' = [u' > threshold].

    The spikes s go out. Backward the derivative of s' is 1 / (1 + slope |u' - threshold|)^2, that of the reset 0.

    Args:
        beta: a number from 0 to 1, what is left of the potential after a step.
        threshold: a number above 0.
        reset: "subtract", as above; "zero", u is 0 after a spike; or "none".
        slope: a number above 0.

    Returns:
        The cell.

    Raises:
        ValueError: an argument has the wrong type or value.
    """
    step = _neuron(beta, threshold, reset, slope, lambda a: a)

    def lif(a, u):
        return step(a, u)

    return trace(lif, {"a": "x"}, "s u")


@made
def rlif(
    beta: float = 0.9, threshold: float = 1.0, reset: str = "subtract", slope: float = 25.0
) -> CellDefinition:
    """Leaky integrate-and-fire neuron that reads the spikes of all (Eshraghian et al. 2023, snntorch's RLeaky),
    states s u:

    u' = beta u + W_ih x + b_ih + W_hh s + b_hh - threshold [u > threshold];  s' = [u' > threshold].

    The spikes s go out. Backward the derivative of s' is 1 / (1 + slope |u' - threshold|)^2, that of the reset 0.

    Args:
        beta: a number from 0 to 1, what is left of the potential after a step.
        threshold: a number above 0.
        reset: "subtract", as above; "zero", u' is 0 after a spike, whatever comes in; or "none".
        slope: a number above 0.

    Returns:
        The cell.

    Raises:
        ValueError: an argument has the wrong type or value.
    """
    step = _neuron(beta, threshold, reset, slope, lambda a: 0.0)

    def rlif(a, u):
        return step(a, u)

    return trace(rlif, "a", "s u")
