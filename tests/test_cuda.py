"""The GPU's scans against the engine in float64: on a GPU that this processor plays (tests/cuda/device.h), and on a
real one where there is one."""

from __future__ import annotations

import importlib.util
import os

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from bench.gpu import random_shapes  # noqa: E402

import elman.gpu  # noqa: E402
import elman.torch  # noqa: E402
from elman.gpu.library import Arrays  # noqa: E402
from elman.gpu.stack import Stack  # noqa: E402
from elman.layers import on_gpu  # noqa: E402
from elman.torch import engine, gpu  # noqa: E402
from elman.torch.spec import NO_STEPS, Spec, Steps  # noqa: E402

DEVICES = ["played"] if importlib.util.find_spec("elman._cuda_played") else []  # built with ELMAN_SELFTEST
DEVICES += ["cuda"] if elman.gpu.find()[0] else []
if only := os.environ.get("ELMAN_TEST_GPU"):
    DEVICES = [only]
pytestmark = pytest.mark.skipif(not DEVICES, reason="no GPU, nor one that the processor plays")

CELLS = ["rnn_tanh", "rnn_relu", "lstm", "gru"]
KINDS = ["block", "cluster", "push", "grid", "launch"]
# Of results of size 1: what rounding h and the slots to the type leaves after a few steps.
TOLERANCE = {torch.float32: 2e-6, torch.float16: 4e-3, torch.bfloat16: 3e-2}


