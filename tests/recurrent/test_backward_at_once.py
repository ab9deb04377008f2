"""A backward pass belongs to its forward pass and adds all of its gradients or none, whatever threads or signals do."""

import contextlib
import multiprocessing
import signal
import threading
import time

import numpy as np
import pytest

import elman
from elman import _core
from elman.layers import Embedding, Linear
from elman.train import SGD
from tests.support.cases import COMPILED
from tests.support.changes import MAKERS, WEIGHTS, arguments, assign, edit, f32, first, load, step


@pytest.mark.parametrize("kind", [*COMPILED, *WEIGHTS.values(), "stack", "linear"])
@pytest.mark.parametrize("change", [assign, load, edit, step])
def test_parameters_changed_since_forward_are_an_error(kind, change):
    layer = MAKERS[kind]()
    _, *_, backward = layer.forward(arguments(layer))
    dy = np.ones((3, 2, 8 if kind == "stack" else 4), f32)
    name = next(iter(layer.parameters))
    change(layer, name, (0, 0), 5)
    layer.zero_grad()
    with pytest.raises(RuntimeError, match=rf"backward: expected the parameters \({name}, .*changed since"):
        backward(dy)
    assert not any(grad.any() for grad in layer.grads.values())


def test_the_gradient_of_an_embedding_depends_on_no_parameter():
    layer = Embedding(3, 2)
    _, backward = layer.forward(np.array([1, 1]))
    step(layer, "weight", (0, 0), 1)
    backward(np.ones((2, 2), f32))
    np.testing.assert_array_equal(layer.grads["weight"], [[0, 0], [2, 2], [0, 0]])


def relu_of_ones(num_layers):
    """A layer whose gradients are small whole numbers."""
    layer = elman.RNN(256, 256, num_layers, nonlinearity="relu")
    with layer.editing() as parameters:
        for name, value in parameters.items():
            value[:] = np.eye(256) if name.startswith("weight_ih") else 0
    return layer


THREADED = {
    "one layer": lambda: relu_of_ones(1),
    "two layers": lambda: relu_of_ones(2),
    "linear": lambda: Linear(256, 256, seed=0),
    "embedding": lambda: Embedding(24, 32),
}


@pytest.mark.parametrize("kind", THREADED)
def test_threads_lose_no_gradient(kind):
    layer, count, threads = THREADED[kind](), 60, 4
    if isinstance(layer, Embedding):
        x, shape = np.tile(np.arange(24), (8, 5)), (8, 120, 32)
    else:
        x, shape = np.ones((1, 2, 256), f32), (1, 2, 256)
    dy = np.ones(shape, f32)
    layer.forward(x)[-1](dy)
    once = {name: grad.copy() for name, grad in layer.grads.items()}
    layer.zero_grad()

    def work():
        for _ in range(count):
            layer.forward(x)[-1](dy)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert any(grad.any() for grad in once.values())
    for name, grad in layer.grads.items():
        np.testing.assert_array_equal(grad, count * threads * once[name])
        assert np.abs(grad).max() < 2**24  # all sums are exact


@pytest.mark.parametrize("kind", ["stack", "linear", "embedding"])
def test_a_call_beside_a_change_sees_the_old_parameters_or_the_new_ones(kind):
    layer = MAKERS[kind]()
    states = [layer.state_dict(), {name: 2 * value for name, value in layer.state_dict().items()}]
    x, wanted = arguments(layer), []
    for state in states:
        layer.load_state_dict(state)
        wanted.append(first(layer(x)).copy())
    assert not np.array_equal(*wanted)
    stop = threading.Event()

    def work():
        while not stop.is_set():
            for state in states:
                layer.load_state_dict(state)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(300):
            got = first(layer(x))
            assert any(np.array_equal(got, want) for want in wanted)
    finally:
        stop.set()
        thread.join()


