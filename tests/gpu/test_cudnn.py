"""Where elman.torch gives a call to torch.nn's cuDNN: by cuDNN's own rules and a table of what was faster."""

from __future__ import annotations

import itertools
import math
import re

import pytest
import torch

import elman.torch
from bench.gpu import correct, stages
from bench.gpu import cudnn as bench_cudnn
from bench.gpu.place import Place
from elman.torch import cudnn
from elman.torch.cudnn import Task, algorithm, saved
from elman.torch.gpu import Pass

LSTM = Task("lstm", "float16", False, 512, 512, 64, 1, 1)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "static"),
        ({"B": 60}, "standard"),
        ({"B": 136}, "standard"),
        ({"I": 500}, "standard"),
        ({"layers": 2}, "standard"),
        ({"directions": 2}, "standard"),
        ({"dtype": "bfloat16"}, "standard"),
        ({"cell": "gru"}, "standard"),
        ({"H": 192, "I": 7, "layers": 3}, "small"),
        ({"H": 192, "I": 7, "train": True}, "standard"),
        ({"H": 128, "train": True, "dtype": "tf32"}, "small"),
        ({"H": 128, "dtype": "bfloat16"}, "standard"),
        ({"cell": "rnn_relu", "H": 384, "I": 9}, "small"),
        ({"cell": "rnn_tanh", "H": 384, "B": 7, "train": True}, "standard"),
    ],
)
def test_algorithms(changes, expected):
    assert algorithm(LSTM._replace(**changes)) == expected


@pytest.mark.parametrize("of", ["small", "static", "standard"])
def test_every_row_of_the_table_decides_its_own_size(of):
    rows = cudnn._table(of)
    assert len(rows) > 5
    for task, (ours, theirs) in rows:
        assert algorithm(task) == of
        found = saved(task, 10_000, in_a_graph=True)
        wanted = task.layers * (10_000 * (ours - theirs) + cudnn.BEGIN)
        assert math.isclose(found, wanted, rel_tol=1e-6, abs_tol=1e-6), task


def test_short_calls():
    """What the processor takes decides: less under torch.nn, but for bfloat16, where weights are put together at each
    call, and over many steps."""
    for cell in ("lstm", "gru"):
        assert saved(LSTM._replace(cell=cell, B=1), 1, in_a_graph=False) > 0
        assert saved(LSTM._replace(cell=cell, B=1, dtype="bfloat16"), 1, in_a_graph=False) < 0
        assert saved(LSTM._replace(cell=cell, B=1, dtype="bfloat16"), 1, in_a_graph=True) > 0
    two = LSTM._replace(layers=2, B=1)  # forward, cuDNN's kernels take less time than the scans
    assert saved(two, 100, in_a_graph=True) > 0 > saved(two, 100, in_a_graph=False)


@pytest.fixture
def layer(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(cudnn, "never", False)
    monkeypatch.setattr(cudnn, "saved", lambda *of: 1.0)
    return elman.torch.LSTM(3, 8, batch_first=True)


def scans_of(monkeypatch, call):
    scans, scan = [], Pass.forward
    monkeypatch.setattr(Pass, "forward", lambda self, *of: scans.append(1) or scan(self, *of))
    found = call()
    monkeypatch.setattr(Pass, "forward", scan)
    return found, len(scans)


def test_a_call_that_cudnn_is_faster_at_is_torchs_own(layer, monkeypatch, played):
    x = torch.randn(2, 5, 3)
    tasks = []
    monkeypatch.setattr(cudnn, "saved", lambda task, T, in_a_graph: tasks.append((task, T)) or 1.0)
    (y, _), count = scans_of(monkeypatch, lambda: layer(x))
    assert count == 0 and torch.equal(y, torch.nn.LSTM.forward(layer, x)[0])
    with torch.no_grad():
        layer(x[0])
    assert tasks == [
        (Task("lstm", "float32", True, 3, 8, 2, 1, 1), 5), (Task("lstm", "float32", False, 3, 8, 1, 1, 1), 5)
    ]  # fmt: skip
    monkeypatch.setattr(cudnn, "saved", lambda *of: -1.0)
    assert scans_of(monkeypatch, lambda: layer(x))[1] == 1


def test_calls_that_cudnn_never_gets(layer, monkeypatch, played):
    x = torch.randn(2, 5, 3)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, [5, 2], batch_first=True)
    everywhere = torch.ones(2, 5, dtype=torch.bool)
    for call in (
        lambda: layer(packed),
        lambda: layer(x, lengths=torch.tensor([5, 2])),
        lambda: layer(x, mask=everywhere),
        lambda: layer(x, reset=everywhere),
    ):
        assert scans_of(monkeypatch, call)[1] == 1
    torch.use_deterministic_algorithms(True)
    try:
        assert scans_of(monkeypatch, lambda: layer(x))[1] == 1
    finally:
        torch.use_deterministic_algorithms(False)
    monkeypatch.setattr(cudnn, "never", True)
    assert scans_of(monkeypatch, lambda: layer(x))[1] == 1
    monkeypatch.setattr(cudnn, "never", False)
    weights = [*layer.parameters()]
    for other in (torch.zeros(0, 5, 3), torch.zeros(2, 0, 3), torch.zeros(3), [[[0.0] * 3]], None):
        assert not cudnn.faster(layer, weights, other, False)
    projected = elman.torch.LSTM(3, 8, proj_size=2)
    assert not cudnn.faster(projected, [*projected.parameters()], x, False)


def test_weights_that_do_not_fit_are_cudnns(layer, monkeypatch, played):
    monkeypatch.setattr(cudnn, "saved", lambda *of: -1.0)
    wide = elman.torch.LSTM(3, 1500)
    assert not cudnn.faster(layer, [*layer.parameters()], torch.zeros(2, 5, 3), False)
    assert cudnn.faster(wide, [*wide.parameters()], torch.zeros(2, 5, 3), False)


def test_the_benchs_cases(device):
    """Those without end come one by one, and what the sanitizers are to run is among the stage's."""
    place = Place(device == "played")
    names = [name for name, _ in itertools.islice(bench_cudnn.drop_in(place), 500)]
    assert len(names) == 500
    smoke = [name for name, _ in correct.smoke(place)]
    assert all(any(re.search(few, name) for name in smoke) for few in stages.FEW.split("|"))
