"""One sum and one activation: plain, leaky and reservoir networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._check import describe
from ..tracing import CellDefinition, sigmoid, tanh, trace
from ._made import made, optional_bound
from .activations import Activation
from .activations import activation as function_of
from .lstms import clipped


def _share(name: str, value: Any) -> float:
    """A number above 0, up to 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
        raise ValueError(f"{name}: expected a number above 0, up to 1, got {describe(value)}")
    return float(value)


@made
def rnn(activation: Activation = "tanh", gate_clip: float | None = None) -> CellDefinition:
    """Plain RNN (Elman 1990), one state h, with any activation f:

    h' = f(W_ih x + b_ih + W_hh h + b_hh).

    What is compiled (`elman.RNN`) is faster for tanh and relu.

    Args:
        activation: a name, as "tanh"; a name with its numbers, as ("leaky_relu", 0.3); or a function.
        gate_clip: what goes into f lies within +-this number, as with ONNX's clip; None for no bound.

    Returns:
        The cell.

    Raises:
        ValueError: an argument has the wrong type or value.
    """
    f = clipped(function_of("activation", activation), optional_bound("gate_clip", gate_clip))

    def rnn(a):
        return f(a)

    return trace(rnn, "a", "h")


def _leaky(share: float, f: Callable[[Any], Any]) -> CellDefinition:
    def step(a, h):
        return f(a) if share == 1 else share * (f(a) - h) + h

    return trace(step, "a", "h")


@made
def leaky_rnn(alpha: float = 0.2, activation: Activation = "tanh") -> CellDefinition:
    """Leaky integrator (Jaeger et al. 2007), one state h:

    h' = (1 - alpha) h + alpha f(W_ih x + b_ih + W_hh h + b_hh).

    Args:
        alpha: a number above 0, up to 1, the share that is new.
        activation: f: a name, as "tanh"; a name with its numbers, as ("leaky_relu", 0.3); or a function.

    Returns:
        The cell.

    Raises:
        ValueError: an argument has the wrong type or value.
    """
    share, f = _share("alpha", alpha), function_of("activation", activation)

    return _leaky(share, f)


@made
def echo_state(leak: float = 1.0, activation: Activation = "tanh") -> CellDefinition:
    """Reservoir of an echo state network (Jaeger 2001, with the leak of Lukosevicius 2012), one state h:

    h' = (1 - leak) h + leak f(W_ih x + b_ih + W_hh h + b_hh).

    The weights stay as they are: give them values and freeze the layer (`frozen=` of `fit`); what is trained is a
    `Linear` that reads h.

    Args:
        leak: a number above 0, up to 1.
        activation: f: a name, as "tanh"; a name with its numbers, as ("leaky_relu", 0.3); or a function.

    Returns:
        The cell.

    Raises:
        ValueError: an argument has the wrong type or value.
    """
    share, f = _share("leak", leak), function_of("activation", activation)

    return _leaky(share, f)


@made
def ctrnn(tau: float = 5.0, activation: Activation = "relu") -> CellDefinition:
    """Continuous-time RNN in steps of Euler's method (Beer 1995; Song et al. 2016); states r v, of which r, the
    rates, go out and into W_hh:

    v' = v + (W_ih x + b_ih + W_hh r + b_hh - v) / tau;  r' = f(v').

    Args:
        tau: a number of at least 1, the time constant in steps.
        activation: f: a name, as "tanh"; a name with its numbers, as ("leaky_relu", 0.3); or a function.

    Returns:
        The cell.

    Raises:
        ValueError: an argument has the wrong type or value.
    """
    if isinstance(tau, bool) or not isinstance(tau, (int, float)) or not 1 <= tau < float("inf"):
        raise ValueError(f"tau: expected a number of at least 1, got {describe(tau)}")
    share, f = 1.0 / tau, function_of("activation", activation)

    def ctrnn(a, v):
        v1 = share * (a - v) + v
        return f(v1), v1

    return trace(ctrnn, "a", "r v")


@made
def ind_rnn(activation: Activation = "relu") -> CellDefinition:
    """Independently recurrent network (Li et al. 2018), one state h; no slot is fed by h:

    h' = f(W_ih x + b_ih + u h).

    Params: u, what each unit has of itself, drawn between -1 and 1.

    Args:
        activation: f: a name, as "tanh"; a name with its numbers, as ("leaky_relu", 0.3); or a function.

    Returns:
        The cell.

    Raises:
        ValueError: it is no activation.
    """
    f = function_of("activation", activation)

    def ind_rnn(a, h, u):
        return f(a + u * h)

    return trace(ind_rnn, {"a": "x"}, "h", {"u": (-1.0, 1.0)})


@made
def fast_rnn(activation: Activation = "tanh") -> CellDefinition:
    """FastRNN (Kusupati et al. 2018), one state h:

    h' = sigmoid(alpha) f(W_ih x + b_ih + W_hh h + b_hh) + sigmoid(beta) h.

    Params: alpha, beta, a number for each unit, where the paper has one for all.

    Args:
        activation: f: a name, as "tanh"; a name with its numbers, as ("leaky_relu", 0.3); or a function.

    Returns:
        The cell.

    Raises:
        ValueError: it is no activation.
    """
    f = function_of("activation", activation)

    def fast_rnn(a, h, alpha, beta):
        return sigmoid(alpha) * f(a) + sigmoid(beta) * h

    return trace(fast_rnn, "a", "h", {"alpha": -3.0, "beta": 3.0})


@made
def fast_grnn(gate_activation: Activation = "sigmoid") -> CellDefinition:
    """FastGRNN (Kusupati et al. 2018) with full matrices, which gate and candidate share; one state h:

    a = W_ih x + b_ih + W_hh h + b_hh;  z = s(a + b_z);  h' = (sigmoid(zeta) (1 - z) + sigmoid(nu)) tanh(a) + z h.

    Params, a number for each unit: b_z, what the gate's bias has more than the candidate's; zeta and nu, where the
    paper has one for all.

    Args:
        gate_activation: s: a name, as "sigmoid"; a name with its numbers, as ("hard_sigmoid", 0.2); or a function.

    Returns:
        The cell.

    Raises:
        ValueError: it is no activation.
    """
    s = function_of("gate_activation", gate_activation)

    def fast_grnn(a, h, b_z, zeta, nu):
        z = s(a + b_z)
        return (sigmoid(zeta) * (1.0 - z) + sigmoid(nu)) * tanh(a) + z * h

    return trace(fast_grnn, "a", "h", {"b_z": 0.0, "zeta": 1.0, "nu": -4.0})
