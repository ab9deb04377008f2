"""A search that test_tune.py runs in two processes at once: python -m tests.support.tune_in_pieces STORAGE."""

import sys

import numpy as np

from elman.models import SequenceClassifier
from elman.train import Log, tune

SPACE = {"hidden_size": (2, 12), "learning_rate": Log(1e-5, 1e-1)}


def _data(seed):
    x = np.random.default_rng(seed).standard_normal((60, 5, 2)).astype(np.float32)
    return x, (x[:, 0, 0] > 0).astype(int)


DATA = _data(0), _data(1)


def build(p):
    model = SequenceClassifier(2, input_size=2, hidden_size=p["hidden_size"], seed=0)
    return model, {"learning_rate": p["learning_rate"], "batch_size": 10, "seed": 0}


if __name__ == "__main__":
    tune(build, DATA, SPACE, trials=30, storage=sys.argv[1], epochs=2)
