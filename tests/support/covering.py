"""What a test runs with: every combination for a compiled cell, every pair of values for the traced ones.

Compiled cells have kernels of their own. One mechanism runs all others: what is wrong for three values at once is wrong
for many a cell.
"""

from __future__ import annotations

import itertools
import os

import numpy as np
import pytest

import elman
from elman.stack.cells import COMPILED

ISAS = elman.isas()
if only := os.environ.get("ELMAN_TEST_ISA"):
    ISAS = ISAS[:1] if only == "best" else [only]
DTYPES = [np.float32, np.float64]
KERNELS = [(isa, dtype) for dtype in DTYPES for isa in ISAS]


def pairs(*lists):
    """Rows, a value of each list, in which any two values of two lists meet: few rows, and always the same."""
    if len(lists) < 2 or not all(lists):
        return list(itertools.product(*lists))
    sizes = [range(len(values)) for values in lists]
    open_ = {
        ((i, a), (j, b)): None
        for i, j in itertools.combinations(range(len(lists)), 2)
        for a, b in itertools.product(sizes[i], sizes[j])
    }
    used, rows = [[0] * len(values) for values in lists], []

    def best(k, row):
        """The value of list k that meets most for the first time, and of these the one seen least."""
        gain = [sum(tuple(sorted([(k, a), other])) in open_ for other in row.items()) for a in sizes[k]]
        return max(sizes[k], key=lambda a: (gain[a], -used[k][a]))

    while open_:
        row = dict(next(iter(open_)))
        for k in sorted(range(len(lists)), key=lambda k: -len(lists[k])):
            if k not in row:
                row[k] = best(k, row)
            used[k][row[k]] += 1
        for pair in itertools.combinations(sorted(row.items()), 2):
            open_.pop(pair, None)
        rows.append(tuple(values[row[k]] for k, values in enumerate(lists)))
    return rows


def label(value):
    if isinstance(value, tuple):
        return "-".join(map(label, value))
    return getattr(value, "__name__", None) or str(value)


def over(lists):
    """A test's mark, of values by name as pytest has them: "cell", or "isa, dtype" for pairs that stay together.

    The last varies fastest: instruction sets side by side share what the oracle has computed (cases.expected).
    """
    names = [name.strip() for key in lists for name in key.split(",")]
    rows = []
    for known in (True, False):
        some = {
            key: [v for v in values if (v in COMPILED) == known] if key == "cell" else [*values]
            for key, values in lists.items()
        }
        rows += (itertools.product if known else pairs)(*some.values())
    params = []
    for row in rows:
        flat = [one for key, v in zip(lists, row, strict=True) for one in (v if "," in key else (v,))]
        params.append(pytest.param(*flat, id="-".join(map(label, row))))
    return pytest.mark.parametrize(names, params, indirect=[name for name in names if name == "isa"])
