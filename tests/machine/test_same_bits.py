"""Bits do not depend on how many threads there are, be they more than processors, segments, units or rows.

In a process of its own: 64 threads on few processors, which wait awake, are slow beside anything else.
"""

import os
import subprocess
import sys

import pytest

# Each product is large enough for all threads to take part, also while they sleep.
WORK = """
import hashlib, os, sys
import numpy as np
import elman
from elman import losses, optim
from tests.support.cases import make_case, make_layer


def random(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def trained(cell, I, H, T, B, **options):
    case = make_case(make_layer(cell, I, H, **options), T=T, B=B, lengths=B > 1, reset=B > 9)
    y, state, dx, dstate, grads = case.run()
    return [y, *state, dx, *dstate, *grads.values()]


def recurrent(schedule):
    os.environ["ELMAN_SCHEDULE"] = schedule
    yield from trained("lstm", 100, 200, 20, 20)
    yield from trained("gru", 7, 33, 5, 3, bidirectional=True, num_layers=2)
    yield from trained("rnn_tanh", 3, 70, 4, 1)
    step = make_layer("gru", 9, 70, num_layers=2).stepper(3)
    yield from [step(x).copy() for x in random(3, 3, 9)]


def layers():
    wide, narrow = elman.layers.Linear(300, 700, seed=0), elman.layers.Linear(700, 10, seed=0)
    for layer, x in [(wide, random(300, 300)), (narrow, random(900, 700))]:
        y, backward = layer.forward(x)
        yield from [y, backward(y), *layer.grads.values()]
    y, backward = elman.layers.DotAttention().forward(random(60, 9, 64), random(200, 9, 64))
    yield from [y, *backward(y)]
    table = elman.layers.Embedding(500, 300, seed=0)
    y, backward = table.forward(np.random.default_rng(0).integers(0, 500, (300, 20)))
    backward(random(300, 20, 300))
    yield from table.grads.values()


def rest():
    rng = np.random.default_rng(0)
    logits = random(60, 30, 200)
    yield losses.cross_entropy(logits, rng.integers(0, 200, (60, 30))).gradient
    yield losses.ctc(logits, rng.integers(1, 200, (30, 12))).gradient
    layer = make_layer("lstm", 500, 800)
    for grad in layer.grads.values():
        grad[:] = random(*grad.shape)
    yield np.float64(optim.clip_global_norm(layer, 1.0))
    optim.Adam(layer, learning_rate=0.1).step()
    yield from layer.state_dict().values()


for threads in map(int, sys.argv[1:]):
    elman.set_num_threads(threads)
    assert elman.num_threads() == threads
    parts = [*(recurrent(schedule) for schedule in ("", "rows", "units", "both")), layers(), rest()]
    print(*(hashlib.md5(b"".join(np.ascontiguousarray(a).tobytes() for a in part)).hexdigest() for part in parts))
"""


@pytest.mark.slow
def test_many_threads_give_the_bits_of_one():
    env = os.environ | {"ELMAN_OVERSUBSCRIBE": "1", "OPENBLAS_NUM_THREADS": "1"}
    numbers = ["1", "3", "5", "8", "64"]
    run = subprocess.run([sys.executable, "-c", WORK, *numbers], env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    alone, *others = [line.split() for line in run.stdout.splitlines()]
    assert len(others) == 4
    for number, hashes in zip(numbers[1:], others, strict=True):
        assert hashes == alone, f"{number} threads: recurrent by 4 schedules, layers, losses and optimisers"
