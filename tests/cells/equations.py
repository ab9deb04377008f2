"""A step of each cell in PyTorch, as its paper writes it. Nothing of elman is used here.

A step takes the blocks of W_ih x + b_ih and of W_hh h + b_hh in the order of their rows, the states, and the params and
scalars by name; it gives the new states.
"""

import torch
from torch import sigmoid, tanh
from torch.nn import Identity
from torch.nn.functional import logsigmoid, relu

STEPS = {}
SAME = Identity()


def step(function):
    STEPS[function.__name__] = function
    return function


def both(x, h):
    return [a + b for a, b in zip(x, h, strict=True)]


class Fire(torch.autograd.Function):
    """[x > 0], with the slope of a fast sigmoid."""

    @staticmethod
    def forward(ctx, x, slope):
        ctx.save_for_backward(x)
        ctx.slope = slope
        return torch.gt(x, 0).to(x.dtype)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient / (ctx.slope * x.abs() + 1) ** 2, None


@step
def slstm(x, h, states, forget="sigmoid"):
    i, f, z, o = both(x, h)
    _, c, n, m = states
    log_f = f if forget == "exp" else logsigmoid(f)
    m1 = i if bool((n == 0).all()) else torch.maximum(i, m + log_f)
    i1, f1 = torch.exp(i - m1).clamp(max=1), torch.exp(m + log_f - m1).clamp(max=1)
    c1, n1 = f1 * c + i1 * tanh(z), f1 * n + i1
    return sigmoid(o) * (c1 / n1), c1, n1, m1


def positive(n):
    return torch.where(n >= 0, n + 0.5, sigmoid(n))


@step
def min_gru(x, h, states, g=positive):
    z = sigmoid(x[0])
    return ((1 - z) * states[0] + z * g(x[1]),)


@step
def min_lstm(x, h, states, g=positive):
    f, i = sigmoid(x[0]), sigmoid(x[1])
    return (f / (f + i) * states[0] + i / (f + i) * g(x[2]),)


@step
def lstm(x, h, states, s=sigmoid, t=tanh, u=None, cell_clip=None, **p):
    i, f, g, o = both(x, h)
    c = states[1]
    i, f = s(i + p.get("p_i", 0) * c), s(f + p.get("p_f", 0) * c)
    c1 = f * c + i * t(g)
    if cell_clip is not None:
        c1 = c1.clamp(-cell_clip, cell_clip)
    h1 = s(o + p.get("p_o", 0) * c1) * (u or t)(c1)
    return p.get("w_p", SAME)(h1), c1


STEPS["peephole_lstm"] = lstm


@step
def cifg(x, h, states, p_i=0, p_o=0, w_p=SAME):
    i, g, o = both(x, h)
    c = states[1]
    i = sigmoid(i + p_i * c)
    c1 = (1 - i) * c + i * tanh(g)
    return w_p(sigmoid(o + p_o * c1) * tanh(c1)), c1


@step
def janet(x, h, states, beta=1.0):
    f, g = both(x, h)
    return (sigmoid(f) * states[0] + (1 - sigmoid(f - beta)) * tanh(g),)


@step
def ran(x, h, states):
    g, i, f = x
    c1 = sigmoid(i + h[0]) * g + sigmoid(f + h[1]) * states[1]
    return tanh(c1), c1


@step
def gru(x, h, states, s=sigmoid, t=tanh):
    r, z = s(x[0] + h[0]), s(x[1] + h[1])
    n = t(x[2] + r * h[2])
    return ((1 - z) * n + z * states[0],)


@step
def augru(x, h, states, attention):
    r, u = sigmoid(x[0] + h[0]), attention * sigmoid(x[1] + h[1])
    n = tanh(x[2] + r * h[2])
    return ((1 - u) * states[0] + u * n,)


@step
def li_gru(x, h, states):
    z, a = both(x, h)
    z = sigmoid(z)
    return (z * states[0] + (1 - z) * relu(a),)


@step
def ugrnn(x, h, states):
    c, g = both(x, h)
    g = sigmoid(g)
    return (g * states[0] + (1 - g) * tanh(c),)


@step
def cfn(x, h, states):
    f, i, n = x
    return (sigmoid(f + h[0]) * tanh(states[0]) + sigmoid(i + h[1]) * tanh(n),)


@step
def atr(x, h, states):
    p, q = x[0], h[0]
    return (sigmoid(p + q) * p + sigmoid(p - q) * states[0],)


@step
def sgrn(x, h, states):
    f = sigmoid(x[0] + h[0])
    return (tanh((1 - f) * x[0] + f * states[0]),)


@step
def star(x, h, states):
    k = sigmoid(x[1] + h[0])
    return (tanh((1 - k) * states[0] + k * tanh(x[0])),)


@step
def light_ru(x, h, states):
    f = sigmoid(x[1] + h[0])
    return ((1 - f) * states[0] + f * tanh(x[0]),)


@step
def gru_before(x, h, states, u, s=sigmoid, t=tanh):
    r, z = s(x[0] + h[0]), s(x[1] + h[1])
    n = t(x[2] + u(r * states[0]))
    return ((1 - z) * n + z * states[0],)


