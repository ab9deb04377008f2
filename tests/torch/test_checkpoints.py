"""checkpoint_every= under PyTorch: gradients have the bits of a whole tape, and less is kept."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.autograd.graph import save_on_cpu, saved_tensors_hooks
from torch.nn.utils._per_sample_grad import call_for_per_sample_grads
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import elman.torch as et
from elman.torch import engine, gpu
from tests.support.torch_cells import CELLS
from tests.support.torch_pairs import ignore_torchs_warnings

pytestmark = ignore_torchs_warnings
KINDS = ["LSTM", "GRU", "RNN"]
SOME = ["slstm", "cfc", "sru", "zoneout_lstm"]  # four states; a scalar; no product in the loop; draws
# Several stretches of each: the backward pass takes at least 1,000 rows or 4 MB of a tape at once.
T, B, H = 500, 8, 150
LENGTHS = torch.tensor([T, 3, 0, 400, 499, T, 17, 350])
CALLS = {
    "plain": ({}, ()),
    "stack": ({"num_layers": 2, "bidirectional": True, "dropout": 0.3}, ("lengths", "state")),
    "batch first": ({"batch_first": True}, ("mask", "reset")),
    "packed": ({"num_layers": 2, "bidirectional": True, "dropout": 0.3}, ("packed", "state")),
    "one sequence": ({}, ("one",)),
}


def module(name, **options):
    """A layer of torch.nn's kinds, or of a traced cell."""
    torch.manual_seed(0)
    if name in KINDS:
        return getattr(et, name)(3, H, dtype=torch.float64, **options)
    return et.Recurrent(CELLS[name], 3, H, dtype=torch.float64, **options)


def arguments(layer, beside=()):
    """Of a call: x, the states, and the rest by name."""
    torch.manual_seed(1)
    lead = (T,) if "one" in beside else (B, T) if layer.batch_first else (T, B)
    x = torch.randn(*lead, 3, dtype=torch.float64)
    marks = {
        name: torch.rand(lead) < share for name, share in (("mask", 0.9), ("reset", 0.01)) if name in beside
    }
    if "lengths" in beside:
        marks["lengths"] = LENGTHS
    cell = CELLS.get(getattr(getattr(layer, "cell", None), "name", None))
    scalars = {name: torch.rand(lead, dtype=torch.float64) + 0.2 for name in (cell.scalars if cell else ())}
    if "packed" in beside:
        pack = lambda t: pack_padded_sequence(t, LENGTHS.clamp(min=1), enforce_sorted=False)  # noqa: E731
        x, scalars = pack(x), {name: pack(one) for name, one in scalars.items()}
    state = []
    if "state" in beside:
        count = 2 if isinstance(layer, nn.LSTM) else len(cell.states) if cell else 1
        rows = layer.num_layers * (1 + layer.bidirectional)
        state = [torch.rand(rows, B, H, dtype=torch.float64) + 0.3 for _ in range(count)]
    return x, state, marks | scalars


def gradients(layer, x, state, more, run=None):
    """Of input, states, and parameters, from a sum that feels every result."""
    torch.manual_seed(2)  # of dropout, and of what a cell draws
    data = (x.data if isinstance(x, PackedSequence) else x).clone().requires_grad_()
    state = [part.clone().requires_grad_() for part in state]
    x = x._replace(data=data) if isinstance(x, PackedSequence) else data
    hx = None if not state else state[0] if len(state) == 1 else tuple(state)
    y, final = (layer if run is None else run)(x, hx, **more)
    results = [
        y.data if isinstance(y, PackedSequence) else y,
        *(final if isinstance(final, tuple) else (final,)),
    ]
    total = sum((r * torch.linspace(-1, 1, r.numel(), dtype=r.dtype).view(r.shape)).sum() for r in results)
    return torch.autograd.grad(total, [data, *state, *layer.parameters()])


def assert_same(got, want):
    assert all(torch.equal(a, b) for a, b in zip(got, want, strict=True))


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("name", [*KINDS, *SOME])
def test_the_bits_are_those_of_a_whole_tape(name, kind):
    options, beside = CALLS[kind]
    layer = module(name, **options)
    given = arguments(layer, beside)
    want = gradients(layer, *given)
    for every in (1, 10**12):
        layer.checkpoint_every = every
        assert_same(gradients(layer, *given), want)


