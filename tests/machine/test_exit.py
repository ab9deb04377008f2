"""A program that ends while a daemon thread is inside a call ends as if there were none."""

import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.kills

CALLS = {
    "forward": """
        layer, x = elman.LSTM(32, 64), np.ones((200, 8, 32), np.float32)
        call = lambda: layer(x)
    """,
    "backward": """
        layer, x = elman.GRU(32, 64), np.ones((200, 8, 32), np.float32)
        dy = np.ones((200, 8, 64), np.float32)
        call = lambda: layer.forward(x)[2](dy)
    """,
    "stepper": """
        step, x = elman.LSTM(64, 128).stepper(64), np.ones((64, 64), np.float32)
        out = np.empty((64, 128), np.float32)
        call = lambda: step(x, out=out)
    """,
    "optimiser": """
        arrays = [[np.ones(1 << 22, np.float32)] for _ in range(4)]
        call = lambda: elman._core.adam(arrays, 1e-3, 1.0, 0.0, 1.0, 0.9, 0.99, 1e-8)
    """,
    "without numpy": """
        call = lambda: elman._core.measure_peak(1, "float32")
    """,
}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="repeats the end of a program by forking")
@pytest.mark.parametrize("name", CALLS)
def test_a_daemon_thread_inside_a_call(name):
    code = f"""
        import os, sys, threading, time
        import numpy as np
        import elman

        {textwrap.indent(textwrap.dedent(CALLS[name]), " " * 8)}
        for i in range(15):
            child = os.fork()
            if child == 0:
                break
            status = os.waitpid(child, 0)[1]
            assert status == 0, (i, status)
        else:
            os._exit(0)
        inside = threading.Event()

        def work():
            call()
            inside.set()
            while True:
                call()

        threading.Thread(target=work, daemon=True).start()
        inside.wait()
        time.sleep(0.003 * i)
    """
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python refuses it before elman's code runs")
def test_a_sub_interpreter_is_refused():
    """At once, instead of waiting for ever; what the main interpreter does is not touched."""
    pytest.importorskip("_xxsubinterpreters")
    code = """
        import _xxsubinterpreters as interpreters, sys
        try:
            interpreters.run_string(interpreters.create(), f"import sys; sys.path[:] = {sys.path!r}; import elman")
        except interpreters.RunFailedError as error:
            print(error)
        import numpy as np, elman
        print(elman.GRU(3, 4)(np.ones((5, 2, 3), np.float32))[0].shape)
    """
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    refusal, shape = run.stdout.splitlines()
    assert "elman: expected the main interpreter, got a sub-interpreter" in refusal and shape == "(5, 2, 4)"
