"""Calls of the engine's module with one argument made odd: `python -m tests.fuzz SEED CALLS`.

Every call either raises one of ERRORS and writes nothing beside its arrays, or gives what an independent
computation gives. (A crash ends the process: tests/bind/test_memory.py runs this one in its own.)
"""

import sys

import numpy as np

from tests.fuzz import around, layers, rest  # noqa: F401  (they register their cases)
from tests.fuzz.arguments import CASES, Fuzz
from tests.support import oracle


def main(seed, calls):
    fuzz = Fuzz(seed)
    fuzz.furnish()
    made, accepted = dict(fuzz.made), dict.fromkeys(CASES, 0)
    for i in range(calls):
        fuzz.guarded, fuzz.made = [], dict(made)
        fuzz.dtype = fuzz.pick([np.float32, np.float64])
        fuzz.cell = fuzz.pick(list(oracle.CELLS))
        name = list(CASES)[i % len(CASES)]
        try:
            accepted[name] += fuzz.attempt(*CASES[name](fuzz))
        except BaseException:
            print(f"call {i} of seed {seed}: {name}", file=sys.stderr)
            raise
    print(accepted)
    assert all(accepted.values()), accepted  # every kind of call was computed at least once


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
