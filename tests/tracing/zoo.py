"""Cells from papers and libraries, in the notation of traced functions. Their functions also run with torch's."""

from elman.tracing import (
    clip,
    exp,
    hard_sigmoid,
    layer_norm,
    maximum,
    mean,
    relu,
    sigmoid,
    softplus,
    spike,
    sqrt,
    tanh,
    trace,
    variance,
    where,
)

ZOO = {}


def cell(slots, states, **more):
    def decorate(function):
        ZOO[function.__name__] = trace(function, slots, states, **more)
        return function

    return decorate


@cell("i f g o", "h c", bias={"f": 1.0})
def lstm(i, f, g, o, c):
    c1 = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c1), c1


@cell({"r": "xh", "z": "xh", "n_x": "x", "n_h": "h"}, "h")
def gru(r, z, n_x, n_h, h):
    n = tanh(sigmoid(r) * n_h + n_x)
    return sigmoid(z) * (h - n) + n


@cell("a", "h")
def rnn(a):
    return tanh(a)


@cell("i f g o", "h c", params="p_i p_f p_o")
def peephole(i, f, g, o, c, p_i, p_f, p_o):
    c1 = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * tanh(g)
    return sigmoid(o + p_o * c1) * tanh(c1), c1


@cell("f g o", "h c")
def cifg(f, g, o, c):
    f, g = sigmoid(f), tanh(g)
    c1 = f * (c - g) + g
    return sigmoid(o) * tanh(c1), c1


@cell("i f g o", "h c")
def clipped(i, f, g, o, c, t=0.8):
    c1 = sigmoid(clip(f, -t, t)) * c + sigmoid(clip(i, -t, t)) * tanh(clip(g, -t, t))
    c1 = clip(c1, -t, t)
    return sigmoid(clip(o, -t, t)) * tanh(c1), c1


@cell("i f g o", "h c")
def keras_old(i, f, g, o, c):
    c1 = hard_sigmoid(f, 0.2) * c + hard_sigmoid(i, slope=0.2) * tanh(g)
    return hard_sigmoid(o) * tanh(c1), c1


@cell("z i f o", "h c n m")
def slstm(z, i, f, o, c, n, m):
    """xLSTM, equations 8 to 17, with the forget gate through a sigmoid."""
    log_f = m - softplus(-f)
    m1 = maximum(i, log_f)
    i1, f1 = exp(i - m1), exp(log_f - m1)
    c1, n1 = f1 * c + i1 * tanh(z), f1 * n + i1
    return sigmoid(o) * c1 / n1, c1, n1, m1


@cell({"a": "x"}, "h", params={"u": (-1.0, 1.0)})
def indrnn(a, h, u):
    return relu(a + u * h)


@cell({"z": "x", "n": "x"}, "h")
def mingru(z, n, h):
    g = where(n > 0, n + 0.5, sigmoid(n))
    return sigmoid(z) * (g - h) + h


@cell({"f": "x", "i": "x", "n": "x"}, "h")
def minlstm(f, i, n, h):
    f, i = sigmoid(f), sigmoid(i)
    return (f * h + i * where(n <= 0, sigmoid(n), n + 0.5)) / (f + i)


@cell({"u": "x", "f": "x", "r": "x", "skip": "x"}, "h c", params="v_f v_r")
def sru(u, f, r, skip, c, v_f, v_r):
    f, r = sigmoid(f + v_f * c), sigmoid(r + v_r * c)
    c1 = f * (c - u) + u
    return r * (c1 - skip) + skip, c1


@cell("z a", "h")
def ligru(z, a, h):
    a = relu(a)
    return sigmoid(z) * (h - a) + a


@cell("a", "h")
def leaky(a, h):
    return 0.2 * (tanh(a) - h) + h


@cell("a", "r v")
def ctrnn(a, v):
    v1 = 0.2 * (a - v) + v
    return relu(v1), v1


@cell("a b t_a t_b", "h", scalars="dt")
def cfc(a, b, t_a, t_b, dt):
    t = sigmoid(t_a * dt + t_b)
    return t * (tanh(b) - tanh(a)) + tanh(a)


@cell("a", "s u")
def spiking(a, s, u):
    u1 = 0.9 * u + a - s
    return spike(u1 - 1.0), u1


@cell({"r": "x", "i": "x", "x": "x"}, "h", params={"rate": (0.1, 1.0)})
def rg_lru(r, i, x, h, rate):
    log_a = -8 * softplus(rate) * sigmoid(r)
    return exp(log_a) * h + sqrt(1 - exp(2 * log_a)) * (sigmoid(i) * x)


@cell({"re": "x", "im": "x"}, "a b", params="l_re l_im")
def lru(re, im, a, b, l_re, l_im):
    return l_re * a - l_im * b + re, l_re * b + l_im * a + im


@cell({"r": "xh", "z": "xh", "n": "x"}, "h", matrices="u")
def gru_before(r, z, n, h, u):
    n = tanh(n + u(sigmoid(r) * h))
    return sigmoid(z) * (h - n) + n


@cell({"f": "xh", "n": "x"}, "h", matrices="u")
def mgu(f, n, h, u):
    f = sigmoid(f)
    return f * (tanh(n + u(f * h)) - h) + h


@cell("i g", "h c", params="p", matrices="u v w")
def three_stages(i, g, h, c, p, u, v, w):
    """Two products of one row, one of a state beyond h, and each needs what came before it."""
    row = sigmoid(i) * c
    m = tanh(u(row) + p * g) - v(row)
    c1 = sigmoid(g) * c + m * sigmoid(i)
    return tanh(w(c1 * m) + c) + h, c1


@cell("a", "h c", matrices="u v", scalars="t")
def rows_of_leaves(a, c, t, u, v):
    """What is multiplied need not have been computed."""
    return tanh(a + u(c)) * t, sigmoid(v(a)) * c


@cell("i f g o", "h c", params="g_i g_f g_g g_o g_c s_c")
def normed_lstm(i, f, g, o, c, g_i, g_f, g_g, g_o, g_c, s_c):
    i, f, g, o = layer_norm([i, f, g, o], [g_i, g_f, g_g, g_o])
    c1 = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(layer_norm(c1, g_c, s_c)), c1


@cell({"r": "xh", "z": "xh", "n": "x"}, "h", params="gain shift", matrices="u")
def normed_gru_before(r, z, n, h, gain, shift, u):
    """Statistics and products in turns."""
    r, z = layer_norm([r, z])
    n = tanh(layer_norm(n + u(sigmoid(r) * h), gain, shift, 1e-3))
    return sigmoid(z) * (h - n) + n


@cell("a b", "h c", scalars="t")
def statistics_of_all(a, b, h, c, t):
    """Statistics of leaves, of results, of statistics, and of both directions of time."""
    m, v = mean(h, t, c), variance(a, h)
    c1 = tanh(a - m) * c + b * mean(mean(b) * v)
    return c1 / sqrt(variance(c1) + 1.0) + v, c1


@cell({"a": "h", "b": "x", "c": "xh"}, "h w v")
def swapping(a, b, c, h, w, v):
    """Slots fed by one of both, in the wrong order."""
    return w + a * b, c, abs(c) ** 3 / (1 + v * v) + h


@cell("a", "h w k")
def passing(a, h, w):
    """States that change places."""
    return w, h, 2.0 - where((a > 0) & ~(h >= 1) | (w == 0), a, h)
