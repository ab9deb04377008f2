"""Steps of cells with norms or means over all units, as equations.py has those of others."""

import torch
from torch import sigmoid, tanh

from tests.cells.equations import both, step


def norm(v, epsilon=1e-5):
    return (v - v.mean(-1, keepdim=True)) / (v.var(-1, correction=0, keepdim=True) + epsilon) ** 0.5


def scaled(v, given, prefix):
    """Times the params of this prefix, gate by gate."""
    gains = [given[name] for name in given if name.startswith(prefix)]
    return v * torch.cat(gains)


def shifts_of(given, count):
    return torch.cat([given[name] for name in given if name.startswith("b_")][:count])


@step
def layer_norm_lstm(x, h, states, gain, shift, norm_of="separate", **given):
    if norm_of == "separate":
        sums = scaled(norm(torch.cat(x, -1)), given, "x_") + scaled(norm(torch.cat(h, -1)), given, "h_")
    elif norm_of == "sum":
        sums = scaled(norm(torch.cat(both(x, h), -1)), given, "g_")
    else:
        sums = scaled(torch.cat([norm(gate) for gate in both(x, h)], -1), given, "g_")
    i, f, g, o = (sums + shifts_of(given, 4)).chunk(4, -1)
    c = sigmoid(f) * states[1] + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(norm(c) * gain + shift), c


@step
def layer_norm_gru(x, h, states, b_hn, **given):
    x = (scaled(norm(torch.cat(x, -1)), given, "x_") + shifts_of(given, 3)).chunk(3, -1)
    h = scaled(norm(torch.cat(h, -1)), given, "h_").chunk(3, -1)
    r, z = sigmoid(x[0] + h[0]), sigmoid(x[1] + h[1])
    n = tanh(x[2] + r * (h[2] + b_hn))
    return ((1 - z) * n + z * states[0],)


@step
def dreamer_gru(x, h, states, epsilon=1e-3, **given):
    sums = scaled(norm(torch.cat(both(x, h), -1), epsilon), given, "g_") + shifts_of(given, 3)
    reset, candidate, update = sums.chunk(3, -1)
    update = sigmoid(update - 1)
    return (update * tanh(sigmoid(reset) * candidate) + (1 - update) * states[0],)


@step
def lmu(x, h, states, e_h, e_m, b, A, w):
    old, m = states
    v = (x[0] + e_h * old + e_m * m).mean(-1, keepdim=True)
    m1 = A(m) + b * v
    return tanh(x[1] + h[0] + w(m1)), m1
