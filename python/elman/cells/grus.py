"""The GRU and its relatives: gates between the state and a candidate."""

from __future__ import annotations

from .. import _check
from ..tracing import CellDefinition, cell, exp, relu, sigmoid, tanh, trace
from ._made import made, optional_bound
from .activations import Activation
from .activations import activation as function_of
from .lstms import clipped


@made
def gru(
    reset_after: bool = True,
    activation: Activation = "tanh",
    gate_activation: Activation = "sigmoid",
    gate_clip: float | None = None,
) -> CellDefinition:
    """GRU (Cho et al. 2014), one state h; with the reset gate after the product, as in torch and cuDNN:

    r = s(r);  z = s(z);  n = t(W_n x + b_n + r (W_hn h + b_hn));  h' = (1 - z) n + z h;

    with the reset gate before it, as in the paper and by default in ONNX:

    n = t(W_n x + b_n + W_hn (r h) + b_hn).

    s is gate_activation, t activation. Rows of both weights: r z n. What is compiled (`elman.GRU`) is faster than
    this one without options.

    Args:
        reset_after: ONNX's linear_before_reset, Keras's reset_after. False takes a second product in each step, which
            waits for the first.
        activation: a name, as "tanh"; a name with its numbers, as ("leaky_relu", 0.3); or a function.
        gate_activation: the same kind.
        gate_clip: what goes into s and t lies within +-this number, as with ONNX's clip; None for no bound.

    Returns:
        The cell.

    Raises:
        ValueError: an argument has the wrong type or value.
    """
    reset_after = _check.flag("reset_after", reset_after)
    bound = optional_bound("gate_clip", gate_clip)
    t = clipped(function_of("activation", activation), bound)
    s = clipped(function_of("gate_activation", gate_activation), bound)

    def gru(r, z, n_x, n_h, h):
        n = t(s(r) * n_h + n_x)
        return s(z) * (h - n) + n

    def gru_before(r, z, n, h, u):
        n = t(n + u(s(r) * h))
        return s(z) * (h - n) + n

    if not reset_after:
        return trace(gru_before, {"r": "xh", "z": "xh", "n": "x"}, "h", matrices="u")
    return trace(gru, {"r": "xh", "z": "xh", "n_x": "x", "n_h": "h"}, "h")


@cell({"r": "xh", "u": "xh", "n_x": "x", "n_h": "h"}, "h", scalars="attention")
def augru(r, u, n_x, n_h, h, attention):
    """GRU with an attentional update gate, of DIEN (Zhou et al. 2019); one state h:

    n = tanh(W_n x + b_n + sigmoid(r) (W_hn h + b_hn));  u' = attention sigmoid(u);  h' = (1 - u') h + u' n.

    Rows of both weights: r u n. Scalar: attention, the score of the step, 0 to 1.
    """
    n = tanh(sigmoid(r) * n_h + n_x)
    return attention * sigmoid(u) * (n - h) + h


@cell({"f": "xh", "n": "x"}, "h", matrices="u")
def mgu(f, n, h, u):
    """Minimal gated unit (Zhou et al. 2016), a GRU whose gates are one; one state h:

    f = sigmoid(f);  n = tanh(W_n x + b_n + U (f h) + b_u);  h' = (1 - f) h + f n.

    Rows of the weights of x: f n; of h: f, and U.
    """
    f = sigmoid(f)
    return f * (tanh(n + u(f * h)) - h) + h


@cell({"r": "x", "z": "x", "n": "x", "d": "x"}, "h", matrices="u_r u_z u_n")
def gru_d(r, z, n, d, h, u_r, u_z, u_n):
    """GRU-D (Che et al. 2018), whose state decays while values are missing; one state h. With x = [v m delta] of each
    step (values, the last ones or means where they are missing; 1 where one is there, else 0; time since then):

    d' = exp(-max(0, d)) h;  r = sigmoid(r + U_r d' + b_r);  z = sigmoid(z + U_z d' + b_z);
    n = tanh(n + U_n (r d') + b_n);  h' = (1 - z) d' + z n.

    Rows of the weights of x: r z n d; of h: U_r, U_z, U_n. In the paper the rows of d read delta alone and the others
    no delta; here all read all of x. Decayed inputs, v = m x + (1 - m) (g last + (1 - g) mean), are the caller's.
    """
    h = exp(-relu(d)) * h
    r, z = sigmoid(r + u_r(h)), sigmoid(z + u_z(h))
    n = tanh(n + u_n(r * h))
    return z * (n - h) + h


