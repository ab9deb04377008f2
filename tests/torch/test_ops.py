"""elman.torch inside PyTorch's machinery: operators, compile, export, func, autocast, second order, processes."""

import copy

import pytest
import torch
from torch import nn

import elman.torch as et
from elman.stack.cells import CELLS
from elman.torch import call, ops
from elman.torch.spec import Layout, spec_of

FLOAT64 = torch.float64

# opcheck's own, on its way through the gradients, from PyTorch 2.14 on
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")


def case(cell="lstm", T=4, B=3, I=3, H=5, L=2, first=False):  # noqa: E741
    """Arguments of elman::rnn for a two-way stack, with everything that it takes."""
    generator = torch.Generator().manual_seed(0)
    normal = lambda *shape: torch.randn(*shape, dtype=FLOAT64, generator=generator).requires_grad_()  # noqa: E731
    kind = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn_tanh": nn.RNN}[cell]
    weights = [normal(*p.shape) for p in kind(I, H, L, bidirectional=True).parameters()]
    state = [normal(2 * L, B, H) for _ in CELLS[cell].states]
    lead = (B, T) if first else (T, B)
    marks = torch.rand(2, *lead, generator=generator)
    return {
        "x": normal(*lead, I), "state": state, "weights": weights,
        "dropout": [torch.rand(*lead, 2 * H, dtype=FLOAT64, generator=generator)] * (L - 1),
        "batch_sizes": None, "lengths": torch.tensor([4, 2, 0]), "mask": marks[0] < 0.7, "reset": marks[1] < 0.3,
        "cell": cell, "backwards": [0, 1], "bias": True, "batch_first": first, "keep": True,
    }  # fmt: skip


PLAIN = {"state": [], "dropout": [], "lengths": None, "mask": None, "reset": None}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "change"),
    [("lstm", {}), ("lstm", PLAIN), ("lstm", {"keep": False}), ("gru", {}), ("rnn_tanh", PLAIN)],
    ids=["all-lstm", "plain-lstm", "nothing kept-lstm", "all-gru", "plain-rnn_tanh"],
)
def test_opcheck(cell, change):
    args = case(cell) | change
    assert set(torch.library.opcheck(ops.rnn, tuple(args.values())).values()) == {"SUCCESS"}
    y, _, c, tape = (t.detach() for t in ops.rnn(*args.values()))
    keep = args.pop("keep")
    dc = c if c.numel() else None
    given = {"dy": y, "dh": None, "dc": dc, "tape": tape} | args
    plain = [t.detach() if isinstance(t, torch.Tensor) else t for t in given.values()]
    plain = [
        [t.detach() if isinstance(t, torch.Tensor) else t for t in v] if isinstance(v, list) else v
        for v in plain
    ]
    assert set(torch.library.opcheck(ops.rnn_backward, tuple(plain)).values()) == {"SUCCESS"}
    assert bool(tape.numel()) == keep


def test_opcheck_of_a_packed_sequence():
    args = case() | PLAIN | {"batch_sizes": torch.tensor([3, 2, 2, 1])}
    args["x"] = torch.randn(8, 3, dtype=FLOAT64, requires_grad=True)
    args["state"] = case()["state"]
    assert set(torch.library.opcheck(ops.rnn, tuple(args.values())).values()) == {"SUCCESS"}


def test_opcheck_with_checkpoints():
    args = case() | {"keep": False}
    found = torch.library.opcheck(ops.rnn, tuple(args.values()), {"checkpoint_every": 2})
    assert set(found.values()) == {"SUCCESS"}


def test_the_operator_refuses_an_x_without_steps():
    args = case() | PLAIN
    args["x"] = torch.randn(3, 3, dtype=FLOAT64)
    with pytest.raises(ValueError, match=r"x: expected three axes, or two with batch_sizes, got \[3, 3\]"):
        ops.rnn(*args.values())


def test_the_operator_does_what_the_direct_call_does():
    args = case()
    y, h, c, _ = ops.rnn(*args.values())
    layer = et.LSTM(3, 5, 2, bidirectional=True, dtype=FLOAT64)
    layer.load_state_dict(dict(zip(layer._flat_weights_names, args["weights"], strict=True)))
    marks = {name: args[name] for name in ("lengths", "mask", "reset")}
    spec = spec_of("lstm", (False, True), True, args["weights"])
    direct = call.run(
        spec, Layout(False, None, *marks.values()), args["x"], args["state"], args["weights"], args["dropout"]
    )
    wanted = [args["x"], *args["state"], *args["weights"]]
    for a, b in zip((y, h, c), direct, strict=True):
        assert torch.equal(a, b)
    loss = lambda r: sum((part * part).sum() for part in r)  # noqa: E731
    got = torch.autograd.grad(loss((y, h, c)), wanted)
    want = torch.autograd.grad(loss(direct), wanted)
    assert all(torch.equal(a, b) for a, b in zip(got, want, strict=True))


