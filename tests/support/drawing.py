"""The random numbers of cells that draw: which units kept their state, and the same numbers by hand."""

import numpy as np

from elman.cells import zoneout
from elman.stack.cells import define
from elman.stack.processor import PROCESSOR
from elman.stack.spec import StackSpec
from elman.stack.steps import Steps
from elman.tracing import trace


def keeping(a, h):
    """Nothing but the choice: 1 where the old state stays, which is 1 there."""
    return zoneout(1.0 + 0.0 * h, 0.0 * a, 0.3)


KEEPING = trace(keeping, {"a": "x"}, "h")


def drawn(seed, T=5, B=7, H=40, L=1, dtype=np.float32, both=False):
    """Which units kept their state, [T, B, D * H]."""
    spec = StackSpec(define(KEEPING), 2, H, L, (False, True) if both else (False,), True, np.dtype(dtype))
    nest = spec.nest([np.zeros(shape, dtype) for shape in spec.shapes])
    run = PROCESSOR.new_pass(spec, Steps(T, B, False), np.zeros((T, B, 2), dtype), [None], seed=seed)
    y, _ = run.forward(PROCESSOR.weights(spec, nest, False))
    return y


def by_hand(seed, part, row, unit, index=0):
    """The same as plain arithmetic."""
    m64, m32 = 2**64 - 1, 2**32 - 1

    def mixed(x):
        x = (x + 0x9E3779B97F4A7C15) & m64
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & m64
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & m64
        return x ^ (x >> 31)

    def scrambled(x):
        x = ((x ^ (x >> 16)) * 0x7FEB352D) & m32
        x = ((x ^ (x >> 15)) * 0x846CA68B) & m32
        return x ^ (x >> 16)

    of_part = (seed * 0x9E3779B97F4A7C15 + part) & m64
    key = (mixed(of_part ^ mixed(row)) + 0x9E3779B97F4A7C15 * (index + 1)) & m64
    return (scrambled((scrambled((unit + (key & m32)) & m32) + (key >> 32)) & m32) >> 8) / 2**24