@step
def gru_d(x, h, states, u_r, u_z, u_n):
    old = torch.exp(-relu(x[3])) * states[0]
    r, z = sigmoid(x[0] + u_r(old)), sigmoid(x[1] + u_z(old))
    return ((1 - z) * old + z * tanh(x[2] + u_n(r * old)),)


@step
def mgu(x, h, states, u):
    f = sigmoid(x[0] + h[0])
    return ((1 - f) * states[0] + f * tanh(x[1] + u(f * states[0])),)


@step
def brc(x, h, states, w_a=None, w_c=None):
    old = states[0]
    of_h = h if w_a is None else [w_a * old, w_c * old]
    a, c = 1 + tanh(x[0] + of_h[0]), sigmoid(x[1] + of_h[1])
    return (c * old + (1 - c) * tanh(x[2] + a * old),)


@step
def rnn(x, h, states, f=tanh):
    return (f(x[0] + h[0]),)


@step
def leaky_rnn(x, h, states, alpha=0.2, f=tanh):
    return ((1 - alpha) * states[0] + alpha * f(x[0] + h[0]),)


@step
def echo_state(x, h, states, leak=1.0):
    return ((1 - leak) * states[0] + leak * tanh(x[0] + h[0]),)


@step
def ctrnn(x, h, states, tau=5.0, f=relu):
    v = states[1] + (x[0] + h[0] - states[1]) / tau
    return f(v), v


@step
def ind_rnn(x, h, states, u, f=relu):
    return (f(x[0] + u * states[0]),)


@step
def fast_rnn(x, h, states, alpha, beta):
    return (sigmoid(alpha) * tanh(x[0] + h[0]) + sigmoid(beta) * states[0],)


@step
def fast_grnn(x, h, states, b_z, zeta, nu):
    a = x[0] + h[0]
    z = sigmoid(a + b_z)
    return ((sigmoid(zeta) * (1 - z) + sigmoid(nu)) * tanh(a) + z * states[0],)


@step
def cfc(x, h, states, dt, mode="default"):
    a, b, t_a, t_b = both(x, h)
    t = sigmoid(t_a * dt + t_b)
    return (tanh(a) + t * tanh(b) if mode == "no_gate" else (1 - t) * tanh(a) + t * tanh(b),)


def cfc_pure(x, h, states, dt, w_tau, top):
    a = x[0] + h[0]
    return (-top * torch.exp(-dt * (w_tau.abs() + a.abs())) * a + top,)


@step
def unicornn(x, h, states, w, c, dt=0.1, alpha=1.0):
    y, z = states
    z1 = z - dt * sigmoid(c) * (tanh(w * y + x[0]) + alpha * y)
    return y + dt * sigmoid(c) * z1, z1


@step
def sru(x, h, states, v_f, v_r, g=lambda c: c, scale=1.0):
    u, f, r, skip = x
    c = states[1]
    f, r = sigmoid(f + v_f * c), sigmoid(r + v_r * c)
    c1 = f * c + (1 - f) * u
    return r * g(c1) + (1 - r) * skip * scale, c1


@step
def lru(x, h, states, nu, t):
    eigenvalue = torch.exp(torch.complex(-torch.exp(nu), 2 * torch.atan(t)))
    scale = torch.sqrt(1 - eigenvalue.abs() ** 2)
    s = eigenvalue * torch.complex(*states) + scale * torch.complex(*x)
    return s.real, s.imag


@step
def rg_lru(x, h, states, rate):
    r, i, value = x
    a = sigmoid(-rate) ** (8 * sigmoid(r))
    return (a * states[0] + torch.sqrt(1 - a**2) * (sigmoid(i) * value),)


@step
def t_rnn(x, h, states):
    z, f = x
    return (sigmoid(f) * states[0] + (1 - sigmoid(f)) * z,)


@step
def nas(x, h, states):
    a, b, c, d, e, f, p, q = both(x, h)
    left = tanh(tanh(sigmoid(a) * relu(b)) + states[1])
    m1 = left * tanh(sigmoid(c) + relu(d))
    right = tanh(tanh(e) * sigmoid(f)) + sigmoid(tanh(p) + sigmoid(q))
    return tanh(m1 * tanh(right)), m1


@step
def lif(x, h, states, beta=0.9, threshold=1.0, reset="subtract", slope=25.0):
    u, fired = states[1], torch.gt(states[1], threshold).to(x[0].dtype)
    if reset == "zero":
        u = (1 - fired) * u
    u1 = beta * u + x[0] - (fired * threshold if reset == "subtract" else 0)
    return Fire.apply(u1 - threshold, slope), u1


@step
def rlif(x, h, states, beta=0.9, threshold=1.0, reset="subtract", slope=25.0):
    u, fired = states[1], torch.gt(states[1], threshold).to(x[0].dtype)
    u1 = beta * u + x[0] + h[0]
    u1 = u1 * (1 - fired) if reset == "zero" else u1 - (fired * threshold if reset == "subtract" else 0)
    return Fire.apply(u1 - threshold, slope), u1
