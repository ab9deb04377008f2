"""Shared fixtures: every instruction set this machine has, and settings put back after each test.

ELMAN_TEST_ISA=avx2 runs the tests that use `isa` with that one alone, ELMAN_TEST_ISA=best with the machine's best.
ELMAN_TEST_WITHOUT="safetensors h5py" skips tests that ask for one of these packages, where they cannot be had.
"""

import os
import signal

import numpy as np
import pytest

# Before elman reads it: tests that no bit depends on the number of threads need more of them than processors.
os.environ["ELMAN_OVERSUBSCRIBE"] = "1"

import elman
from tests.support.covering import DTYPES, ISAS

# A shell's job in the background ignores Ctrl-C, and so would the tests of it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

WITHOUT = os.environ.get("ELMAN_TEST_WITHOUT", "").split()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    return (yield from skipped_without())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    return (yield from skipped_without())


def skipped_without():
    try:
        return (yield)
    except ImportError as error:
        for package in WITHOUT:
            if error.name == package or f" needs {package}: " in str(error):
                pytest.skip(f"no {package}")
        raise


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


@pytest.fixture(params=DTYPES, ids=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture
def rng():
    return np.random.default_rng(0)