class Model(nn.Module):
    def __init__(self, kind=nn.LSTM, **options):
        super().__init__()
        self.rnn = kind(3, 8, batch_first=True, **options)
        self.out = nn.Linear(8 * (1 + bool(options.get("bidirectional"))), 2)

    def forward(self, x, lengths=None):
        y, _ = self.rnn(x) if lengths is None else self.rnn(x, lengths=lengths)
        return self.out(y)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}, {"proj_size": 4}], ids=str)
def test_compile_without_a_break(options):
    model = Model(**options) if "proj_size" not in options else None
    if model is None:
        model = nn.Sequential(nn.LSTM(3, 8, batch_first=True, proj_size=4))
    et.accelerate(model)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    x = torch.randn(2, 5, 3, requires_grad=True)
    first = lambda out: out[0] if isinstance(out, tuple) else out  # noqa: E731
    want = first(model(x))
    want_grads = torch.autograd.grad(want.sum(), [x, *model.parameters()])
    got = first(compiled(x))
    grads = torch.autograd.grad(got.sum(), [x, *model.parameters()])
    assert torch.allclose(got, want, atol=1e-6)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(grads, want_grads, strict=True))
    with torch.no_grad():
        assert torch.allclose(first(compiled(x)), want, atol=1e-6)


@pytest.mark.slow
def test_compile_with_lengths_and_other_shapes():
    model = et.accelerate(Model())
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager", dynamic=True)
    for B, T in ((2, 5), (4, 7), (3, 9)):
        x, lengths = torch.randn(B, T, 3), torch.randint(0, T + 1, (B,))
        assert torch.allclose(compiled(x, lengths), model(x, lengths), atol=1e-6)


def test_export_keeps_one_node():
    model = et.accelerate(Model(bidirectional=True))
    x = torch.randn(2, 5, 3)
    program = torch.export.export(model, (x,))
    targets = [str(node.target) for node in program.graph.nodes]
    assert targets.count("elman.rnn.default") == 1
    assert torch.allclose(program.module()(x), model(x), atol=1e-6)


@pytest.mark.filterwarnings("ignore:.torch.jit.*deprecated")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_jit_trace_records_the_operator():
    model = et.accelerate(Model()).eval()
    x = torch.randn(2, 5, 3)
    with torch.no_grad():
        traced = torch.jit.trace(model, x)
        other = torch.randn(2, 5, 3)
        assert torch.allclose(traced(other), model(other), atol=1e-6)
    assert "elman::rnn" in str(traced.inlined_graph)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the exporter's own, which would send it another way
def test_onnx_export_runs_torchs_code():
    """The exporters themselves want packages of their own; what they ask the model while they run is torch's code."""
    model = et.accelerate(Model()).eval()
    x = torch.randn(2, 5, 3)
    program = torch.onnx.export(model, (x,), dynamo=True, verbose=False)
    assert "LSTM" in {node.op_type for node in program.model.graph}


def test_vmap_over_inputs_and_over_weights():
    layer = et.GRU(3, 4, dtype=FLOAT64)
    x = torch.randn(6, 5, 2, 3, dtype=FLOAT64)
    got = torch.func.vmap(lambda one: layer(one)[0])(x)
    assert torch.allclose(got, torch.stack([layer(one)[0] for one in x]))
    layers = [et.GRU(3, 4, dtype=FLOAT64) for _ in range(3)]
    parameters, buffers = torch.func.stack_module_state(layers)
    base = copy.deepcopy(layers[0])
    call = lambda p, b, one: torch.func.functional_call(base, (p, b), (one,))[0]  # noqa: E731
    got = torch.func.vmap(call, (0, 0, None))(parameters, buffers, x[0])
    assert torch.allclose(got, torch.stack([one(x[0])[0] for one in layers]))


