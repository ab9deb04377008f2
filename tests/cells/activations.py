"""The activations in PyTorch."""

import torch
from torch import sigmoid, tanh
from torch.nn.functional import elu, hardtanh, leaky_relu, relu, softplus, softsign


def within(bound, function):
    return lambda x: function(x.clamp(-bound, bound))


# Each activation with some numbers of its own.
ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": relu,
    "sigmoid": sigmoid,
    "silu": torch.nn.functional.silu,
    "softplus": softplus,
    "softsign": softsign,
    "tanh": tanh,
    "elu": elu,
    "leaky_relu": leaky_relu,
    "thresholded_relu": lambda x: torch.nn.functional.threshold(x, 1.0, 0.0),
    "affine": lambda x: x,
    "hard_sigmoid": lambda x: 0.5 * hardtanh(x / 3) + 0.5,
    "scaled_tanh": lambda x: 1.7159 * tanh(2 / 3 * x),
    ("elu", 0.7): lambda x: elu(x, 0.7),
    ("leaky_relu", 0.3): lambda x: leaky_relu(x, 0.3),
    ("thresholded_relu", 0.2): lambda x: torch.nn.functional.threshold(x, 0.2, 0.0),
    ("affine", 0.5, 0.1): lambda x: 0.5 * x + 0.1,
    ("hard_sigmoid", 0.2, 0.5): lambda x: 0.5 * hardtanh(0.4 * x) + 0.5,
    ("scaled_tanh", 0.9, 0.6): lambda x: 0.9 * tanh(0.6 * x),
}
