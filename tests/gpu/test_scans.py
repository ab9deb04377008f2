"""Scans of every cell, type, schedule, plan and awkward size."""

from __future__ import annotations

import itertools

import pytest
import torch

import elman.stack.gpu
from bench.gpu import correct
from bench.gpu.place import Place
from elman.stack.cells import COMPILED
from tests.support.gpu_cases import TOLERANCE, check, make, ragged


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda t: str(t).removeprefix("torch."))
@pytest.mark.parametrize("cell", COMPILED)
def test_every_schedule(cell, dtype, kind):
    check(make(cell, 4, 5, 6, 40), dtype=dtype)


@pytest.mark.slow
@pytest.mark.parametrize("H", [1, 3, 7, 9, 18, 33])
@pytest.mark.parametrize("B", [1, 2, 3, 9])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_awkward_sizes(cell, B, H):
    check(make(cell, 3, B, 5, H, seed=H))
    check(make(cell, 1, B, 5, H, seed=H), dtype=torch.bfloat16)


@pytest.mark.slow
@pytest.mark.parametrize("which", ["lengths", "mask", "reset", "all"])
@pytest.mark.parametrize("backwards", [(False,), (True,), (False, True)], ids=["forward", "reverse", "both"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_plans(cell, backwards, which, kind):
    check(make(cell, 6, 11, 4, 20, backwards=backwards), ragged(6, 11)[which])


def test_packed(kind):
    layout = ragged(6, 11)["packed"]
    sizes = layout.batch_sizes
    spec, x, state, weights, grads = make("lstm", 6, 11, 4, 20)
    rows, B = int(sizes.sum()), int(sizes[0])
    x, dy = x.reshape(-1, 4)[:rows], grads[0].reshape(-1, 20)[:rows]
    check((spec, x, [s[:, :B] for s in state], weights, [dy, *(g[:, :B] for g in grads[1:])]), layout)


@pytest.mark.slow
@pytest.mark.parametrize("cell", COMPILED)
def test_stacks(cell, kind):
    check(make(cell, 3, 3, 5, 18, L=3, backwards=(False, True)))


def test_without_bias_state_and_final_gradient(kind):
    check(make("gru", 3, 3, 5, 18, bias=False), with_state=False, with_dstate=False)
    check(make("lstm", 3, 3, 5, 18, bias=False), with_state=False, with_dstate=False)


def test_dropout_between_layers():
    factors = (torch.rand(4, 3, 18, dtype=torch.float64) > 0.5).double() * 2
    check(make("lstm", 4, 3, 5, 18, L=2), dropout=[factors])


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda t: str(t).removeprefix("torch."))
def test_weights_staged_a_part_at_a_time(dtype, monkeypatch, played):
    monkeypatch.setenv("ELMAN_CUDA_SCHEDULE", "launch")
    monkeypatch.setenv("ELMAN_PLAYED_SHARED_BYTES", str(12 << 10))
    check(make("lstm", 3, 5, 5, 70), dtype=dtype)


def test_many_rows(kind):
    check(make("lstm", 2, 67, 3, 17))


def test_an_impossible_schedule_is_refused(monkeypatch, played):
    monkeypatch.setenv("ELMAN_PLAYED_SHARED_BYTES", "1024")
    monkeypatch.setenv("ELMAN_CUDA_SCHEDULE", "block")
    with pytest.raises(ValueError, match="no 'block' for H = 64 and 3 segments on this GPU"):
        check(make("lstm", 2, 3, 3, 64))
    monkeypatch.setenv("ELMAN_CUDA_SCHEDULE", "fast")
    with pytest.raises(ValueError, match="expected block, cluster, grid or launch, got 'fast'"):
        check(make("lstm", 2, 3, 3, 64))


@pytest.mark.slow
@pytest.mark.parametrize("cell", COMPILED)
def test_tf32_on_request(cell, kind, monkeypatch):
    monkeypatch.setitem(TOLERANCE, torch.float32, 4e-3)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        rounded = check(make(cell, 4, 9, 6, 43))
        check(make(cell, 3, 9, 6, 20, backwards=(False, True)), ragged(3, 9)["all"])
    finally:
        torch.set_float32_matmul_precision(before)
    assert rounded > 10 * check(make(cell, 4, 9, 6, 43))  # without the request nothing is rounded


@pytest.mark.slow
def test_random_shapes(device):
    """bench.gpu's first random cases."""
    for _, work in itertools.islice(correct.shapes(Place(device == "played"), seed=3), 40):
        work()


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("H", [1, 64, 129, 512, 1024, 4096])
def test_a_schedule_for_every_size(H, backward, played):
    """On the machine of an H100: within its limits, and every unit and row has its place."""
    scans = elman.stack.gpu.find()[0]
    for cell in COMPILED:
        for dtype in ("float32", "tf32", "float16", "bfloat16"):
            for segments in (1, 7, 64, 1000):
                s = scans.schedules(cell, backward, dtype, H, segments, 2, "", [132, 232448, 16])[0]
                assert s.units % 16 == 0 and s.units * s.ranks >= H and s.tiles * 8 * s.teams >= segments
                assert s.splits >= s.tiles and s.units // 16 * s.splits * 32 <= 256
                assert s.shared_bytes <= 232448 and s.microseconds > 0
                assert s.kind != "grid" or 2 * s.teams * s.ranks <= 132
                assert s.kind not in ("block", "cluster") or s.ranks <= 16
