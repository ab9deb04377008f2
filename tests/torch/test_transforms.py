"""What torch.nn's modules do under transformations, stand-in tensors, compilers and exporters, elman's do."""

import copy
import io
import warnings

import pytest
import torch
from torch.ao.quantization import quantize_fx
from torch.autograd import forward_ad
from torch.nn.utils._per_sample_grad import call_for_per_sample_grads

import elman.torch as et
from tests.support.torch_pairs import (
    KINDS,
    PLAIN,
    Tools,
    assert_close,
    compare,
    first,
    grads,
    ignore_torchs_warnings,
    loss,
    pair,
    tree_leaves,
)

pytestmark = ignore_torchs_warnings
tools = Tools()
FORWARD_MODE = [kind for kind in PLAIN if kind != "LSTM"]  # which torch gives to oneDNN, which has none
BY_SAMPLE = ["LSTM", "GRU", "RNN", "LSTM-proj"]


# torch.func and its like


@tools.of()
def functional_call(model, x):
    halves = {name: p / 2 for name, p in model.named_parameters()}
    return torch.func.functional_call(model, halves, (x,)), model(x)


@tools.of(PLAIN)
def func(model, x):
    values = {name: p.detach() for name, p in model.named_parameters()}
    of_values = lambda values: loss(torch.func.functional_call(model, values, (x,)))  # noqa: E731
    y, pull = torch.func.vjp(first(model), x)
    return (
        torch.func.grad(of_values)(values), torch.func.jacrev(first(model))(x), pull(y),
        torch.func.functionalize(first(model))(x),
        torch.func.jacrev(torch.func.grad(lambda x: loss(model(x))))(x),
    )  # fmt: skip


@tools.of(FORWARD_MODE)
def forward_mode(model, x):
    with forward_ad.dual_level():
        dual = forward_ad.unpack_dual(model(forward_ad.make_dual(x, x.cos()))[0])
    return (
        *dual, torch.func.jvp(first(model), (x,), (x.cos(),)), torch.func.jacfwd(first(model))(x),
        torch.func.hessian(lambda x: loss(model(x)))(x),
    )  # fmt: skip


