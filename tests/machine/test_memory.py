"""What stays between calls: some large blocks for the next call, 256 MB or as much as was in use at one time."""

import pathlib
import subprocess
import sys

import pytest

MANY_SIZES = """
import elman, numpy as np
layer = elman.LSTM(16, 256, seed=0)
mb = lambda: int(open("/proc/self/statm").read().split()[1]) / 256
layer(np.zeros((2, 2, 16), np.float32))
before = mb()
for steps in (300, 100, 700, 20, 450, 900, 150, 600):   # tapes of 3 to 140 MB
    x = np.zeros((steps, 32, 16), np.float32)
    y, state, backward = layer.forward(x)
    backward(y)
    del x, y, state, backward
print(mb() - before)
"""

SAME_BITS = """
import elman, numpy as np
layer = elman.LSTM(16, 256, seed=0)
x = np.random.default_rng(0).standard_normal((200, 32, 16)).astype(np.float32)
results = []
for _ in range(3):
    layer.zero_grad()
    y, state, backward = layer.forward(x)
    dx, _ = backward(np.array(y))
    results.append([y.copy(), dx, *(g.copy() for g in layer.grads.values())])
    layer(x * np.nan)   # leaves NaN in the blocks that the next call takes
    layer.forward(x * np.nan)[2](np.array(y))
for other in results[1:]:
    for a, b in zip(results[0], other):
        assert np.array_equal(a, b)
"""


# Tape, results and gradients of 370 MB. The system clears a new page when it is first touched, which is a fault.
FAULTS = """
import elman, numpy as np, resource
layer = elman.LSTM(16, 256, seed=0)
x = np.zeros((1400, 32, 16), np.float32)
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(7):
    before = faults()
    y, state, backward = layer.forward(x)
    backward(y)
    del y, state, backward
    print(faults() - before)
"""


def run(code):
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
@pytest.mark.skipif(not pathlib.Path("/proc/self/statm").exists(), reason="no /proc on this system")
def test_bounded():
    assert float(run(MANY_SIZES)) < 256 + 60  # and what malloc and NumPy hold


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no count of faults on this system")
def test_large_tapes_are_not_cleared_again():
    assert (
        min(map(int, run(FAULTS).split()[-3:])) < 60
    )  # a huge page is one fault: 139 and more if the tape is new


@pytest.mark.slow
def test_what_a_block_held_before_does_not_matter():
    run(SAME_BITS)