def test_projections():
    for beside in (("state", "lengths"), ("packed",)):
        layer = et.LSTM(3, H, 2, proj_size=20, dtype=torch.float64)
        x, state, more = arguments(layer, beside)
        state = [part[..., : 20 if n == 0 else H] for n, part in enumerate(state)]
        want = gradients(layer, x, state, more)
        layer.checkpoint_every = 1
        assert_same(gradients(layer, x, state, more), want)


@pytest.mark.parametrize("name", ["LSTM", "slstm"])
def test_compiled(name):
    layer = module(name, num_layers=2, dropout=0.3, checkpoint_every=100)
    given = arguments(layer, ("lengths", "state"))
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    got = gradients(layer, *given, run=compiled)
    with Kept() as kept:
        gradients(layer, *given, run=compiled)
    layer.checkpoint_every = None
    assert_same(got, gradients(layer, *given))
    # Dropout's factors, for one layer; the tape would have four slots for each of both.
    assert kept.bytes < 3 * T * B * H * 8


@pytest.mark.parametrize("name", ["GRU", "cfc"])
def test_torch_func(name):
    layer = module(name)
    x, _, more = arguments(layer)
    loss = lambda weights, x: torch.func.functional_call(layer, weights, (x,), more)[0].square().mean()  # noqa: E731
    weights = {name: p.detach() for name, p in layer.named_parameters()}
    results = []
    for layer.checkpoint_every in (None, 100):
        grads = torch.func.grad(loss)(weights, x)
        each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(weights, torch.stack([x, 2 * x]))
        results.append([*grads.values(), *each.values()])
    assert_same(*results)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_autocast_and_a_trace():
    layer = et.GRU(3, H)
    x = torch.randn(T, B, 3)
    results = []
    for layer.checkpoint_every in (None, 100):
        with torch.autocast("cpu", torch.bfloat16):
            y, _ = layer(x.bfloat16())
        traced = torch.jit.trace(layer, x)
        parameters = list(layer.parameters())
        grads = [torch.autograd.grad(out.square().sum(), parameters) for out in (y, traced(x)[0])]
        results.append([*grads[0], *grads[1]])
    assert_same(*results)


class Kept:
    """Bytes of saved tensors, which hooks keep as copies."""

    def __enter__(self):
        self.bytes = 0
        self.hooks = saved_tensors_hooks(self.pack, lambda t: t)
        return self.hooks.__enter__() or self

    def __exit__(self, *args):
        self.hooks.__exit__(*args)

    def pack(self, tensor):
        self.bytes += tensor.nbytes
        return tensor.clone()


def test_the_cases_have_several_stretches(monkeypatch):
    """Or the tests here would hold nothing: the second state is kept where a stretch begins."""
    sizes, again = [], engine.Pass.again

    def seen(call):
        tape = again(call)
        sizes.append(tape.memory.size)
        return tape

    monkeypatch.setattr(engine.Pass, "again", seen)
    for every in (1, 10**12):
        layer = module("LSTM", checkpoint_every=every)
        gradients(layer, *arguments(layer))
    assert sizes[0] == sizes[1] + 3 * B * H


@pytest.mark.parametrize("name", [*KINDS, "slstm"])
def test_what_is_kept(name):
    """The input and the weights."""
    layer = module(name)
    x, _, more = arguments(layer)
    results = []
    for layer.checkpoint_every in (None, 100):
        with Kept() as kept:
            y, _ = layer(x.requires_grad_(), **more)
        loss = y.square().sum()  # which keeps y
        results.append((kept.bytes, torch.autograd.grad(loss, [x, *layer.parameters()])))
    (whole, want), (few, got) = results
    given = x.nbytes + sum(p.nbytes for p in layer.parameters())
    assert few == given < 0.4 * whole
    assert_same(got, want)


def test_other_hooks_for_saved_tensors():
    layer = module("LSTM", checkpoint_every=100)
    given = arguments(layer)
    want = gradients(layer, *given)
    with save_on_cpu():
        assert_same(gradients(layer, *given), want)
    whole = lambda x: torch.utils.checkpoint.checkpoint(lambda x: layer(x), x, use_reentrant=False)  # noqa: E731
    assert_same(gradients(layer, *given, run=lambda x, hx: whole(x)), want)