@tools.of()
def gradients_in_batches(model, x):
    y = model(x.requires_grad_())[0]
    many = torch.stack([torch.ones_like(y), y.detach()])
    once = torch.autograd.grad(
        y, [x, *model.rnn.parameters()], many, is_grads_batched=True, retain_graph=True
    )
    (dx,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    twice = torch.autograd.grad(dx, x, torch.stack([x, -x]).detach(), is_grads_batched=True)
    return once, twice, torch.autograd.functional.jacobian(first(model), x.detach(), vectorize=True)


@tools.of(BY_SAMPLE)
def gradients_by_sample(model, x):
    loss(call_for_per_sample_grads(model, batch_size=2)(x)).backward()
    return [p.grad_sample for p in model.parameters()]


# Stand-in tensors


@tools.of(PLAIN)
def stand_ins(model, x):
    class Mine(torch.Tensor):
        pass

    fake = torch._subclasses.FakeTensorMode(allow_non_fake_inputs=True)
    out = model(x)
    with fake:
        shapes = [t.shape for t in tree_leaves(model(fake.from_tensor(x)))]
    assert shapes == [t.shape for t in tree_leaves(out)]
    odd = [
        x.as_subclass(Mine),
        torch._neg_view(x),
        torch._efficientzerotensor(x.shape),
        x[:1].expand(x.shape),
    ]
    return [
        [t.as_subclass(torch.Tensor) for t in tree_leaves(model(one))] for one in odd
    ], torch.fx.experimental.proxy_tensor.make_fx(model)(x)(x)


# Compilers and exporters


@tools.of(["LSTM", "GRU", "LSTM-proj", "RNNCell"])
def compiled(model, x):
    torch._dynamo.reset()
    compiled = torch.compile(model, backend="aot_eager")
    out = compiled(x)
    before = out, grads(model, out)
    model.rnn.compile(backend="aot_eager")
    after = model(x)
    return before, after, grads(model, after)


@tools.of(["LSTM", "GRU", "RNN", "LSTM-proj", "LSTMCell"])
def exported(model, x):
    file = io.BytesIO()
    torch.export.save(torch.export.export(model, (x,)), file)
    file.seek(0)
    return torch.export.load(file).module()(x)


@tools.of(["LSTM", "GRU"])
def quantised_by_fx(model, x):
    how = torch.ao.quantization.QConfigMapping().set_object_type(
        type(model.rnn), torch.ao.quantization.default_dynamic_qconfig
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, many
        converted = quantize_fx.convert_fx(quantize_fx.prepare_fx(model.eval(), how, (x,)))
    assert ".quantized." in type(converted.rnn).__module__
    return converted(x)


@pytest.mark.slow
@pytest.mark.parametrize(("run", "kind"), tools)
def test_as_under_torch_nn(run, kind):
    compare(run, kind)


@pytest.mark.parametrize("kind", PLAIN)
def test_vmap_over_inputs_and_over_weights(kind):  # torch.nn's LSTMs, GRUs and RNNs have no rule for it
    theirs, ours, x = pair(kind)
    got = torch.func.vmap(first(ours))(torch.stack([x, 2 * x]))
    assert_close(list(got), [first(theirs)(x), first(theirs)(2 * x)])
    values, _ = torch.func.stack_module_state([ours, copy.deepcopy(ours)])
    got = torch.func.vmap(lambda values: torch.func.functional_call(ours, values, (x,))[0])(values)
    assert_close(list(got), [first(theirs)(x)] * 2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["LSTM", "LSTM-proj", "GRU-packed"])
def test_exports_what_torch_nn_does_not(kind):
    theirs, ours, x = pair(kind)
    shapes = None if ours.packed else ({0: torch.export.Dim("B"), 1: torch.export.Dim("T")},)
    program = torch.export.export(ours, (x,), dynamic_shapes=shapes).module()
    for other in (x, -x) if ours.packed else (x, torch.randn(3, 7, 3)):
        assert_close(program(other), theirs(other))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN", "GRUCell"])
def test_the_older_onnx_exporter(kind):
    import onnx

    _, ours, x = pair(kind)
    file = io.BytesIO()
    torch.onnx.export(ours.eval(), (x,), file, dynamo=False, verbose=False)
    nodes = onnx.load_from_string(file.getvalue()).graph.node
    assert nodes and not any("elman" in node.domain for node in nodes)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_torchs_gradient_checks(kind):
    _, ours, x = pair(kind)
    x = x.double().requires_grad_()
    call = first(ours.double())
    assert torch.autograd.gradcheck(
        call, x, check_batched_grad=True, check_forward_ad=not ours.packed, fast_mode=True
    )
    assert torch.autograd.gradgradcheck(call, x, fast_mode=True)


@pytest.mark.parametrize("kind", ["GRU", "LSTMCell"])
def test_autograd_around_torch_func_is_refused(kind):
    """Which nobody sees coming while the gradient is taken."""
    _, ours, x = pair(kind)
    dx = torch.func.grad(lambda x: loss(ours(x)))(x)  # the weights want autograd's gradients
    with pytest.raises(
        RuntimeError, match=r"expected first derivatives of torch\.func's, .* elman.torch.restored"
    ):
        dx.sum().backward()


@pytest.mark.slow
@pytest.mark.parametrize("kind", PLAIN)
def test_scripting_is_refused(kind):
    _, ours, _ = pair(kind)
    name = kind.split("-")[0]
    message = (
        rf"torch.jit.script: expected modules of torch.nn's, got elman.torch.{name}; call it inside "
        r"`with elman.torch.restored\(model\):`, or use torch.jit.trace"
    )
    with pytest.raises(RuntimeError, match=message):
        torch.jit.script(ours.rnn)
    with et.restored(ours):
        torch.jit.script(ours.rnn)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize(
    ("make", "came"),
    [
        (lambda x: x.to_sparse(), "[2, 5, 3] float32 sparse_coo"),
        (lambda x: x.to_mkldnn(), "[2, 5, 3] float32 _mkldnn"),
        (lambda x: torch.nested.nested_tensor(list(x)), "float32 nested"),
        (lambda x: torch.nested.nested_tensor(list(x), layout=torch.jagged), "float32 nested"),
        (lambda x: x.to(torch.complex64), "[2, 5, 3] complex64"),
        (lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.quint8), "[2, 5, 3] quint8"),
    ],
    ids=["sparse", "mkldnn", "nested", "jagged", "complex", "quantised"],
)
def test_other_layouts_are_refused(make, came):
    layer = et.GRU(3, 4, batch_first=True)
    with pytest.raises(ValueError) as caught:
        layer(make(torch.randn(2, 5, 3)))
    assert str(caught.value) == f"input: expected [B, T, 3] or [T, 3] float32, got {came}"
