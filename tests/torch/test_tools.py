"""PyTorch's public tools that take a module or its output, each with every kind of module."""

import pytest
import torch
import torch._dynamo.testing
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.flop_counter import FlopCounterMode

import elman.torch as et
from tests.support.torch_pairs import (
    KINDS,
    LENGTHS,
    Pack,
    assert_close,
    grads,
    ignore_torchs_warnings,
    loss,
    pair,
)

pytestmark = ignore_torchs_warnings
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.mark.parametrize("low", [torch.bfloat16, torch.float16], ids=str)
@every_kind
def test_autocast_takes_back_what_it_gave(kind, low):
    """The layer computes in its weights' type; what comes in as 16 bits, states included, is cast."""
    theirs, ours, x = pair(kind)
    rnn = ours.rnn
    call = lambda m, x, hx=None: m(ours.pack(x) if ours.packed else x, hx)  # noqa: E731
    x = x.to(low).float()
    with torch.autocast("cpu", low):
        first = call(rnn, x.to(low))
        state = tree_map(lambda t: t.detach().to(low), first if ours.cell else first[1])
        second = call(rnn, x.to(low), state)
    loss(second).backward()
    flat = lambda out: [t for t in tree_leaves(out) if t.is_floating_point()]  # noqa: E731
    assert {t.dtype for t in flat(first) + flat(second)} == {torch.float32}
    want = call(theirs.rnn, x)
    assert_close(flat(first), flat(want))
    want = call(theirs.rnn, x, tree_map(lambda t: t.float(), state))
    assert_close(flat(second), flat(want))
    loss(want).backward()
    assert_close([p.grad for p in rnn.parameters()], [p.grad for p in theirs.rnn.parameters()])