def test_per_sample_gradients():
    layer = et.LSTM(3, 4, dtype=FLOAT64)
    x = torch.randn(6, 5, 3, dtype=FLOAT64)
    parameters = {name: p.detach() for name, p in layer.named_parameters()}
    loss = lambda p, one: torch.func.functional_call(layer, p, (one,))[0].square().sum()  # noqa: E731
    got = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, x)
    for n in range(6):
        want = torch.autograd.grad(layer(x[n])[0].square().sum(), list(layer.parameters()))
        assert all(
            torch.allclose(got[name][n], w)
            for (name, _), w in zip(layer.named_parameters(), want, strict=True)
        )


def test_functional_call_takes_its_own_weights():
    layer = et.LSTM(3, 4)
    x = torch.randn(5, 2, 3)
    zeros = {name: torch.zeros_like(p) for name, p in layer.named_parameters()}
    before, _ = layer(x)
    assert not torch.func.functional_call(layer, zeros, (x,))[0].any()
    assert torch.equal(layer(x)[0], before)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_gradients_of_gradients(kind):
    torch.manual_seed(0)
    layer = getattr(et, kind)(1, 2, 2, bidirectional=True, dtype=FLOAT64)
    names = [name for name, _ in layer.named_parameters()]
    marks = {"lengths": torch.tensor([3, 2]), "mask": torch.rand(3, 2) < 0.8, "reset": torch.rand(3, 2) < 0.3}
    x = torch.randn(3, 2, 1, dtype=FLOAT64, requires_grad=True)

    def run(x, *weights):
        return torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), (x,), marks)[0]

    # Every slope by itself of the smallest; along random directions of the others, which takes seconds less.
    assert torch.autograd.gradgradcheck(run, (x, *layer.parameters()), fast_mode=kind != "RNN")


def test_gradients_of_gradients_of_a_packed_sequence_and_of_cells():
    layer = et.LSTM(2, 3, dtype=FLOAT64, proj_size=2)
    pack = lambda x: nn.utils.rnn.pack_padded_sequence(x, torch.tensor([3, 4]), enforce_sorted=False)  # noqa: E731
    x = torch.randn(4, 2, 2, dtype=FLOAT64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: layer(pack(x))[0].data, (x,))
    cell = et.GRUCell(2, 3, dtype=FLOAT64)
    assert torch.autograd.gradgradcheck(cell, (x[0].detach().requires_grad_(),))


def test_autocast_computes_in_the_weights_type():
    model = et.accelerate(Model())
    x = torch.randn(2, 5, 3)
    with torch.autocast("cpu", torch.bfloat16):
        y, _ = model.rnn(x.bfloat16())
        assert y.dtype == torch.float32 and model(x).dtype == torch.bfloat16
        model(x).sum().backward()
    assert model.rnn.weight_hh_l0.grad.dtype == torch.float32


def torchs_cases():
    from torch.testing._internal.common_modules import module_db

    names = ("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell")
    for info in module_db:
        if info.module_cls.__name__ in names:
            for training in (False, True):
                inputs = info.module_inputs_func(
                    info, device="cpu", dtype=FLOAT64, requires_grad=True, training=training
                )
                for n, one in enumerate(inputs):
                    yield pytest.param(
                        info.module_cls, one, training, id=f"{info.module_cls.__name__}-{training}-{n}"
                    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("kind", "inputs", "training"), list(torchs_cases()))
def test_pytorchs_own_module_inputs(kind, inputs, training):
    args, options = inputs.constructor_input.args, inputs.constructor_input.kwargs
    options = {"dtype": FLOAT64} | options
    theirs = kind(*args, **options).train(training)
    ours = getattr(et, kind.__name__)(*args, **options).train(training)
    ours.load_state_dict(theirs.state_dict())
    call = inputs.forward_input
    flat = lambda out: torch.utils._pytree.tree_leaves(out)  # noqa: E731
    torch.manual_seed(0)
    want = [t for t in flat(theirs(*call.args, **call.kwargs)) if isinstance(t, torch.Tensor)]
    torch.manual_seed(0)
    got = [t for t in flat(ours(*call.args, **call.kwargs)) if isinstance(t, torch.Tensor)]
    assert len(got) == len(want)
    assert all(torch.allclose(a, b, rtol=1e-10, atol=1e-10) for a, b in zip(got, want, strict=True))
    wanted = [p for p in theirs.parameters() if p.requires_grad]
    a = torch.autograd.grad(sum(t.sum() for t in want if t.requires_grad), wanted)
    b = torch.autograd.grad(sum(t.sum() for t in got if t.requires_grad), list(ours.parameters()))
    assert all(torch.allclose(x, y, rtol=1e-10, atol=1e-10) for x, y in zip(a, b, strict=True))
