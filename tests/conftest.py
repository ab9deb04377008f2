"""Shared fixtures: every instruction set this machine has, and settings put back after each test.

ELMAN_TEST_ISA=avx2 runs the tests that use `isa` with that one alone, ELMAN_TEST_ISA=best with the machine's best.
"""

import os

import numpy as np
import pytest

# Before elman reads it: tests that no bit depends on the number of threads need more of them than processors.
os.environ["ELMAN_OVERSUBSCRIBE"] = "1"

import elman

ISAS = elman.isas()
if only := os.environ.get("ELMAN_TEST_ISA"):
    ISAS = ISAS[:1] if only == "best" else [only]


@pytest.fixture(autouse=True)
def settings_come_back():
    isa, threads = elman.info()["isa"], elman.num_threads()
    yield
    elman.use_isa(isa)
    elman.set_num_threads(threads)


@pytest.fixture(params=ISAS)
def isa(request):
    elman.use_isa(request.param)
    return request.param


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture
def rng():
    return np.random.default_rng(0)
