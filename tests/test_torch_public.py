"""What torch.nn's modules do under PyTorch's public tools, elman's do: each tool on both, and the results compared."""

import copy
import io
import pickle

import pytest
import torch
from tests.test_torch_tools import KINDS, Model, assert_close, grads, loss, pair, tree_leaves
from torch import nn
from torch.autograd import forward_ad
from torch.nn.utils import parametrizations, prune
from torch.nn.utils._per_sample_grad import call_for_per_sample_grads
from torch.utils import checkpoint

import elman.torch as et

# torch's own
pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{text}")
    for text in (
        "LSTM with projections is not supported with oneDNN",
        ".torch.jit.*deprecated",
        "RNN module weights are not part of single contiguous chunk",
        "There is a performance drop because we have not yet implemented the batching rule",
        ".*torch.ao.quantization is deprecated",
        "Please use quant_min and quant_max",
        ".torch.nn.utils.weight_norm. is deprecated",
        "The tensor attributes .* were assigned during export",
        "elman.torch.*for gradients per sample, so it runs torch's own code",
        "TypedStorage is deprecated",
        "Full backward hook is firing",
        "Anomaly Detection has been enabled",
        "The .grad attribute of a Tensor that is not a leaf",
    )
]

PLAIN = [kind for kind in KINDS if "packed" not in kind]
FORWARD_MODE = [kind for kind in PLAIN if kind != "LSTM"]  # which torch gives to oneDNN, which has none
BY_SAMPLE = ["LSTM", "GRU", "RNN", "LSTM-proj"]
TOOLS = []


def tool(kinds=KINDS):
    def add(run):
        TOOLS.extend(pytest.param(run, kind, id=f"{run.__name__}-{kind}") for kind in kinds)
        return run

    return add


@pytest.mark.parametrize(("run", "kind"), TOOLS)
def test_as_under_torch_nn(run, kind):
    theirs, ours, x = pair(kind)
    results = []
    for model in (theirs, ours):
        torch.manual_seed(1)
        results.append(run(model, x.clone()))
    assert_close(results[1], results[0], 1e-4)


def trained(model, out):
    return out, grads(model, out)


def stepped(model, out):
    """With gradients where `.backward()` leaves them."""
    loss(out).backward()
    return tree_leaves(out), [p.grad for p in model.parameters() if p.grad is not None]


def weight(model):
    return "weight_hh" if model.cell else "weight_hh_l0"


def first(model):
    return lambda x: model(x)[0]


# Copies and files


@tool()
def copies(model, x):
    loss(model(x)).backward()  # with packed weights and gradients
    again = [copy.deepcopy(model), copy.copy(model), pickle.loads(pickle.dumps(model))]
    return [trained(one, one(x)) for one in again]


@tool()
def files(model, x):
    file, state = io.BytesIO(), io.BytesIO()
    torch.save(model, file)
    torch.save(model.state_dict(), state)
    file.seek(0), state.seek(0)
    loaded = torch.load(file, weights_only=False)
    model.load_state_dict(torch.load(state, weights_only=True), assign=True)
    return loaded(x), model(x)


@tool()
def package(model, x):
    file = io.BytesIO()
    with torch.package.PackageExporter(file) as exporter:
        exporter.extern("**")
        exporter.save_pickle("models", "model.pkl", model)
    file.seek(0)
    return torch.package.PackageImporter(file).load_pickle("models", "model.pkl")(x)


# Weights: where they are made, changed and shared


@tool()
def made_on_meta(model, x):
    with torch.device("meta"):
        twin = Model(model.kind)
    if type(model.rnn).__module__.startswith("elman"):
        et.accelerate(twin)
    shapes = [part.shape for part in tree_leaves(twin(x.to("meta")))]
    assert shapes == [part.shape for part in tree_leaves(model(x))]
    twin.to_empty(device="cpu").load_state_dict(model.state_dict())
    return twin(x)


@tool()
def swapped_on_conversion(model, x):
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        return model.double()(x.double())
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)


@tool()
def shared_memory(model, x):
    return model.share_memory()(x)


@tool()
def as_a_vector(model, x):
    vector = nn.utils.parameters_to_vector(model.parameters())
    nn.utils.vector_to_parameters(vector / 2, model.parameters())
    return model(x)


@tool()
def averaged(model, x):
    average = torch.optim.swa_utils.AveragedModel(model)
    average.update_parameters(model)
    return average(x)


@tool()
def parametrised(model, x):
    parametrizations.weight_norm(model.rnn, weight(model))
    once = trained(model, model(x))
    parametrizations.orthogonal(model.rnn, weight(model).replace("hh", "ih"))
    return once, trained(model, model(x))


@tool()
def spectral_norm(model, x):
    parametrizations.spectral_norm(model.rnn, weight(model))
    return trained(
        model, model.eval()(x)
    )  # training improves the estimate, torch.nn's LSTM three times a call


@tool()
def hooked_weight_norm(model, x):
    nn.utils.weight_norm(model.rnn, weight(model))
    return trained(model, model(x))


@tool()
def pruned(model, x):
    prune.random_unstructured(model.rnn, weight(model), 0.5)
    once = trained(model, model(x))
    prune.remove(model.rnn, weight(model))
    return once, trained(model, model(x))


# torch.func and its like


@tool()
def functional_call(model, x):
    halves = {name: p / 2 for name, p in model.named_parameters()}
    return torch.func.functional_call(model, halves, (x,)), model(x)


