"""_core.add: gradients are added in one call, with NumPy's bits."""

import re

import numpy as np
import pytest

from elman import _core

SIZES = [(), (1,), (15,), (16,), (33,), (7, 9), (3, 4096), (0,), (1_000_003,)]


def arrays(rng, dtype):
    return [np.asarray(rng.standard_normal(size), dtype) for size in SIZES]


def test_bits_are_numpys(isa, dtype, rng):
    to, added = arrays(rng, dtype), arrays(rng, dtype)
    for some, value in [(to, np.inf), (added, np.nan), (added, -0.0)]:
        some[4][rng.integers(33)] = value
    want, given = [a + b for a, b in zip(to, added, strict=True)], [b.copy() for b in added]
    _core.add(to, added)
    for got, expected, left, before in zip(to, want, added, given, strict=True):
        assert got.tobytes() == expected.tobytes()
        assert left.tobytes() == before.tobytes()


def test_nothing_to_add():
    _core.add([], [])


def zeros(size, dtype=np.float32):
    return np.zeros(size, dtype)


READ_ONLY = zeros(3)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("to", "added", "message"),
    [
        ([zeros(3)], [], "added: expected as many arrays as `to` (1), got 0"),
        ([], [zeros(3)], "added: expected as many arrays as `to` (0), got 1"),
        ([zeros(3)], [zeros(4)], "to: expected a writeable C-contiguous float32 array of 4 elements, got float32 [3]"),
        ([zeros(3)], [zeros(3, float)], "added: expected a C-contiguous float32 array of 3 elements, got float64 [3]"),
        ([zeros(3, float)], [zeros(3)], "added: expected a C-contiguous float64 array of 3 elements, got float32 [3]"),
        ([zeros(3), zeros(3, float)], [zeros(3), zeros(3)], "to: expected a writeable C-contiguous float32 array"),
        ([zeros(3)], [None], "added: expected arrays"),
        ([None], [zeros(3)], "to: expected arrays"),
        ([READ_ONLY], [zeros(3)], "to: expected a writeable C-contiguous float32 array of 3 elements, got"),
        ([zeros(6)[::2]], [zeros(3)], "to: expected a writeable C-contiguous"),
    ],
)  # fmt: skip
def test_refusals_come_before_anything_is_added(to, added, message):
    for array in added:
        if array is not None:
            array[...] = 1
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        _core.add(to, added)
    for array in to:
        assert array is None or not array.any()
