"""Shared fixtures: every instruction set this machine has, and settings put back after each test."""

import os

import numpy as np
import pytest

# Before elman reads it: tests that no bit depends on the number of threads need more of them than processors.
os.environ["ELMAN_OVERSUBSCRIBE"] = "1"

import elman


@pytest.fixture(autouse=True)
def settings_come_back():
    isa, threads = elman.info()["isa"], elman.num_threads()
    yield
    elman.use_isa(isa)
    elman.set_num_threads(threads)


@pytest.fixture(params=elman.isas())
def isa(request):
    elman.use_isa(request.param)
    return request.param


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture
def rng():
    return np.random.default_rng(0)
