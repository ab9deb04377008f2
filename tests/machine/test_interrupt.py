"""Signals while a long call is inside the engine."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

import elman
from elman import _core
from tests.support.cases import CELLS, make_case, make_layer
from tests.support.covering import DTYPES, ISAS, over

posix = pytest.mark.skipif(sys.platform == "win32", reason="sends signals")


@pytest.fixture
def cut():
    """Calls are cut after as much work."""
    yield _core.set_span
    _core.set_span(0)


@pytest.mark.slow
@over(
    {
        "cell": CELLS,
        "threads": [1, 3],
        "B, H, marks": [
            (1, 96, {}),
            (7, 40, {"lengths": True, "reset": True}),
            (5, 24, {"mask": True, "factors": True}),
            (2, 300, {"lengths": True, "factors": True}),
        ],
        "span": [1, 40_000],  # after every step, or after some
        "dtype": DTYPES,
        "isa": ISAS,
    }
)
def test_a_call_that_is_cut_has_the_same_bits(isa, dtype, cell, threads, B, H, marks, span, cut):
    elman.set_num_threads(threads)
    case = make_case(make_layer(cell, 9, H, bidirectional=True, dtype=dtype), 11, B, **marks)
    whole = [case.infer(), case.run()]
    cut(span)
    for want, got in zip(whole, [case.infer(), case.run()], strict=True):
        flat = lambda part: part.values() if isinstance(part, dict) else part  # noqa: E731
        for a, b in zip(want, got, strict=True):
            for one, other in zip(flat(a), flat(b), strict=True):
                np.testing.assert_array_equal(one, other)


LONG = """
    import os, signal, threading, time, numpy as np, elman
    from elman import _core

    layer = elman.RNN(3, 4096, init="uniform", seed=0)  # 64 MB of weights at each step
    x = np.random.default_rng(0).standard_normal((8000, 1, 3)).astype(np.float32)
    few = layer(x[:5])[0].copy()
    right = elman.GRU(16, 64, init="uniform", seed=0)
    rows = np.ones((50, 32, 16), np.float32)
    want = right(rows)[0].copy()

    class Stopped(Exception):
        pass

    def stop(*_):
        raise Stopped("by its handler")

    def expect(exception, number, call):
        sent = []
        def send():
            time.sleep(0.5)
            sent.append(time.process_time())  # other processes may keep this one waiting
            os.kill(os.getpid(), number)
        threading.Thread(target=send).start()
        try:
            call()
        except exception as error:
            assert type(error) is exception, error
            assert time.process_time() - sent[0] < 3  # about 0.1; the whole call: 15 and more
        else:
            raise AssertionError("it went on to its end")
        assert np.array_equal(right(rows)[0], want) and np.array_equal(layer(x[:5])[0], few)

    signal.signal(signal.SIGUSR1, stop)
    both = [(KeyboardInterrupt, signal.SIGINT), (Stopped, signal.SIGUSR1)]
"""
INFER = "for pair in both: expect(*pair, lambda: layer(x))"
FORWARD = "for pair in both: expect(*pair, lambda: layer.forward(x))"
# Of a tape that nothing was written to: what is computed does not matter.
BACKWARD = """
    forward = _core.forward
    for pair in both:
        _core.forward = lambda *_: None
        y, _, backward = layer.forward(x)
        _core.forward = forward
        expect(*pair, lambda: backward(y))
"""
# A handler that raises nothing, in a call of some tenths of a second, changes nothing.
GOES_ON = """
    x = x[:200]
    whole = layer(x)[0].copy()
    seen = []
    signal.signal(signal.SIGALRM, lambda *_: seen.append(time.perf_counter()))
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    assert np.array_equal(layer(x)[0], whole)
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert seen
"""

# A handler that forks: parent and child both go on with the call, and with later ones.
FORKS = """
    x = x[:200]
    whole = layer(x)[0].copy()
    children = []
    def fork(*_):
        if not children:
            children.append(None)  # first: on a busy machine the next alarm comes before fork returns
            children[0] = os.fork()
    signal.signal(signal.SIGALRM, fork)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    while not children:
        assert np.array_equal(layer(x)[0], whole)
    assert np.array_equal(layer(x)[0], whole) and np.array_equal(right(rows)[0], want)
    signal.setitimer(signal.ITIMER_REAL, 0)
    if children[0]:
        end = time.perf_counter() + 60
        while not (ended := os.waitpid(children[0], os.WNOHANG))[0]:
            if time.perf_counter() > end:
                os.kill(children[0], signal.SIGKILL)
            time.sleep(0.05)
        assert ended[1] == 0, ended
    else:
        os._exit(0)
"""

# A handler that computes itself, forward and backward, and asks for other threads: the pass that it has stopped
# between two layers keeps its own, and its bits.
COMPUTES = """
    deep = elman.LSTM(16, 256, num_layers=3, bidirectional=True, init="uniform", seed=0)
    x = np.ones((150, 4, 16), np.float32)
    def results():
        deep.zero_grad()
        y, _, backward = deep.forward(x)
        return [y, backward(y)[0], *(grad.copy() for grad in deep.grads.values())]
    whole, seen = results(), []
    def compute(*_):
        seen.append(right.forward(rows)[2](want))
        assert np.array_equal(right(rows)[0], want)
        elman.set_num_threads(1 + len(seen) % 3)
        signal.setitimer(signal.ITIMER_REAL, 0.02)  # now: on a busy machine it would come within this handler
    signal.signal(signal.SIGALRM, compute)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    while len(seen) < 5:
        assert all(map(np.array_equal, results(), whole))
    signal.setitimer(signal.ITIMER_REAL, 0)
"""


@pytest.mark.kills
@posix
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "code",
    [[INFER, FORWARD, BACKWARD, GOES_ON], [FORKS], [COMPUTES]],
    ids=["ends", "forks", "computes"],
)
def test_a_signal_ends_a_long_call(code, threads):
    parts = [LONG, f"elman.set_num_threads({threads})", *code]  # together: to make the layer takes as long
    program = "\n".join(map(textwrap.dedent, parts))
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
