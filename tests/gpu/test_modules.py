"""elman.torch's modules on a GPU: autograd, torch.compile, autocast, CUDA graphs."""

from __future__ import annotations

import pytest
import torch

import elman.stack.gpu
import elman.torch
from elman.stack.gpu.passes import Pass
from tests.support.gpu_cases import where


@pytest.mark.slow
@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_modules_and_autograd(name):
    plain = getattr(torch.nn, name)(5, 18, 2, bidirectional=True, batch_first=True)
    ours = getattr(elman.torch, name)(5, 18, 2, bidirectional=True, batch_first=True)
    ours.load_state_dict(plain.state_dict())
    results = []
    for layer, place in ((plain, torch.device("cpu")), (ours, where())):
        layer.to(place)
        x = torch.linspace(-1, 1, 3 * 4 * 5).reshape(3, 4, 5).to(place).requires_grad_()
        y, state = layer(x)
        h = state[0] if name == "LSTM" else state
        (y.square().sum() + h.sin().sum()).backward()
        results.append([t.cpu() for t in (y, h, x.grad, *(p.grad for p in layer.parameters()))])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_retained_graph_and_second_derivatives():
    layer = elman.torch.GRU(3, 7).to(where())
    x = torch.linspace(-1, 1, 4 * 2 * 3).reshape(4, 2, 3).to(where()).requires_grad_()
    y, _ = layer(x, lengths=torch.tensor([4, 2]))
    (first,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
    (again,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
    (graph,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    assert torch.equal(first, again)
    torch.testing.assert_close(first, graph, rtol=1e-4, atol=1e-6)
    graph.square().sum().backward()
    assert torch.isfinite(x.grad).all() and x.grad.abs().max() > 0


def test_half_precision_module_with_lengths():
    layer = elman.torch.LSTM(4, 16).half().to(where())
    x, lengths = torch.randn(6, 3, 4).half().to(where()), torch.tensor([6, 0, 2])
    with torch.no_grad():
        y, (h, c) = layer(x, lengths=lengths)
    assert y.dtype == h.dtype == c.dtype == torch.float16
    assert not y[2:, 2].any() and not y[:, 1].any() and not h[0, 1].any()
    torch.testing.assert_close(h[0, 2], y[1, 2])


def test_cells():
    plain, ours = torch.nn.LSTMCell(3, 5), elman.torch.LSTMCell(3, 5)
    ours.load_state_dict(plain.state_dict())
    ours.to(where())
    x, state = torch.randn(2, 3), (torch.randn(2, 5), torch.randn(2, 5))
    for hx in (state, None):
        wanted = plain(x, hx)
        found = ours(x.to(where()), None if hx is None else tuple(part.to(where()) for part in hx))
        for one, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(one.cpu(), other, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("lengths", [None, [4, 0, 3]])
def test_compiled(dtype, lengths, monkeypatch):
    """As in eager mode, from a tape in one piece: H and rows are odd, so that 16-bit parts of it could begin amiss."""
    layer = elman.torch.LSTM(3, 7, 2, bidirectional=True, dropout=0.5).to(where(), dtype)
    x = torch.randn(5, 3, 3, dtype=dtype).to(where()).requires_grad_()
    scans = []
    scan = Pass._scan
    monkeypatch.setattr(
        Pass, "_scan", lambda self, back, sides: scans.append(back) or scan(self, back, sides)
    )
    outcomes = []
    for call in (torch.compile(layer, backend="aot_eager", fullgraph=True), layer):
        torch.manual_seed(1)
        y, (h, c) = call(x, lengths=None if lengths is None else torch.tensor(lengths))
        given = [torch.full_like(y, 0.5), torch.ones_like(h), torch.ones_like(c)]
        grads = torch.autograd.grad([y, h, c], [x, *layer.parameters()], given)
        outcomes.append([y, h, c, *grads])
    for one, other in zip(*outcomes, strict=True):
        assert torch.equal(one, other)
    assert scans == 2 * [False, False, True, True]


def test_autocast(device):
    if device != "cuda":
        pytest.skip("on a processor autocast computes in the weights' type")
    layer = elman.torch.LSTM(3, 8).cuda()
    x, state = torch.randn(4, 2, 3).cuda(), (torch.randn(1, 2, 8).cuda(), torch.randn(1, 2, 8).cuda())
    with torch.autocast("cuda", torch.bfloat16):
        y, _ = layer(x, state)
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert all(p.grad.dtype == torch.float32 for p in layer.parameters())
    torch.testing.assert_close(y.float(), layer(x, state)[0], rtol=0, atol=2e-2)


def test_a_cuda_graph_replays(device):
    if device != "cuda":
        pytest.skip("CUDA graphs are a GPU's")
    layer, x = elman.torch.LSTM(3, 40).cuda(), torch.randn(5, 2, 3).cuda()
    with torch.no_grad():
        layer(x)  # uploads the plan
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y, _ = layer(x)
        x.copy_(torch.randn_like(x))
        graph.replay()
        assert torch.equal(y, layer(x)[0])
    x.requires_grad_()
    inputs = [x, *layer.parameters()]
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        wanted = torch.autograd.grad(layer(x)[0].sum(), inputs)
    side.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = torch.autograd.grad(layer(x)[0].sum(), inputs)
    graph.replay()
    assert all(map(torch.equal, found, wanted))


def test_what_has_no_gpu_code_says_so(monkeypatch, played):
    layer = elman.torch.LSTM(3, 4).double()
    assert "float64" in elman.torch.report(layer)[0].reason
    scans = elman.stack.gpu.find()[0]
    monkeypatch.setattr(elman.stack.gpu, "_found", (None, "this build has no CUDA kernels"))
    assert elman.torch.report(elman.torch.LSTM(3, 4))[0].reason == (
        "torch's own code: its weights are on cpu, and this build has no CUDA kernels"
    )
    assert elman.info()["cuda"] == "no: this build has no CUDA kernels"
    monkeypatch.setattr(elman.stack.gpu, "_found", (scans, ""))
    monkeypatch.setenv("ELMAN_CUDA_SCHEDULE", "grid")
    assert elman.info()["cuda"] == "yes: a GPU that a processor plays, schedule grid"
