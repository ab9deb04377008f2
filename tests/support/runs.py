"""Small models, their data, and runs of `fit` with a directory for checkpoints."""

import numpy as np

from elman.models import Forecaster, SequenceRegressor
from elman.train import fit


def data(seed=0, n=24):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 5, 2)).astype(np.float32)
    return x, x[:, :3].sum(axis=(1, 2))[:, None]


def regressor(**options):
    return SequenceRegressor(1, **{"input_size": 2, "hidden_size": 4, "seed": 0} | options)


def run(model, directory, train=None, validation=None, **options):
    options = {"epochs": 3, "seed": 0, "batch_size": 8, "checkpoint_seconds": 0.0} | options
    return fit(model, train or data(), validation, progress=False, checkpoint=directory, **options)


def same(a, b):
    return all(np.array_equal(value, b[name]) for name, value in a.items())


def noise(seed):
    rng = np.random.default_rng(seed)
    return data(seed)[0], rng.standard_normal((24, 1)).astype(np.float32)


def sines(n=300, window=20):
    wave = np.sin(np.arange(n + window) * 0.3)[:, None].astype(np.float32)
    return np.stack([wave[i : i + window] for i in range(n)]), wave[window:, None]


def forecaster(**options):
    return Forecaster(1, input_size=1, cell="gru", hidden_size=16, seed=0, **options)