@tool(PLAIN)
def func(model, x):
    values = {name: p.detach() for name, p in model.named_parameters()}
    of_values = lambda values: loss(torch.func.functional_call(model, values, (x,)))  # noqa: E731
    y, pull = torch.func.vjp(first(model), x)
    return (
        torch.func.vmap(first(model))(torch.stack([x, 2 * x])), torch.func.grad(of_values)(values),
        torch.func.jacrev(first(model))(x), pull(y), torch.func.functionalize(first(model))(x),
        torch.func.jacrev(torch.func.grad(lambda x: loss(model(x))))(x),
    )  # fmt: skip


@tool(PLAIN)
def ensemble(model, x):
    values, _ = torch.func.stack_module_state([copy.deepcopy(model) for _ in range(2)])
    return torch.func.vmap(lambda values: torch.func.functional_call(model, values, (x,))[0])(values)


@tool(FORWARD_MODE)
def forward_mode(model, x):
    with forward_ad.dual_level():
        dual = forward_ad.unpack_dual(model(forward_ad.make_dual(x, x.cos()))[0])
    return (
        *dual, torch.func.jvp(first(model), (x,), (x.cos(),)), torch.func.jacfwd(first(model))(x),
        torch.func.hessian(lambda x: loss(model(x)))(x),
    )  # fmt: skip


@tool()
def gradients_in_batches(model, x):
    y = model(x.requires_grad_())[0]
    many = torch.stack([torch.ones_like(y), y.detach()])
    once = torch.autograd.grad(
        y, [x, *model.rnn.parameters()], many, is_grads_batched=True, retain_graph=True
    )
    (dx,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    twice = torch.autograd.grad(dx, x, torch.stack([x, -x]).detach(), is_grads_batched=True)
    return once, twice, torch.autograd.functional.jacobian(first(model), x.detach(), vectorize=True)


@tool(BY_SAMPLE)
def gradients_by_sample(model, x):
    loss(call_for_per_sample_grads(model, batch_size=2)(x)).backward()
    return [p.grad_sample for p in model.parameters()]


# Memory, hooks, counters


@tool()
def checkpoints(model, x):
    x.requires_grad_()
    plain = trained(model, checkpoint.checkpoint(model, x, use_reentrant=False))
    out = checkpoint.checkpoint(model, x, use_reentrant=True)
    return plain, stepped(model, out), x.grad


@tool()
def saved_tensors(model, x):
    with torch.autograd.graph.save_on_cpu():
        out = model(x)
    with torch.autograd.graph.saved_tensors_hooks(torch.clone, lambda t: t):
        again = model(x)
    return trained(model, out), trained(model, again)


@tool()
def hooks(model, x):
    seen = []
    model.rnn.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    model.rnn.register_forward_hook(lambda module, args, out: seen.append(out))
    model.rnn.register_full_backward_pre_hook(lambda module, given: seen.append(given))
    model.rnn.register_full_backward_hook(lambda module, got, given: seen.append((got, given)))
    model.rnn.register_state_dict_pre_hook(lambda *_: seen.append(torch.ones(1)))
    for p in model.rnn.parameters():
        p.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.sum()))
    model.load_state_dict(model.state_dict())
    done = stepped(model, model(x.requires_grad_()))
    order = [i for i, one in enumerate(seen) if isinstance(one, torch.Tensor) and one.dim() == 0]
    assert len(order) == len(list(model.rnn.parameters()))  # which come in no fixed order
    return done, [one for i, one in enumerate(seen) if i not in order]


@tool()
def profilers(model, x):
    with torch.profiler.profile(with_modules=True, record_shapes=True, with_flops=True) as profile:
        done = stepped(model, model(x))
    assert profile.key_averages().table()
    with torch.autograd.profiler.profile(), torch.autograd.detect_anomaly(check_nan=True):
        return done, trained(model, model(x))


@tool()
def modes(model, x):
    class Functions(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, call, types, args=(), kwargs=None):
            return call(*args, **(kwargs or {}))

    class Dispatches(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, call, types, args=(), kwargs=None):
            return call(*args, **(kwargs or {}))

    done = []
    for mode in (Functions(), Dispatches(), torch.inference_mode()):
        with mode:
            out = model(x)
        done.append(out if isinstance(mode, torch.inference_mode) else trained(model, out))
    return done


@tool()
def other_wrappers(model, x):
    return nn.DataParallel(model)(x), torch.jit.wait(torch.jit.fork(model, x))


# Stand-in tensors


@tool(PLAIN)
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


@tool(PLAIN)
def compiled(model, x):
    torch._dynamo.reset()
    compiled = torch.compile(model, backend="aot_eager")
    before = trained(model, compiled(x))
    model.rnn.compile(backend="aot_eager")
    return before, trained(model, model(x))


@tool(PLAIN)
def exported(model, x):
    file = io.BytesIO()
    torch.export.save(torch.export.export(model, (x,), strict=True), file)
    file.seek(0)
    return torch.export.load(file).module()(x), torch.export.export(
        model, (x,)
    ).run_decompositions().module()(x)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dynamo", [True, False], ids=["dynamo", "script"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN", "GRUCell"])
def test_onnx(kind, dynamo):
    import onnx

    _, ours, x = pair(kind)
    file = io.BytesIO()
    torch.onnx.export(ours.eval(), (x,), file, dynamo=dynamo, verbose=False)
    nodes = {node.op_type for node in onnx.load_from_string(file.getvalue()).graph.node}
    assert kind in nodes or (ours.cell and nodes & {"Gemm", "MatMul"})


def test_every_kind_passes_torchs_gradient_checks():
    for kind in KINDS:
        _, ours, x = pair(kind)
        ours.double()
        options = {} if ours.packed else {"check_forward_ad": True}
        x = x.double().requires_grad_()
        assert torch.autograd.gradcheck(first(ours), x, check_batched_grad=True, **options)
        assert torch.autograd.gradgradcheck(first(ours), x)


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
