"""CTC by adding up all paths, for logits of few steps and classes."""

import itertools
import math

import numpy as np


def log_softmax(x):
    x = np.asarray(x, np.float64)
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def collapse(path, blank):
    return tuple(label for label, _ in itertools.groupby(path) if label != blank)


def all_sequences(logits, blank):
    """Probability of every label sequence that logits [T, C] can give, by adding up all paths."""
    p, sums = np.exp(log_softmax(logits)), {}
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        labels = collapse(path, blank)
        sums[labels] = sums.get(labels, 0.0) + math.prod(p[t, c] for t, c in enumerate(path))
    return sums
