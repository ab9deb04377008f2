"""A graph of every kind of node, and data for it."""

import numpy as np

from elman.layers import GRU, LSTM, Embedding, Linear, Pooling, Sequential
from elman.models import Graph, Input, Output, attend, concatenate, repeat

N = 9


def make(dtype="float64"):
    """Every kind of node; a shared layer; outputs of samples and of steps."""
    d = {"dtype": dtype}
    shared = Linear(4, 4, **d, seed=9)
    words = Input("words").through(words=Embedding(7, 3, **d, seed=0), reader=GRU(3, 4, **d, seed=1))
    waves = Input("waves").through(
        LSTM(2, 4, bidirectional=True, **d, seed=2), Linear(8, 4, **d, seed=3), shared
    )
    age = Input("age").through(Linear(1, 4, **d, seed=4)).activate("tanh")
    place = Input("place").through(Embedding(3, 4, **d, seed=5), shared)
    both = concatenate(
        words.through(Pooling("mean")), waves.through(Pooling("max")), age + place, Input("facts")
    ).activate("relu")
    mixed = (
        words
        + repeat(both.through(mix=Linear(14, 4, **d, seed=6)), words)
        + attend(words, waves, scaled=True)
    )
    return Graph({
        "ill": Output(both.through(Linear(14, 3, **d, seed=7)), "cross_entropy"),
        "days": Output(both.through(head=Linear(14, 1, **d, seed=8)), weight=0.3),
        "tags": Output(mixed.through(Sequential(GRU(4, 4, **d, seed=10), Linear(4, 5, **d, seed=11))), "cross_entropy"),
        "levels": Output(words.through(Linear(4, 6, **d, seed=12)), "quantile", weight=0.5),
    })  # fmt: skip


def data(seed=0):
    rng = np.random.default_rng(seed)
    words = [rng.integers(0, 7, rng.integers(1, 6)) for _ in range(N)]
    x = {
        "words": words,
        "waves": rng.standard_normal((N, 4, 2)),
        "age": rng.standard_normal(N).tolist(),
        "place": rng.integers(0, 3, N),
        "facts": rng.integers(0, 5, (N, 2)),
    }
    y = {
        "ill": rng.integers(0, 3, N),
        "days": rng.standard_normal(N),
        "tags": [rng.integers(0, 5, len(one)) for one in words],
        "levels": [rng.standard_normal((len(one), 2)) for one in words],
    }
    return x, y
