"""The LSTM, with what libraries let one choose, and its relatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _check
from ..tracing import CellDefinition, cell, clip, sigmoid, tanh, trace
from ._made import made, optional_bound
from .activations import Activation
from .activations import activation as function_of


def clipped(function: Callable[[Any], Any], bound: float | None) -> Callable[[Any], Any]:
    """The function of what is clipped first."""
    return function if bound is None else lambda x: function(clip(x, -bound, bound))


def _seen(a: Any, p: Any, c: Any) -> Any:
    """A gate's sum with its peephole, if it has one."""
    return a if p is None else a + p * c


@made
def lstm(
    peepholes: bool = False,
    coupled: bool = False,
    cell_clip: float | None = None,
    gate_clip: float | None = None,
    activation: Activation = "tanh",
    gate_activation: Activation = "sigmoid",
    output_activation: Activation | None = None,
    projection: bool = False,
) -> CellDefinition:
    """LSTM (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000), as ONNX's operator has it; states h c:

    i = s(i + p_i c);  f = s(f + p_f c);  g = t(g);  c' = f c + i g;  o = s(o + p_o c');  h' = o u(c').

    s is gate_activation, t activation, u output_activation; i, f, g, o to the right of = are W_ih x + b_ih + W_hh h +
    b_hh. Rows of the weights: i f g o, without f if coupled. Params, if there are peepholes: p_i, p_f, p_o, a number
    for each unit. What is compiled (`elman.LSTM`) is faster than this one without options.

    Args:
        peepholes: True adds the terms of c (Gers et al. 2002).
        coupled: True for f = 1 - i, and no p_f (Greff et al. 2017; ONNX's input_forget).
        cell_clip: c' lies within +-this number, as in TensorFlow; None for no bound.
        gate_clip: what goes into s and t lies within +-this number, as ONNX Runtime's clip; None for no bound.
        activation: a name, as "tanh"; a name with its numbers, as ("leaky_relu", 0.3); or a function.
        gate_activation: the same kind.
        output_activation: the same kind; None for that of `activation`.
        projection: True for h' = W_p (o u(c')) + b_p (Sak et al. 2014), whose rows are the last ones of weight_hh. It
            has as many features as units; `elman.torch.LSTM` has fewer, with proj_size.

    Returns:
        The cell.

    Raises:
        ValueError: an argument has the wrong type or value.
    """
    for name, value in (("peepholes", peepholes), ("coupled", coupled), ("projection", projection)):
        _check.flag(name, value)
    bound, most = optional_bound("gate_clip", gate_clip), optional_bound("cell_clip", cell_clip)
    t = clipped(function_of("activation", activation), bound)
    s = clipped(function_of("gate_activation", gate_activation), bound)
    out = activation if output_activation is None else output_activation
    u = function_of("output_activation", out)

    def step(i, f, g, o, c, p_i=None, p_f=None, p_o=None, w_p=None):
        kept = None if f is None else s(_seen(f, p_f, c))
        i, g = s(_seen(i, p_i, c)), t(g)
        c1 = i * (g - c) + c if kept is None else kept * c + i * g
        c1 = c1 if most is None else clip(c1, -most, most)
        h1 = s(_seen(o, p_o, c1)) * u(c1)
        return h1 if w_p is None else w_p(h1), c1

    def coupled_step(i, g, o, c, p_i=None, p_o=None, w_p=None):
        return step(i, None, g, o, c, p_i, None, p_o, w_p)

    matrices = "w_p" if projection else ""

    if coupled:
        params = "p_i p_o" if peepholes else ""
        return trace(coupled_step, "i g o", "h c", params, bias={"i": -1.0}, matrices=matrices)
    params = "p_i p_f p_o" if peepholes else ""
    return trace(step, "i f g o", "h c", params, bias={"f": 1.0}, matrices=matrices)


@cell("i f g o", "h c", params="p_i p_f p_o", bias={"f": 1.0})
def peephole_lstm(i, f, g, o, c, p_i, p_f, p_o):
    """LSTM with peepholes (Gers et al. 2002); states h c:

    i = sigmoid(i + p_i c);  f = sigmoid(f + p_f c);  c' = f c + i tanh(g);  h' = sigmoid(o + p_o c') tanh(c').

    Rows of the weights: i f g o. Params: p_i, p_f and p_o, the peepholes, a number for each unit. It is
    `lstm(peepholes=True)` by its name.
    """
    c1 = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * tanh(g)
    return sigmoid(o + p_o * c1) * tanh(c1), c1


@cell("i g o", "h c", bias={"i": -1.0})
def cifg(i, g, o, c):
    """LSTM with coupled input and forget gates (Greff et al. 2017); states h c:

    c' = (1 - sigmoid(i)) c + sigmoid(i) tanh(g);  h' = sigmoid(o) tanh(c').

    Rows of the weights: i g o. It is `lstm(coupled=True)` by its name.
    """
    c1 = sigmoid(i) * (tanh(g) - c) + c
    return sigmoid(o) * tanh(c1), c1


@made
def janet(beta: float = 1.0) -> CellDefinition:
    """JANET, an LSTM of the forget gate alone (van der Westhuizen & Lasenby 2018), one state h:

    h' = sigmoid(f) h + (1 - sigmoid(f - beta)) tanh(g).

    Rows of the weights: f g.

    Args:
        beta: a number, how much more is added than forgotten.

    Returns:
        The cell.

    Raises:
        ValueError: beta is no number of at least 0.
    """
    shift = _check.not_negative("beta", beta)

    def janet(f, g, h):
        return sigmoid(f) * h + (1.0 - sigmoid(f - shift)) * tanh(g)

    return trace(janet, "f g", "h", bias={"f": 1.0})


@cell({"g": "x", "i": "xh", "f": "xh"}, "h c", bias={"f": 1.0})
def ran(g, i, f, c):
    """Recurrent additive network (Lee et al. 2017); states h c:

    c' = sigmoid(i) (W_g x + b_g) + sigmoid(f) c;  h' = tanh(c').

    Rows of the weights of x: g i f; of h: i f.
    """
    c1 = sigmoid(i) * g + sigmoid(f) * c
    return tanh(c1), c1
