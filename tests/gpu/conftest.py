"""Every test here runs on a GPU that this processor plays (tests/cuda/device.h), and on a real one where one is."""

from __future__ import annotations

import importlib.util
import os

import pytest

import elman.stack.gpu

if importlib.util.find_spec("torch") is None:
    collect_ignore_glob, KINDS = ["test_*.py"], []
else:
    from tests.support.gpu_cases import KINDS

DEVICES = ["played"] if importlib.util.find_spec("elman._cuda_played") else []  # built with ELMAN_SELFTEST
DEVICES += ["cuda"] if elman.stack.gpu.find()[0] else []
if only := os.environ.get("ELMAN_TEST_GPU"):
    DEVICES = [only]


@pytest.fixture(autouse=True, params=DEVICES)
def device(request, monkeypatch):
    if request.param == "played":  # tensors on the processor count as on a GPU
        monkeypatch.setattr("elman.torch.gpu.KINDS", {"cpu"})
        monkeypatch.setattr(elman.stack.gpu, "_found", (importlib.import_module("elman._cuda_played"), ""))
    monkeypatch.setattr("elman.torch.cudnn.never", True)  # the scans, wherever cuDNN may be faster
    return request.param


@pytest.fixture
def played(device):
    if device != "played":
        pytest.skip("about a GPU with little shared memory")


@pytest.fixture(params=KINDS)
def kind(request, monkeypatch):
    monkeypatch.setenv("ELMAN_CUDA_SCHEDULE", request.param)
    return request.param