def test_several_backward_passes_and_second_derivatives():
    results = []
    for every in (None, 100):
        layer = et.GRU(2, 3, dtype=torch.float64, checkpoint_every=every)
        torch.manual_seed(0)
        layer.load_state_dict({name: torch.randn_like(p) for name, p in layer.named_parameters()})
        x = torch.randn(6, 2, 2, dtype=torch.float64, requires_grad=True)
        y, _ = layer(x)
        grads = [torch.autograd.grad(y.square().sum(), x, retain_graph=True)[0] for _ in range(2)]
        (dx,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        grads += torch.autograd.grad(dx.square().sum(), [x, *layer.parameters()])
        results.append(grads)
    assert_same(*results)
    assert_same(*[results[0][:1], results[0][1:2]])


def test_weights_that_were_written_to_are_refused():
    layer = module("GRU", checkpoint_every=100)
    y, _ = layer(arguments(layer)[0])
    layer.weight_hh_l0.data.mul_(2)
    with pytest.raises(
        RuntimeError, match="expected in backward the weights of the forward pass, got others"
    ):
        y.sum().backward()


@pytest.mark.parametrize("name", ["LSTM", "sru"])
def test_the_layer_keeps_its_argument(name):
    layer = module(name, checkpoint_every=100)
    assert "checkpoint_every" not in repr(module(name)) and "checkpoint_every=100" in repr(layer)
    assert layer.state_dict().keys() == module(name).state_dict().keys()
    for same in (copy.copy(layer), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert same.checkpoint_every == 100
    old = layer.__getstate__() if hasattr(layer, "__getstate__") else vars(layer)
    old = {key: value for key, value in old.items() if key != "checkpoint_every"}
    layer.__setstate__(old)
    del layer.__dict__["checkpoint_every"]
    assert layer.checkpoint_every is None and "checkpoint_every" not in repr(layer)


def test_an_accelerated_layer_takes_it_as_an_attribute():
    model = et.accelerate(nn.Sequential(nn.GRU(3, H, dtype=torch.float64)))
    given = arguments(model[0])
    want = gradients(model[0], *given)
    model[0].checkpoint_every = 100
    with et.restored(model):
        pass
    with Kept() as kept:
        assert_same(gradients(model[0], *given), want)
    assert kept.bytes < 4 * T * B * H * 8  # two results of the loss; the tape would have five


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "all"])
@pytest.mark.parametrize("name", [*KINDS, "sru"])
def test_values_that_are_refused(name, wrong):
    with pytest.raises(ValueError, match="checkpoint_every: expected a whole number of at least 1, got "):
        module(name, checkpoint_every=wrong)


@pytest.mark.parametrize("name", ["LSTM", "slstm"])
def test_what_would_keep_all_the_same_is_refused(name, monkeypatch):
    layer = module(name, checkpoint_every=100).half()
    x = torch.randn(3, 2, 3).half()
    words = r"checkpoint_every: expected None for torch's own code \(its weights are float16\), got 100"
    with pytest.raises(ValueError, match=words):
        layer(x)
    with torch.no_grad(), pytest.warns(UserWarning, match="its weights are float16"):
        layer(x)  # nothing would be kept
    monkeypatch.setattr(gpu, "KINDS", {"cpu"})
    with pytest.raises(ValueError, match="checkpoint_every: expected None on a GPU, got 100"):
        layer.float()(x.float())


@pytest.mark.filterwarnings("ignore")
def test_a_program_for_onnx_is_not_refused():
    """It runs torch's own code, but is not trained."""
    layer = et.GRU(3, 4, checkpoint_every=100).eval()
    file = io.BytesIO()
    torch.onnx.export(layer, (torch.randn(5, 2, 3),), file, dynamo=False, verbose=False)
    assert file.getvalue()


def test_gradients_per_sample_are_refused():
    layer = module("GRU", batch_first=True, checkpoint_every=100)
    with pytest.raises(ValueError, match=r"for torch's own code .*gradients per sample"):
        call_for_per_sample_grads(layer)(torch.randn(B, 5, 3, dtype=torch.float64))
