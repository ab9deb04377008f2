"""Threads that share everything at once: layers that change, plans, steppers, a training each. With the GIL they take
turns; on free-threaded Python (3.13t and later) they run at the same time."""

import subprocess
import sys
import sysconfig
import threading

import numpy as np
import pytest

import elman
from elman import _core
from elman.files import NotImportedError
from elman.layers import kinds
from elman.optim import SGD
from tests.support.at_once import at_once
from tests.support.runs import data, regressor, same
from tests.support.thread_ranks import on_ranks

FREE = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
THREADS = 6


@pytest.mark.skipif(not FREE, reason="this Python has the GIL")
def test_no_module_brings_the_gil_back():
    script = "import sys, elman, elman.train, elman.models; raise SystemExit(sys._is_gil_enabled())"
    assert subprocess.run([sys.executable, "-W", "error", "-c", script]).returncode == 0


def test_calls_see_the_parameters_of_one_moment():
    """A layer is called while another thread changes it. Each result is that of old or of new parameters in whole."""
    layer, x = elman.LSTM(3, 20, num_layers=2, seed=0), np.ones((4, 2, 3), np.float32)
    versions = [elman.LSTM(3, 20, num_layers=2, seed=seed).state_dict() for seed in range(3)]
    known, done = [], threading.Event()
    for version in versions:
        layer.load_state_dict(version)
        known.append(layer(x)[0])

    def change():
        try:
            for i in range(150):
                layer.load_state_dict(versions[i % 3])
        finally:
            done.set()

    def call():
        while not done.is_set():
            y = layer(x)[0]
            assert any(np.array_equal(y, one) for one in known)

    at_once(change, *[call] * (THREADS - 1))


def test_gradients_of_all_threads_add_up():
    layer, x = elman.GRU(3, 8, dtype=np.float64, seed=0), np.ones((5, 2, 3))

    def work():
        for _ in range(20):
            y, _, backward = layer.forward(x, lengths=[5, 3])
            backward(np.ones_like(y))

    work()
    once = {name: grad.copy() for name, grad in layer.grads.items()}
    layer.zero_grad()
    at_once(*[work] * THREADS)
    for name, grad in layer.grads.items():
        np.testing.assert_allclose(grad, THREADS * once[name], rtol=1e-10)


def test_updates_come_one_after_the_other():
    """Each update takes the same off every parameter, so none may be lost, whoever makes it."""
    layer = elman.Linear(4, 4, dtype=np.float64, seed=0)
    for grad in layer.grads.values():
        grad.fill(1)
    start = layer.state_dict()

    def work():
        optimizer = SGD(layer, learning_rate=0.125, momentum=0)
        for _ in range(50):
            optimizer.step()

    at_once(*[work] * THREADS)
    for name, value in layer.parameters.items():
        np.testing.assert_allclose(value, start[name] - THREADS * 50 * 0.125, rtol=1e-12)


def test_layers_come_and_go():
    def work():
        for seed in range(40):
            layer = elman.RNN(2, 3, seed=seed)
            layer.parameters["bias_ih_l0"] = np.full(3, seed, np.float32)
            assert (layer.parameters["bias_ih_l0"] == seed).all()
            assert (elman.Linear(2, 3, seed=seed).parameters["bias"] == 0).all()

    at_once(*[work] * THREADS)


def test_classes_are_defined_while_others_are_looked_for(monkeypatch):
    monkeypatch.setattr(kinds, "_kinds", dict(kinds._kinds))

    def define():
        for i in range(500):
            type(f"Own{threading.get_ident()}_{i}", (elman.Linear,), {})

    def look():
        for _ in range(500):
            with pytest.raises(NotImportedError):
                kinds.find("__main__:Nowhere", "elman.layers")

    at_once(*[define, look] * (THREADS // 2))


def test_plans_are_those_of_each_call():
    layer, x = elman.GRU(2, 3, seed=0), np.random.default_rng(0).standard_normal((6, 3, 2), np.float32)
    lengths = [np.random.default_rng(seed).integers(0, 7, 3) for seed in range(200)]  # more than are kept
    wanted = [layer(x, lengths=one)[0] for one in lengths]

    def work():
        for one, want in zip(lengths, wanted, strict=True):
            assert np.array_equal(layer(x, lengths=one)[0], want)

    at_once(*[work] * THREADS)


def test_a_stepper_serves_one_at_a_time():
    step, x = elman.GRU(2, 30, seed=0).stepper(4), np.ones((4, 2), np.float32)
    taken, refused = [], []

    def work():
        for _ in range(100):
            try:
                step(x)
                taken.append(1)
            except RuntimeError as error:
                assert "one call at a time" in str(error)
                refused.append(1)

    at_once(*[work] * THREADS)
    assert len(taken) + len(refused) == THREADS * 100
    alone = elman.GRU(2, 30, seed=0).stepper(4)
    for _ in taken:
        alone(x)
    assert np.array_equal(step.state, alone.state)


def test_large_buffers_are_not_shared():
    """A thread gets the memory of a result that is gone, and never of one that somebody holds."""
    shape = (1 << 21,)

    def work(number):
        for _ in range(20):
            array = _core.empty(shape, np.dtype(np.float32))
            array.fill(number)
            assert (array[::4096] == number).all()

    at_once(*[lambda number=number: work(number) for number in range(THREADS)])


def test_trainings_side_by_side_have_the_bits_of_one_alone():
    def work(_):
        model = regressor(dropout=0.3, num_layers=2)
        elman.train.fit(model, data(), data(1), epochs=3, seed=0, progress=False)
        return model.state_dict()

    want = work(None)
    assert all(same(got, want) for got in on_ranks(4, work))