@cell("z a", "h")
def li_gru(z, a, h):
    """Light GRU (Ravanelli et al. 2018), without the batch normalisation of its x, which a layer below can do; one
    state h:

    a = relu(a);  h' = (1 - sigmoid(z)) a + sigmoid(z) h.

    Rows of the weights: z a.
    """
    a = relu(a)
    return sigmoid(z) * (h - a) + a


@cell("c g", "h")
def ugrnn(c, g, h):
    """Update gate RNN (Collins et al. 2017), one state h:

    h' = sigmoid(g) h + (1 - sigmoid(g)) tanh(c).

    Rows of the weights: c g.
    """
    c = tanh(c)
    return sigmoid(g) * (h - c) + c


@cell({"f": "xh", "i": "xh", "n": "x"}, "h", bias={"f": 1.0, "i": -1.0})
def cfn(f, i, n, h):
    """Chaos free network (Laurent & von Brecht 2017), one state h:

    h' = sigmoid(f) tanh(h) + sigmoid(i) tanh(W_n x + b_n).

    Rows of the weights of x: f i n; of h: f i.
    """
    return sigmoid(f) * tanh(h) + sigmoid(i) * tanh(n)


@cell({"p": "x", "q": "h"}, "h")
def atr(p, q, h):
    """Addition-subtraction twin-gated RNN (Zhang et al. 2018), one state h:

    p = W_ih x + b_ih;  q = W_hh h + b_hh;  h' = sigmoid(p + q) p + sigmoid(p - q) h.
    """
    return sigmoid(p + q) * p + sigmoid(p - q) * h


@cell({"p": "x", "q": "h"}, "h")
def sgrn(p, q, h):
    """Simple gated recurrent network (Zu & Wei 2021), whose gate and candidate share the weights of x; one state h:

    p = W_ih x + b_ih;  f = sigmoid(p + W_hh h + b_hh);  h' = tanh((1 - f) p + f h).
    """
    return tanh(sigmoid(p + q) * (h - p) + p)


@cell({"z": "x", "k": "xh"}, "h")
def star(z, k, h):
    """Stackable recurrent cell (Turkoglu et al. 2021), one state h:

    k = sigmoid(k);  h' = tanh((1 - k) h + k tanh(W_z x + b_z)).

    Rows of the weights of x: z k; of h: k.
    """
    return tanh(sigmoid(k) * (tanh(z) - h) + h)


@cell({"c": "x", "f": "xh"}, "h")
def light_ru(c, f, h):
    """Light recurrent unit (Ye et al. 2024), one state h:

    f = sigmoid(f);  h' = (1 - f) h + f tanh(W_c x + b_c).

    Rows of the weights of x: c f; of h: f.
    """
    return sigmoid(f) * (tanh(c) - h) + h


@made
def brc(recurrent: str = "diagonal") -> CellDefinition:
    """Bistable recurrent cell (Vecoven et al. 2021), one state h; no slot of the diagonal form is fed by h:

    a = 1 + tanh(a + w_a h);  c = sigmoid(c + w_c h);  h' = c h + (1 - c) tanh(W_n x + b_n + a h).

    Rows of the weights of x: a c n; of h, in the modulated form: a c. Params of the diagonal form: w_a, w_c, what
    each unit has of itself.

    Args:
        recurrent: "diagonal", or "dense" for the recurrently neuromodulated form (nBRC), in which W_hh h stands for
        the terms with w_a and w_c.

    Returns:
        The cell.

    Raises:
        ValueError: recurrent is another word.
    """
    _check.choice("recurrent", recurrent, ("diagonal", "dense"))

    def step(a, c, n, h):
        n = tanh(n + (1.0 + tanh(a)) * h)
        return sigmoid(c) * (h - n) + n

    def diagonal(a, c, n, h, w_a, w_c):
        return step(a + w_a * h, c + w_c * h, n, h)

    if recurrent == "dense":
        return trace(step, {"a": "xh", "c": "xh", "n": "x"}, "h")
    return trace(diagonal, {"a": "x", "c": "x", "n": "x"}, "h", "w_a w_c")