def test_weights_projected_anew_inside_autocast():
    """Backward makes the product again where another call of the module has put it away."""
    layer, x = et.LSTM(3, 8, proj_size=4), torch.randn(5, 2, 3)

    def gradients(low):
        y, _ = layer(x)
        with torch.no_grad():
            torch.func.functional_call(layer, {k: w / 2 for k, w in layer.state_dict().items()}, (x,))
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            return torch.autograd.grad(y.sum(), layer.parameters())

    for got, want in zip(gradients(True), gradients(False), strict=True):
        torch.testing.assert_close(got, want, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("options", [{}, {"proj_size": 4}], ids=str)
def test_another_default_device(options):
    layer, x = et.LSTM(3, 8, **options), torch.randn(5, 2, 3)
    state = torch.randn(1, 2, options.get("proj_size", 8)), torch.randn(1, 2, 8)
    want = [layer(x, state, lengths=[3, 5])[0], layer(x, state)[0]]
    with torch.device("meta"):
        got = [layer(x, state, lengths=[3, 5])[0], layer(x, state)[0]]
        torch.autograd.grad(got[0].sum(), layer.weight_hh_l0, create_graph=True)
    assert all(torch.equal(a, b) for a, b in zip(got, want, strict=True))


def test_autocast_does_not_cast_float64():
    with (
        torch.autocast("cpu", torch.bfloat16),
        pytest.raises(ValueError, match=r"input: .* float32, got \[5, 2, 3\] float64"),
    ):
        et.GRU(3, 4)(torch.zeros(5, 2, 3, dtype=torch.float64))


@pytest.mark.parametrize("way", ["lengths", "mask", "packed"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_gradient_penalty_never_sees_what_does_not_count(kind, way):
    """NaN in steps left out: finite, and what zeros there give."""
    torch.manual_seed(0)
    layer = getattr(et, kind)(3, 4, 2, bidirectional=True, dtype=torch.float64)
    theirs = getattr(nn, kind)(3, 4, 2, bidirectional=True, dtype=torch.float64)
    theirs.load_state_dict(layer.state_dict())
    x = torch.randn(6, 3, 3, dtype=torch.float64)
    lengths = torch.tensor([4, 6, 2])
    inside = torch.arange(6)[:, None] < lengths
    x[~inside] = torch.nan
    pack = lambda x: pack_padded_sequence(x, lengths, enforce_sorted=False)  # noqa: E731

    def penalty(module, run):
        inputs = x.clone().requires_grad_()
        out = run(inputs)
        (dx,) = torch.autograd.grad(out.square().sum(), inputs, create_graph=True)
        total = out.sum() + (dx.square().sum((0, 2)).add(1e-9).sqrt() - 1).square().sum()
        return [dx.detach(), *torch.autograd.grad(total, [inputs, *module.parameters()])]

    if way == "lengths":
        run = lambda x: layer(x, lengths=lengths)[0]  # noqa: E731
    elif way == "mask":
        run = lambda x: layer(x, mask=inside)[0]  # noqa: E731
    else:
        run = lambda x: layer(pack(x))[0].data  # noqa: E731
    got = penalty(layer, run)
    want = penalty(theirs, lambda x: theirs(pack(x))[0].data)
    assert all(t.isfinite().all() for t in got)
    assert_close(got, want, 1e-9)


def test_a_gradient_penalty_never_sees_a_state_that_does_not_count():
    layer = et.LSTM(3, 4)
    x = torch.randn(2, 2, 3, requires_grad=True)
    nan = torch.tensor([0.0, torch.nan])[:, None].expand(1, 2, 4)
    y, _ = layer(x, (nan, nan), lengths=[2, 0])
    (dx,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    assert all(g.isfinite().all() for g in torch.autograd.grad(dx.square().sum(), list(layer.parameters())))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@every_kind
def test_jit_trace_with_its_checker(kind):
    theirs, ours, x = pair(kind)
    traced = torch.jit.trace(ours, x)  # gradients enabled: without them its checker traces again
    assert "elman::rnn" in str(traced.inlined_graph)
    other = torch.randn_like(x)
    want, got = theirs(other), traced(other)
    assert_close(got, want)
    assert_close(grads(traced, got), grads(theirs, want))


class Tracer(torch.fx.Tracer):
    def is_leaf_module(self, module, name):
        return isinstance(module, Pack) or super().is_leaf_module(module, name)


@pytest.mark.slow
@every_kind
def test_fx_takes_the_module_for_a_leaf(kind):
    theirs, ours, x = pair(kind)
    seen = []
    ours.rnn.register_forward_pre_hook(lambda module, args: seen.append(args))
    graph = torch.fx.GraphModule(ours, Tracer().trace(ours)) if ours.packed else torch.fx.symbolic_trace(ours)
    assert not seen  # a leaf's hooks wait for its call
    assert "rnn" in {node.target for node in graph.graph.nodes if node.op == "call_module"}
    assert graph.rnn is ours.rnn
    got, want = graph(x), theirs(x)
    assert_close(got, want)
    assert_close(grads(graph, got), grads(theirs, want))
    assert len(seen) == 1
    assert et.report(graph)[0].fast and et.restore(graph).rnn.__module__ == "torch.nn.modules.rnn"
    assert_close(graph(x), want)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"])
def test_tools_find_a_twin_by_its_class(kind):
    theirs, twin = getattr(nn, kind), getattr(et, kind)
    found = type(et.accelerate(theirs(3, 4)))
    assert found is twin and found == theirs and theirs == found
    assert found in {theirs: 1} and theirs in {twin} and hash(twin) == hash(theirs)
    assert found != nn.Linear and twin.__module__.startswith("elman.")

    class Mine(twin):
        pass

    assert Mine != theirs and Mine != twin and Mine == Mine and Mine in {Mine}
    assert et.report(Mine(3, 4))[0].fast  # it inherits the engine's forward


@pytest.mark.filterwarnings("ignore")  # torch's, on the future of its quantisation
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_dynamic_quantisation_of_an_accelerated_model(kind):
    theirs, ours, x = pair(kind)
    quantise = lambda m: torch.ao.quantization.quantize_dynamic(m, {getattr(nn, kind)}, dtype=torch.qint8)  # noqa: E731
    got = quantise(ours)
    assert ".quantized." in type(got.rnn).__module__
    assert_close(got(x), quantise(theirs)(x), 0)
    assert et.report(got)[0].reason == "torch's own code: quantised"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell", "RNNCell"])
def test_dynamic_quantisation_of_cells_wants_them_restored(kind):
    theirs, ours, x = pair(kind)
    quantise = lambda m: torch.ao.quantization.quantize_dynamic(m, {getattr(nn, kind)}, dtype=torch.qint8)  # noqa: E731
    with pytest.raises(NotImplementedError, match="Only LSTMCell, GRUCell and RNNCell"):
        quantise(ours)
    with et.restored(ours):
        got = quantise(ours)
    assert_close(got(x), quantise(theirs)(x), 0)


def compiled_operations(model, x, **options):
    """How many torch.compile finds, in how many graphs."""
    torch._dynamo.reset()
    counter = torch._dynamo.testing.CompileCounter()
    want, got = model(x), torch.compile(model, backend=counter, **options)(x)
    assert_close(got, want)
    return counter.op_count, counter.frame_count


@pytest.mark.slow
@every_kind
def test_compile_looks_into_ours_and_not_into_torchs(kind):
    theirs, ours, x = pair(kind)
    if ours.packed:
        pytest.skip("torch.compile breaks at pack_padded_sequence")
    assert not torch._dynamo.config.allow_rnn
    assert compiled_operations(ours, x, fullgraph=True)[1] == 1
    if not ours.cell:
        assert compiled_operations(theirs, x) == (0, 0)
    assert not torch._dynamo.config.allow_rnn


@pytest.mark.filterwarnings("ignore:elman.torch.GRU. its weights are bfloat16")
def test_compile_leaves_to_eager_what_runs_torchs_code():
    ours = et.GRU(3, 4, dtype=torch.bfloat16)
    x = torch.randn(5, 2, 3, dtype=torch.bfloat16)
    assert compiled_operations(ours, x) == (0, 0)


@every_kind
def test_flops_are_counted_as_torch_counts_its_products(kind):
    theirs, ours, x = pair(kind)
    x.requires_grad_()

    def count(model):
        with FlopCounterMode(display=False) as counter:
            out = model(x)
            forward = counter.get_total_flops()
            loss(out).backward()
        return forward, counter.get_total_flops() - forward

    rows = int(LENGTHS.sum()) if ours.packed else x.numel() // 3
    gates = {"L": 4, "G": 3, "R": 1}[kind[0]]
    forward, backward = count(ours)
    linear = sum(2 * n * m.weight.numel() for n, m in ((x.numel() // 3, ours.before), (rows, ours.after)))
    inside = 2 * rows * gates * 8 * (3 + 8)
    if "proj" not in kind:
        assert forward == linear + inside and backward == 2 * forward
    if kind[0] in "GR" and "packed" not in kind:  # torch's LSTMs run in oneDNN, which it does not count
        assert count(theirs)[0] == forward


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:The tensor attributes .* were assigned during export")  # torch's LSTM
@pytest.mark.parametrize("way", ["script", "trace", "freeze", "export"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN", "LSTMCell"])
def test_recorded_programs_are_reported(kind, way):
    theirs, ours, x = pair(kind)
    record = {
        "script": lambda m: torch.jit.script(m.rnn),
        "trace": lambda m: torch.jit.trace(m, x),
        "freeze": lambda m: torch.jit.freeze(torch.jit.trace(m.eval(), x)),
        "export": lambda m: torch.export.export(m, (x,)).module(),
    }[way]
    operator = "aten::" + {"L": "lstm", "G": "gru", "R": "rnn_tanh"}[kind[0]] + "_cell" * ("Cell" in kind)
    if "Cell" in kind:
        if way == "freeze":
            pytest.skip("products are all that is left of it")
        operator = kind if way == "trace" else operator
    model = nn.ModuleDict({"a": record(theirs)})
    with pytest.warns(UserWarning, match=f"{operator} of a .*: a recorded program cannot be changed"):
        et.accelerate(model)
    assert [entry.fast for entry in et.report(model)] == [False]
    if way != "script":
        assert [(e.kind.split(" ")[0], e.fast) for e in et.report(record(ours))] == [("elman::rnn", True)]
