"""Cells with time between steps."""

from __future__ import annotations

from .. import _check
from ..tracing import CellDefinition, exp, sigmoid, tanh, trace
from ._made import made


@made
def cfc(mode: str = "default") -> CellDefinition:
    """Closed-form continuous-time network (Hasani et al. 2022) without a backbone, as the package ncps has it; one
    state h:

    t = sigmoid(t_a dt + t_b);  h' = (1 - t) tanh(a) + t tanh(b).

    Rows of the weights: a b t_a t_b; in mode "pure" one slot, a. Scalar: dt, the time since the step before. Params
    of mode "pure": w_tau and top, a number for each unit.

    Args:
        mode: "default"; "no_gate", h' = tanh(a) + t tanh(b); or "pure",
            h' = top (1 - a exp(-dt (|w_tau| + |a|))).

    Returns:
        The cell.

    Raises:
        ValueError: mode is another word.
    """
    _check.choice("mode", mode, ("default", "no_gate", "pure"))

    def gated(a, b, t_a, t_b, dt):
        t, a, b = sigmoid(t_a * dt + t_b), tanh(a), tanh(b)
        return t * b + a if mode == "no_gate" else t * (b - a) + a

    def pure(a, dt, w_tau, top):
        return top - top * a * exp(-dt * (abs(w_tau) + abs(a)))

    if mode == "pure":
        return trace(pure, "a", "h", {"w_tau": 0.0, "top": 1.0}, "dt")
    return trace(gated, "a b t_a t_b", "h", scalars="dt")


@made
def unicornn(dt: float = 0.1, alpha: float = 1.0) -> CellDefinition:
    """UnICORNN, undamped independent oscillators (Rusch & Mishra 2021); states y z; no slot is fed by y:

    s = dt sigmoid(c);  z' = z - s (tanh(W_ih x + b_ih + w y) + alpha y);  y' = y + s z'.

    Params, a number for each unit: w, what it has of itself, and c, how fast it is.

    Args:
        dt: a number above 0, the longest step.
        alpha: a number of at least 0.

    Returns:
        The cell.

    Raises:
        ValueError: an argument has the wrong type or value.
    """
    longest, pull = _check.positive("dt", dt), _check.not_negative("alpha", alpha)

    def unicornn(a, y, z, w, c):
        s = longest * sigmoid(c)
        z1 = z - s * (tanh(a + w * y) + pull * y)
        return y + s * z1, z1

    return trace(unicornn, {"a": "x"}, "y z", {"w": (0.0, 1.0), "c": (-0.1, 0.1)})