def make(cell, T, B, I, H, L=1, backwards=(False,), bias=True, seed=0):  # noqa: E741
    """Inputs that each type holds exactly enough: multiples of 1/64."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape, scale=1.0):
        return torch.round(torch.randn(*shape, generator=generator, dtype=torch.float64) * scale * 64) / 64

    spec = Spec(cell, tuple(backwards), bias, False)
    gates, states = {"lstm": (4, 2), "gru": (3, 1)}.get(cell, (1, 1))
    D = len(backwards)
    weights = []
    for k in range(L):
        inputs = I if k == 0 else D * H
        for _ in range(D):
            weights += [
                draw(gates * H, inputs, scale=min(0.3, inputs**-0.5)),
                draw(gates * H, H, scale=H**-0.5),
            ]
            if bias:
                weights += [draw(gates * H, scale=0.3), draw(gates * H, scale=0.3)]
    if cell == "rnn_relu":  # far from the corner, on whose sides the gradients differ
        for one in weights:
            one *= 1 / 4 if one.dim() == 2 else 0
            if one.dim() == 1:
                one += torch.where(torch.arange(H) % 3 > 0, 2.0, -2.0)
    x, state = draw(T, B, I), [draw(L * D, B, H, scale=0.5) for _ in range(states)]
    grads = [draw(T, B, D * H), *(draw(L * D, B, H) for _ in range(states))]
    return spec, x, state, weights, grads


def check(
    case, steps=NO_STEPS, dtype=torch.float32, with_state=True, with_dstate=True, dropout=(), device=None
):
    """Results and gradients, where tests run or on `device`; the largest error as a part of what is allowed."""
    device = device or where()
    spec, x, state, weights, grads = case
    state = state if with_state else []
    dstate = grads[1:] if with_dstate else [None] * (len(grads) - 1)
    wanted = engine.Pass(spec, x, state, weights, dropout, steps)
    tape = wanted.new_tape()
    expected = wanted.forward(tape)
    y = expected[0].clone()
    dx, dinitial, dweights = wanted.backward(tape, expected[0], grads[0], dstate)

    def cast(tensors):
        return [None if t is None else t.to(device, dtype) for t in tensors]

    call = gpu.Pass(spec, *cast([x]), cast(state), cast(weights), cast(dropout), steps)
    tape = call.new_tape()
    found = call.forward(tape)
    plain = gpu.Pass(spec, *cast([x]), cast(state), cast(weights), cast(dropout), steps).forward()
    for one, other in zip(found, plain, strict=True):
        assert torch.equal(one, other)  # keeping changes nothing, and neither does the order of the threads
    found_dx, found_dinitial, found_dweights = call.backward(tape, found[0], *cast(grads[:1]), cast(dstate))
    worst = 0.0
    for name, one, other in [
        ("y", found[0], y),
        *((f"state {k}", a, b) for k, (a, b) in enumerate(zip(found[1:], expected[1:], strict=True))),
        ("dx", found_dx, dx),
        *((f"dinitial {k}", a, b) for k, (a, b) in enumerate(zip(found_dinitial, dinitial, strict=True))),
        *((f"dweight {k}", a, b) for k, (a, b) in enumerate(zip(found_dweights, dweights, strict=True))),
    ]:
        assert one.dtype == dtype and one.shape == other.shape, name
        if not one.numel():
            continue
        allowed = TOLERANCE[dtype] * max(1.0, other.abs().max().item())
        error = (one.double().cpu() - other).abs().max().item() / allowed
        assert error <= 1, (name, error)
        worst = max(worst, error)
    return worst


@pytest.fixture(autouse=True, params=DEVICES)
def device(request, monkeypatch):
    if request.param == "played":  # tensors on the processor count as on a GPU
        monkeypatch.setattr(gpu, "KINDS", {"cpu"})
        monkeypatch.setattr(elman.gpu, "_found", (importlib.import_module("elman._cuda_played"), ""))
    return request.param


@pytest.fixture
def played(device):
    if device != "played":
        pytest.skip("about a GPU with little shared memory")


def where():
    """Where tensors are to be."""
    return torch.device(*gpu.KINDS)


@pytest.fixture(params=KINDS)
def kind(request, monkeypatch):
    monkeypatch.setenv("ELMAN_CUDA_SCHEDULE", request.param)
    return request.param


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda t: str(t).removeprefix("torch."))
@pytest.mark.parametrize("cell", CELLS)
def test_every_schedule(cell, dtype, kind):
    check(make(cell, 4, 5, 6, 40), dtype=dtype)


@pytest.mark.parametrize("H", [1, 3, 7, 9, 18, 33])
@pytest.mark.parametrize("B", [1, 2, 3, 9])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_awkward_sizes(cell, B, H):
    check(make(cell, 3, B, 5, H, seed=H))
    check(make(cell, 1, B, 5, H, seed=H), dtype=torch.bfloat16)


def ragged(T, B, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, T + 1, B)
    lengths[0] = T
    mask, reset = rng.random((T, B)) < 0.8, rng.random((T, B)) < 0.3
    return {
        "lengths": Steps(lengths=torch.from_numpy(lengths)),
        "mask": Steps(mask=torch.from_numpy(mask)),
        "reset": Steps(reset=torch.from_numpy(reset)),
        "all": Steps(None, *map(torch.from_numpy, (lengths, mask, reset))),
        "packed": Steps(
            batch_sizes=torch.from_numpy(np.sort((np.arange(T)[:, None] < lengths).sum(1))[::-1].copy())
        ),
    }


@pytest.mark.parametrize("which", ["lengths", "mask", "reset", "all"])
@pytest.mark.parametrize("backwards", [(False,), (True,), (False, True)], ids=["forward", "reverse", "both"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_plans(cell, backwards, which, kind):
    check(make(cell, 6, 11, 4, 20, backwards=backwards), ragged(6, 11)[which])


def test_packed(kind):
    steps = ragged(6, 11)["packed"]
    sizes = steps.batch_sizes
    spec, x, state, weights, grads = make("lstm", 6, 11, 4, 20)
    rows, B = int(sizes.sum()), int(sizes[0])
    x, dy = x.reshape(-1, 4)[:rows], grads[0].reshape(-1, 20)[:rows]
    check((spec, x, [s[:, :B] for s in state], weights, [dy, *(g[:, :B] for g in grads[1:])]), steps)


@pytest.mark.parametrize("cell", ["rnn_tanh", "lstm", "gru"])
def test_stacks(cell, kind):
    check(make(cell, 3, 3, 5, 18, L=3, backwards=(False, True)))


def test_without_bias_state_and_final_gradient(kind):
    check(make("gru", 3, 3, 5, 18, bias=False), with_state=False, with_dstate=False)
    check(make("lstm", 3, 3, 5, 18, bias=False), with_state=False, with_dstate=False)


def test_dropout_between_layers():
    factors = (torch.rand(4, 3, 18, dtype=torch.float64) > 0.5).double() * 2
    check(make("lstm", 4, 3, 5, 18, L=2), dropout=[factors])


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda t: str(t).removeprefix("torch."))
def test_weights_in_chunks(dtype, monkeypatch, played):
    monkeypatch.setenv("ELMAN_CUDA_SCHEDULE", "launch")
    monkeypatch.setenv("ELMAN_PLAYED_SHARED_BYTES", str(12 << 10))
    check(make("lstm", 3, 5, 5, 70), dtype=dtype)


def test_many_rows(kind):
    check(make("lstm", 2, 67, 3, 17))


def test_an_impossible_schedule_is_refused(monkeypatch, played):
    monkeypatch.setenv("ELMAN_PLAYED_SHARED_BYTES", "1024")
    monkeypatch.setenv("ELMAN_CUDA_SCHEDULE", "block")
    with pytest.raises(ValueError, match="no 'block' for H = 64 and 3 rows on this GPU"):
        check(make("lstm", 2, 3, 3, 64))
    monkeypatch.setenv("ELMAN_CUDA_SCHEDULE", "fast")
    with pytest.raises(ValueError, match="expected block, cluster, push, grid or launch, got 'fast'"):
        check(make("lstm", 2, 3, 3, 64))


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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("lengths", [None, [4, 0, 3]])
def test_compiled(dtype, lengths, monkeypatch):
    """As in eager mode, from a tape in one piece: H and rows are odd, so that 16-bit parts of it could begin amiss."""
    layer = elman.torch.LSTM(3, 7, 2, bidirectional=True, dropout=0.5).to(where(), dtype)
    x = torch.randn(5, 3, 3, dtype=dtype).to(where()).requires_grad_()
    scans = []
    scan = Stack._scan
    monkeypatch.setattr(
        Stack, "_scan", lambda self, back, sides: scans.append(back) or scan(self, back, sides)
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


@pytest.mark.parametrize("cell", ["rnn_tanh", "lstm", "gru"])
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


def test_random_shapes(tmp_path, capsys):
    assert random_shapes.run(tmp_path, count=60, device=str(where()), seed=3)
    assert "cases right" in capsys.readouterr().out


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("H", [1, 64, 129, 512, 1024, 4096])
def test_a_schedule_for_every_size(H, backward, played):
    """On the machine of an H100: within its limits, and every unit and row has its place."""
    scans = elman.gpu.find()[0]
    for cell in CELLS:
        for dtype in ("float32", "tf32", "float16", "bfloat16"):
            for rows in (1, 7, 64, 1000):
                s = scans.schedule(cell, backward, dtype, H, rows, 2, "", [132, 232448, 16])
                assert s.units % 16 == 0 and s.units * s.ranks >= H and s.tiles * 8 * s.teams >= rows
                assert s.splits >= s.tiles and s.units // 16 * s.splits * 32 <= 256
                assert s.shared_bytes <= 232448 and s.microseconds > 0
                assert s.kind != "grid" or 2 * s.teams * s.ranks <= 132
                assert s.kind not in ("block", "cluster", "push") or s.ranks <= 16


@pytest.fixture
def arrays(monkeypatch, played):
    """NumPy's arrays count as CuPy's on a GPU."""
    monkeypatch.setattr(on_gpu, "wants", lambda x: isinstance(x, np.ndarray))
    monkeypatch.setattr(on_gpu, "_library", lambda x: (Arrays(np), lambda name, value: value))


def both_ways(layer, monkeypatch, *args, **kwargs):
    """Results and gradients on the GPU and in main memory."""
    outcomes = []
    for wants in (on_gpu.wants, lambda x: False):
        monkeypatch.setattr(on_gpu, "wants", wants)
        layer.zero_grad()
        y, state, backward = layer.forward(*args, **kwargs)
        state = state if isinstance(state, tuple) else (state,)
        dx, dstate = backward(np.cos(y), tuple(map(np.sin, state)) if len(state) > 1 else np.sin(state[0]))
        dstate = dstate if isinstance(dstate, tuple) else (dstate,)
        plain, _ = layer(*args, **kwargs)
        np.testing.assert_array_equal(plain, y)
        outcomes.append([y, *state, dx, *dstate, *(grad.copy() for grad in layer.grads.values())])
    for one, other in zip(*outcomes, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(
    "options", [{}, {"batch_first": True}, {"bidirectional": True, "num_layers": 2}, {"bias": False}]
)
@pytest.mark.parametrize("kind", [elman.RNN, elman.LSTM, elman.GRU])
def test_arrays_of_other_libraries(kind, options, arrays, monkeypatch):
    layer = kind(3, 9, seed=1, **options)
    x = np.random.default_rng(0).standard_normal((4, 5, 3), np.float32)
    both_ways(layer, monkeypatch, x)


def test_arrays_with_lengths_state_and_frozen_weights(arrays, monkeypatch):
    layer = elman.LSTM(3, 8, seed=1)
    rng = np.random.default_rng(0)
    x, h, c = (rng.standard_normal(s, np.float32) for s in [(6, 4, 3), (1, 4, 8), (1, 4, 8)])
    both_ways(layer, monkeypatch, x, (h, c), lengths=[6, 0, 3, 1])
    both_ways(layer, monkeypatch, x[:, 0].copy(), reset=np.array([0, 0, 1, 0, 1, 0], bool))
    monkeypatch.setattr(on_gpu, "wants", lambda x: True)
    before = layer(x)[0]
    layer.freeze()
    assert np.array_equal(layer(x)[0], before) and layer._on_gpu is not None
    assert np.array_equal(layer(x)[0], before)
    layer.unfreeze()
    assert layer._on_gpu is None


def test_cupy(device):
    if device != "cuda":
        pytest.skip("CuPy's arrays are on a GPU")
    cupy = pytest.importorskip("cupy")
    layer = elman.LSTM(3, 9, bidirectional=True)
    x = np.random.default_rng(0).standard_normal((4, 5, 3), np.float32)
    y, (h, _), backward = layer.forward(cupy.asarray(x), lengths=[4, 0, 2, 3, 1])
    assert isinstance(y, cupy.ndarray) and isinstance(h, cupy.ndarray)
    dx, _ = backward(cupy.cos(y))
    found = [y.get(), dx.get(), *(grad.copy() for grad in layer.grads.values())]
    layer.zero_grad()
    y, _, backward = layer.forward(x, lengths=[4, 0, 2, 3, 1])
    wanted = [y, backward(np.cos(y))[0], *layer.grads.values()]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5)


def test_what_arrays_on_a_gpu_cannot_have(arrays, monkeypatch):
    x = np.zeros((2, 3, 4), np.float32)
    with pytest.raises(ValueError, match="x: expected an array in main memory for a float64 layer"):
        elman.GRU(4, 5, dtype=np.float64)(x)
    with pytest.raises(ValueError, match=r"recurrent_dropout: expected 0 on a GPU, got 0\.5"):
        elman.GRU(4, 5, recurrent_dropout=0.5).forward(x)
    with pytest.raises(ValueError, match=r"x: expected \[T, B, 4\] float32"):
        elman.GRU(4, 5)(x[:, :, :3].copy())
    monkeypatch.setattr(elman.gpu, "_found", (None, "this build has no CUDA kernels"))
    with pytest.raises(
        ValueError, match=r"expected an array in main memory \(this build has no CUDA kernels\)"
    ):
        elman.GRU(4, 5)(x)


def test_what_has_no_gpu_code_says_so(monkeypatch, played):
    layer = elman.torch.LSTM(3, 4).double()
    assert "float64" in elman.torch.report(layer)[0].reason
    scans = elman.gpu.find()[0]
    monkeypatch.setattr(elman.gpu, "_found", (None, "this build has no CUDA kernels"))
    assert elman.torch.report(elman.torch.LSTM(3, 4))[0].reason == (
        "torch's own code: its weights are on cpu, and this build has no CUDA kernels"
    )
    assert elman.info()["cuda"] == "no: this build has no CUDA kernels"
    monkeypatch.setattr(elman.gpu, "_found", (scans, ""))
    monkeypatch.setenv("ELMAN_CUDA_SCHEDULE", "grid")
    assert elman.info()["cuda"] == "yes: a GPU that a processor plays, schedule grid"
