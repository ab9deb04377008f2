"""An exception of a signal handler, at every place where Python lets one run while parameters are changed."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from elman import GRU
from elman.layers import Linear, Sequential, store
from elman.train import Adam
from tests.support.interrupted import interrupted

FILES = {
    os.path.join(os.path.dirname(store.__file__), name)
    for name in ("store.py", "mapping.py", "parameters.py")
}
X = np.random.default_rng(0).normal(size=(3, 2, 3)).astype(np.float32)


def is_free(lock, other):
    """Whether another thread gets it."""
    return other.submit(lock.acquire, blocking=False).result()


@pytest.fixture
def other():
    with ThreadPoolExecutor(1) as pool:
        yield pool


def made(seed):
    return Sequential(GRU(3, 4, seed=seed), Linear(4, 2, seed=seed))


def edit(model):
    with model.editing() as parameters:
        for value in parameters.values():
            value *= 2


WAYS = {
    "editing": edit,
    "load_state_dict": lambda model: model.load_state_dict(made(1).state_dict()),
    "one array": lambda model: model.parts["1"].parameters.__setitem__("bias", [1, 2]),
    "step": lambda model: model.optimizer.step(),
}


@pytest.mark.kills
@pytest.mark.parametrize("way", WAYS)
def test_a_change_ended_anywhere_leaves_layers_that_work(way, other):
    number, there = 0, True
    while there:
        model = made(0)
        model.optimizer = Adam(model)
        y, _, backward = model.forward(X)
        backward(np.ones_like(y))
        there = interrupted(lambda model=model: WAYS[way](model), number, FILES)
        number += 1
        again = made(2)
        again.load_state_dict(model.state_dict())
        y, _, backward = model.forward(X)
        assert np.array_equal(y, again(X)[0])
        backward(np.ones_like(y))
        assert all(is_free(part._store.lock, other) for part in model.parts.values())
    assert number > 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="of POSIX")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_does_not_wait_for_a_block_of_a_thread_that_it_has_not():
    layer = GRU(3, 4, seed=0)
    begun, end = threading.Event(), threading.Event()

    def editing():
        with layer.editing():
            begun.set()
            end.wait()

    thread = threading.Thread(target=editing)
    thread.start()
    begun.wait()
    child = os.fork()
    if not child:
        try:
            layer(X)
            os._exit(0)
        except BaseException:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    end.set()
    thread.join()
    assert status == 0