def test_optimisers_of_the_same_layers_do_not_wait_for_each_other_for_ever():
    layers = [Linear(3, 2, dtype=float) for _ in range(4)]
    before = [layer.state_dict() for layer in layers]
    for layer in layers:
        layer.grads["bias"] = [1, 2]
    optimizers = [SGD(layers, 1.0), SGD(layers[::-1], 1.0)]

    def work(optimizer):
        for _ in range(500):
            optimizer.step()

    threads = [threading.Thread(target=work, args=[optimizer], daemon=True) for optimizer in optimizers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    for layer, state in zip(layers, before, strict=True):
        np.testing.assert_array_equal(layer.parameters["bias"], [-1000, -2000])  # no step was lost
        np.testing.assert_array_equal(layer.parameters["weight"], state["weight"])


def in_child(connection, layer, x, dy):
    layer.zero_grad()
    layer.forward(x)[-1](dy)
    layer.parameters["bias"] = [1, 2]
    connection.send((layer(x), layer.grads["bias"].copy()))


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # that it has threads is the point
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system")
def test_a_child_forked_while_a_thread_holds_the_layer_can_use_it():
    layer, x = Linear(3, 2, seed=0), np.ones((1, 3), f32)
    held, done = threading.Event(), threading.Event()

    def hold():
        with layer._store.lock:
            held.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=in_child, args=(there, layer, x, np.ones((1, 2), f32)))
    child.start()
    assert here.poll(30), "the child hangs"
    y, grad = here.recv()
    done.set()
    thread.join()
    child.join(10)
    np.testing.assert_array_equal(grad, [1, 1])
    np.testing.assert_allclose(y - layer(x), [[1, 2]], rtol=1e-5)


class InterruptError(Exception):
    pass


@pytest.fixture(params=["lstm", "stack"])
def interrupted(request):
    """A layer, its backward passes, and the gradients before and after one."""
    layer = MAKERS[request.param]()
    x = arguments(layer)
    dy = np.ones(first(layer(x)).shape, f32)
    start = {name: np.full_like(grad, 0.5) for name, grad in layer.grads.items()}

    def forward():
        for name, grad in start.items():
            layer.grads[name] = grad
        return layer.forward(x)[-1]

    forward()(dy)
    return layer, lambda: (forward(), dy), start, {name: grad.copy() for name, grad in layer.grads.items()}


def is_all(layer, want):
    return all(np.array_equal(layer.grads[name], grad) for name, grad in want.items())


def check_rest(layer, backward, dy, before, after):
    """Nothing or all was added; what is left of the pass is all of it or none."""
    assert is_all(layer, before) or is_all(layer, after)
    if is_all(layer, before):
        try:
            backward(dy)
        except RuntimeError as error:
            assert "got a second one; what forward kept is used up" in str(error)
            assert is_all(layer, before)
        else:
            assert is_all(layer, after)


def test_an_interrupted_backward_pass_adds_all_or_nothing(interrupted, monkeypatch):
    """At each engine call that it makes, before or after."""
    layer, make, before, after = interrupted
    for name in ("backward", "sgd"):
        for call in range(3):
            for late in (False, True):
                backward, dy = make()
                real, count = getattr(_core, name), iter(range(100))

                def engine(*args, real=real, count=count, call=call, late=late):
                    now = next(count) == call
                    if now and not late:
                        raise InterruptError
                    real(*args)
                    if now:
                        raise InterruptError

                with monkeypatch.context() as patch:
                    patch.setattr(_core, name, engine)
                    with contextlib.suppress(InterruptError):
                        backward(dy)
                check_rest(layer, backward, dy, before, after)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers on this system")
def test_a_signal_at_any_moment_of_backward(interrupted):
    layer, make, before, after = interrupted

    def ring(*_):
        raise InterruptError

    old = signal.signal(signal.SIGALRM, ring)
    try:
        begin = time.perf_counter()
        for _ in range(20):
            make()[0](np.ones_like(make()[1]))
        usual = (time.perf_counter() - begin) / 20
        for moment in np.random.default_rng(0).uniform(1e-6, usual, 300):
            backward, dy = make()
            try:
                signal.setitimer(signal.ITIMER_REAL, moment)
                backward(dy)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except InterruptError:
                pass
            check_rest(layer, backward, dy, before, after)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    found = []
    thread = threading.Thread(target=lambda: found.append(layer._store.lock.acquire(timeout=5)))
    thread.start()
    thread.join()
    assert found == [True]  # given back each time
