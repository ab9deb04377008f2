"""Gradients of a cell's vectors, which each segment sums for itself: their rounding, bits and memory."""

import subprocess
import sys

import numpy as np
import pytest

import elman
from elman.cells import tanh
from elman.tracing import trace
from tests.support.covering import ISAS, over

# In each the gradient of p is that of the bias.
RECURRENT = trace(lambda a, h, p: tanh(a + p), {"a": "xh"}, "h", {"p": 0.0})
ELEMENTWISE = trace(lambda a, h, p: 0.9 * h + tanh(a + p), {"a": "x"}, "h", {"p": 0.0})


@pytest.mark.parametrize("cell", [RECURRENT, ELEMENTWISE], ids=["recurrent", "elementwise"])
@pytest.mark.parametrize(("T", "B", "H"), [(60_000, 1, 8), (5_000, 7, 3)])
def test_long_sums_keep_what_float32_can_hold(cell, T, B, H):
    layer = elman.Recurrent(cell, 1, H, seed=0)
    layer.load_state_dict({name: 0.1 * array for name, array in layer.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((T, B, 1)).astype(np.float32)
    y, _, backward = layer.forward(x)
    backward(np.full_like(y, 0.1))
    np.testing.assert_allclose(layer.grads["p_l0"], layer.grads["bias_ih_l0"], rtol=1e-5)


@over({"cell": [RECURRENT, ELEMENTWISE], "isa": ISAS})
def test_bits_depend_neither_on_threads_nor_on_schedules(isa, cell, monkeypatch):
    rng = np.random.default_rng(0)
    x, reset = rng.standard_normal((1_500, 3, 2)), rng.random((1_500, 3)) < 0.02
    found = []
    for threads, schedule in ((1, ""), (2, "rows"), (2, "units"), (3, "both")):
        monkeypatch.setenv("ELMAN_SCHEDULE", schedule)
        monkeypatch.setenv("ELMAN_OVERSUBSCRIBE", "1")
        elman.set_num_threads(threads)
        for every in (None, 100):
            layer = elman.Recurrent(cell, 2, 19, seed=0, dtype=np.float64, checkpoint_every=every)
            y, _, backward = layer.forward(x, lengths=[1_500, 700, 1], reset=reset)
            backward(np.ones_like(y))
            found.append(layer.grads["p_l0"].copy())
    for one in found[1:]:
        np.testing.assert_array_equal(one, found[0])


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak has other units, or there is none")
def test_memory_of_ragged_batches():
    """One sequence of 31 steps beside 969 of one: no more sums than entries."""
    code = """
import resource

import numpy as np

import elman
from elman.tracing import trace

names = [f"p{i}" for i in range(16)]
step = eval(f"lambda a, h, {', '.join(names)}: a * ({' + '.join(names)}) + 0.5 * h")
cell = trace(step, {"a": "x"}, "h", " ".join(names))
layer = elman.Recurrent(cell, 1, 1024, seed=0)
y, _, backward = layer.forward(np.zeros((31, 970, 1), np.float32), lengths=[31] + [1] * 969)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
backward(None)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(out) * 1024 < 400e6  # 16 vectors of 1024 units for each of 1,000 entries are 66 MB
