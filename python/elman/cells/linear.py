"""Recurrences that are linear, or nearly so, in their state, and whose weights read x alone."""

from __future__ import annotations

from typing import Any

from .. import _check
from ..tracing import CellDefinition, cell, exp, maximum, sigmoid, softplus, sqrt, tanh, trace
from ._made import made
from .activations import Activation
from .activations import activation as function_of


def _left(decay: Any, a: Any) -> Any:
    """1 - a^2 of a = exp(-decay), written so that nothing cancels where a is nearly 1."""
    return tanh(decay) * (1.0 + a * a)


@made
def sru(activation: Activation = "linear", highway_scale: float = 1.0) -> CellDefinition:
    """Simple recurrent unit (Lei et al. 2018), states h c; no slot is fed by h:

    f = sigmoid(f + v_f c);  c' = f c + (1 - f) u;  r = sigmoid(r + v_r c);
    h' = r g(c') + (1 - r) scale skip.

    Rows of the weights: u f r skip. Params: v_f, v_r, what each gate has of its unit's c. Where there are as many
    inputs as units, the paper's skip is x itself: the unit matrix in the rows of skip.

    Args:
        activation: g: a name, as "tanh"; a name with its numbers, as ("leaky_relu", 0.3); or a function.
        highway_scale: a number, the scale above: sqrt(1 + 2 exp(b)) in the paper, b the bias of r.

    Returns:
        The cell.

    Raises:
        ValueError: an argument has the wrong type or value.
    """
    g, scale = function_of("activation", activation), _check.positive("highway_scale", highway_scale)

    def sru(u, f, r, skip, c, v_f, v_r):
        f, r = sigmoid(f + v_f * c), sigmoid(r + v_r * c)
        c1, skip = f * (c - u) + u, scale * skip
        return r * (g(c1) - skip) + skip, c1

    return trace(sru, {"u": "x", "f": "x", "r": "x", "skip": "x"}, "h c", "v_f v_r")


@cell({"re": "x", "im": "x"}, "h i", params={"nu": (-6.9, -2.25), "t": (0.0, 1.0)})
def lru(re, im, h, i, nu, t):
    """Linear recurrent unit (Orvieto et al. 2023), complex and diagonal; the states are its real part h, which goes
    out, and its imaginary part i; no slot is fed by h:

    s' = l s + sqrt(1 - |l|^2) B x, where s = h + j i, l = exp(-exp(nu)) (cos(a) + j sin(a)), a = 2 arctan(t).

    Rows of the weights: the real part of B, its imaginary part. Params, a number for each unit: nu, and t, the
    tangent of half the angle in which l turns the state. The readout Re(C s) + D x is a `Linear` outside, which reads
    h. It needs i as well where C is complex: a unit with the same l and with -j B in the place of B has i for its h.
    """
    decay = maximum(exp(nu), 1e-12)
    size = exp(-decay)
    scale = sqrt(_left(decay, size))
    # The sine, and 1 less the cosine, whose error is small where the angle is.
    sine = (2.0 * t) / (1.0 + t * t)
    l_re, l_im = size - size * (t * sine), size * sine
    return l_re * h - l_im * i + scale * re, l_re * i + l_im * h + scale * im


@cell({"r": "x", "i": "x", "x": "x"}, "h", params={"rate": (-9.0, -4.3)})
def rg_lru(r, i, x, h, rate):
    """Real-gated linear recurrent unit of Griffin (De et al. 2024), one state h; no slot is fed by h:

    a = exp(-8 softplus(rate) sigmoid(r));  h' = a h + sqrt(1 - a^2) sigmoid(i) x.

    Rows of the weights: r i x; with the unit matrix in those of x it is the layer's input that is gated. Params:
    rate, a number for each unit, such that a lies between 0.9 and 0.999 where r is large.
    """
    decay = maximum(8.0 * softplus(rate) * sigmoid(r), 1e-12)
    a = exp(-decay)
    return a * h + sqrt(_left(decay, a)) * (sigmoid(i) * x)


@cell({"z": "x", "f": "x"}, "h", bias={"f": 1.0})
def t_rnn(z, f, h):
    """Strongly-typed RNN (Balduzzi & Ghifary 2016), one state h; no slot is fed by h:

    h' = sigmoid(W_f x + b_f) h + (1 - sigmoid(W_f x + b_f)) (W_z x + b_z).

    Rows of the weights: z f.
    """
    return sigmoid(f) * (h - z) + z
