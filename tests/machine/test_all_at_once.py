"""All that a program may do with elman in one process, at the same time: every bit is that of one thread alone.

ELMAN_STRESS_SECONDS makes it last (`make test-free-threaded` does); with the GIL a moment is enough.
"""

import copy
import itertools
import os
import pickle
import threading
import time

import numpy as np
import pytest

import elman
from elman.layers import DotAttention, Embedding
from elman.losses import cross_entropy, ctc
from elman.models import SequenceClassifier
from elman.train import fit
from tests.support.at_once import at_once
from tests.support.runs import data, forecaster, regressor, sines

SECONDS = float(os.environ.get("ELMAN_STRESS_SECONDS", "1"))
f32 = np.float32


def call(layer, seed):
    """A call with lengths and a mask of its own: of more plans than are kept."""
    rng = np.random.default_rng(seed)
    x, lengths = rng.standard_normal((7, 5, 3), f32), rng.integers(0, 8, 5)
    return layer(x, lengths=lengths, mask=rng.random((7, 5)) < 0.8, reset=rng.random((7, 5)) < 0.1)


def gradients(layer, seed):
    own = copy.deepcopy(layer)
    x = np.random.default_rng(seed).standard_normal((6, 4, 3), f32)
    y, _, backward = own.forward(x, lengths=[6, 3, 0, 5])
    dx, _ = backward(y)
    return dx, own.grads


def steps(layer, seed):
    step, x = layer.stepper(3), np.random.default_rng(seed).standard_normal((20, 3, 3), f32)
    return [step(one).copy() for one in x], step.state


def losses(seed):
    rng = np.random.default_rng(seed)
    logits, target = rng.standard_normal((9, 4, 6), f32), rng.integers(1, 6, (4, 3))
    loss = cross_entropy(logits, rng.integers(0, 6, (9, 4)))
    labels = ctc(logits, target)
    return labels.value, labels.gradient, loss.value, loss.gradient


def beside(embedding, attention, seed):
    rng = np.random.default_rng(seed)
    memory = embedding(rng.integers(0, 50, (8, 4)))
    return attention.over(memory, [8, 1, 3, 6])(embedding(rng.integers(0, 50, (5, 4))))


def trained(model, *batches):
    fit(model, *batches, epochs=2, seed=1, batch_size=8, progress=False)
    return model.state_dict()


def flat(value):
    """All numbers of a result, as bytes."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return b"".join(map(flat, value))
    return np.asarray(value).tobytes()


@pytest.mark.slow
def test_everything_at_once_has_the_bits_of_one_alone():
    shared = elman.LSTM(3, 24, num_layers=2, bidirectional=True, seed=0)
    one_way = elman.GRU(3, 16, num_layers=2, seed=1)
    embedding, attention = Embedding(50, 8, seed=2), DotAttention()
    model, labels = forecaster(), SequenceClassifier(3, input_size=2, hidden_size=8, seed=3)
    x, many = sines(), data()[0]
    values, weights, blob = shared.state_dict(), model.state_dict(), pickle.dumps(one_way)
    works = {
        "calls": lambda seed: call(shared, seed),
        "gradients": lambda seed: gradients(one_way, seed),
        "steps": lambda seed: steps(one_way, seed),
        "predict": lambda seed: model.predict(x[0][seed : seed + 40], batch_size=16),
        "classify": lambda seed: labels.predict_proba(many[: seed % 20 + 1]),
        "losses": losses,
        "attention": lambda seed: beside(embedding, attention, seed),
        "copies": lambda seed: call(pickle.loads(blob), seed),
        "fit": lambda seed: trained(regressor(dropout=0.3, seed=seed % 5), data(seed % 5)),
        "fit another": lambda seed: trained(forecaster(), sines(n=60 + seed % 5)),
    }
    seeds = {name: 5 if name.startswith("fit") else 200 for name in works}
    want = {name: [flat(works[name](seed)) for seed in range(seeds[name])] for name in works}
    done = threading.Event()
    counts = dict.fromkeys(works, 0)

    def check(name, first):
        for i in itertools.count(first):
            if done.is_set():
                return
            seed = i % seeds[name]
            assert flat(works[name](seed)) == want[name][seed], (name, seed)
            counts[name] += 1

    def disturb():
        """The number of threads changes, and what was packed is dropped, while others call."""
        try:
            end = time.monotonic() + SECONDS
            for i in itertools.count():
                if time.monotonic() > end:
                    return
                elman.set_num_threads(i % 4 + 1)
                shared.load_state_dict(values)
                model.load_state_dict(weights)
        finally:
            done.set()

    def until_done(name, first):
        try:
            check(name, first)
        except BaseException:
            done.set()
            raise

    threads = [lambda name=name, k=k: until_done(name, 67 * k) for name in works for k in range(2)]
    at_once(disturb, *threads)
    assert all(counts.values()), counts
