"""Plans are made once for equal arguments, whoever writes to his arrays later."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import elman
from elman.stack.steps import Steps, packed_plans

BOTH = (False, True)


def marks(*shape, seed=0):
    return np.random.default_rng(seed).random(shape) < 0.7


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize(
    "parts", [{}, {"lengths": np.array([4, 0, 2])}, {"mask": marks(4, 3)}, {"reset": marks(4, 3, seed=1)}]
)
def test_equal_steps_have_the_same_plans(parts, batch_first):
    parts = {name: part.T if batch_first and part.ndim == 2 else part for name, part in parts.items()}
    copied = {name: part.copy() for name, part in parts.items()}
    plans = Steps(4, 3, batch_first, **copied).plans(BOTH)
    assert (
        Steps(4, 3, batch_first, **{name: part.copy() for name, part in copied.items()}).plans(BOTH) is plans
    )
    others = [
        Steps(4, 3, not batch_first).plans(BOTH),
        Steps(4, 3, batch_first, **copied).plans((True, False)),
    ]
    for part in copied.values():
        part.reshape(-1)[0] = not part.reshape(-1)[0]
        others.append(Steps(4, 3, batch_first, **copied).plans(BOTH))
    assert all(plans is not other for other in others)


def test_a_mask_is_not_a_reset():
    assert Steps(4, 3, False, mask=marks(4, 3)).plans(BOTH) is not Steps(
        4, 3, False, reset=marks(4, 3)
    ).plans(BOTH)


def test_packed_sequences():
    sizes = np.array([3, 2, 2])
    plans = packed_plans(sizes, BOTH)
    assert packed_plans(sizes.copy(), BOTH) is plans and [plan.total for plan in plans] == [7, 7]
    sizes[0] = 4
    assert packed_plans(sizes, BOTH)[0].total == 8
    with pytest.raises(ValueError, match="batch_sizes: expected sizes above 0"):
        packed_plans(np.array([2, 3]), BOTH)


@pytest.mark.parametrize(
    "steps",
    [
        Steps(2**12 + 1, 1, False),
        Steps(70, 70, True),
        Steps(0, 2**13, False),  # no step, and each sequence is in the plan
        Steps(2, 3000, False, mask=marks(2, 3000)),
        Steps(1, 600, False, lengths=np.ones(600, np.int64)),
    ],
)
def test_large_ones_are_not_kept(steps):
    assert not steps.small and steps.plans(BOTH) is not steps.plans(BOTH)


def test_a_call_takes_its_lengths_as_they_are_then():
    layer, x = elman.GRU(2, 3, seed=0), np.random.default_rng(0).standard_normal((4, 2, 2), np.float32)
    lengths, mask = np.array([4, 1]), np.ones((4, 2), bool)
    first, _, backward = layer.forward(x, lengths=lengths, mask=mask)
    lengths[:], mask[:2] = [2, 3], False
    second = layer(x, lengths=lengths, mask=mask)[0]
    np.testing.assert_array_equal(second, elman.GRU(2, 3, seed=0)(x, lengths=[2, 3], mask=mask)[0])
    dx, _ = backward(np.ones_like(first))
    assert dx[3, 0].all() and not dx[1:, 1].any()


def test_threads_share_plans():
    def plan(n):
        return Steps(5, 4, False, np.array([n % 6, 5, 0, 1])).plans(BOTH)[0].total

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(plan, range(3000))) == [n % 6 + 6 for n in range(3000)]


def test_plans_that_are_kept_take_little_memory():
    code = """
import resource, elman
from elman.stack.steps import Steps, packed_plans
import numpy as np
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
for n in range(400):
    Steps(2**16 - n, 1, False).plans((False, True))
    Steps(2**12 - n, 1, False, reset=np.ones((2**12 - n, 1), bool)).plans((False, True))
    packed_plans(np.ones(2**12 - n, np.int64), (False, True))
print(peak() - before)
"""
    grown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert int(grown) < 60_000  # KB
