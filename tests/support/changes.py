"""A layer of every class, and every permitted way of changing one element of a parameter."""

import numpy as np
import torch

import elman
from elman.layers import Dropout, Embedding, Linear, Sequential
from elman.models import Forecaster
from elman.train import SGD
from tests.support.cases import COMPILED, SMOOTH, TRACED, make_layer

f32 = np.float32


def network():
    return Sequential(
        Embedding(5, 3, seed=0), elman.LSTM(3, 4, seed=1), inner=Sequential(elman.GRU(4, 3, 2, seed=2)),
        drop=Dropout(0.0), head=Linear(3, 2, seed=3),
    )  # fmt: skip


# A traced cell for each set of weights that there may be.
WEIGHTS = {
    (TRACED[cell].params != {}, any("h" in fed for fed in TRACED[cell].slots.values())): cell
    for cell in SMOOTH
    if cell in TRACED
}

MAKERS = {
    **{cell: lambda cell=cell: make_layer(cell, 3, 4) for cell in [*COMPILED, *WEIGHTS.values()]},
    "stack": lambda: elman.LSTM(3, 4, num_layers=2, bidirectional=True, seed=0),
    "linear": lambda: Linear(3, 4, seed=0),
    "embedding": lambda: Embedding(5, 4, seed=0),
    "sequential": network,
    "model": lambda: Forecaster(2, input_size=3, hidden_size=4, seed=0),
}


def arguments(layer):
    if isinstance(layer, (Embedding, Sequential)):
        return np.array([[0, 4], [2, 1], [3, 3]])
    return np.random.default_rng(0).standard_normal((3, 2, 3)).astype(f32)


def first(result):
    return result[0] if isinstance(result, tuple) else result


def assign(layer, name, place, value):
    new = layer.parameters[name].copy()
    new[place] = value
    layer.parameters[name] = new


def assign_list(layer, name, place, value):
    new = layer.parameters[name].copy()
    new[place] = value
    layer.parameters[name] = new.tolist()


def assign_tensor(layer, name, place, value):
    new = torch.tensor(layer.parameters[name])
    new[place] = float(value)
    layer.parameters[name] = torch.nn.Parameter(new)


def load(layer, name, place, value):
    new = layer.state_dict()
    new[name][place] = value
    layer.load_state_dict(new)


def edit(layer, name, place, value):
    with layer.editing() as parameters:
        parameters[name][place] = value


def step(layer, name, place, value):
    layer.zero_grad()
    layer.grads[name][place] = layer.parameters[name][place] - value
    SGD(layer, 1.0).step()
    layer.zero_grad()
