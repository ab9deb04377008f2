"""Weights that change between calls, by every way there is, one element at a time: elman.torch sees each change, in a
call without gradients, in single steps, in forward and in backward; and weights that stay are packed once."""

import copy
import multiprocessing
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

import elman.torch as et

# torch's own word on what it does with projections
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

FLOAT64 = torch.float64
KINDS = {
    "lstm": ("LSTM", {}),
    "gru": ("GRU", {}),
    "tanh": ("RNN", {}),
    "relu": ("RNN", {"nonlinearity": "relu"}),
    "stack": ("GRU", {"num_layers": 2, "bidirectional": True}),
    "projected": ("LSTM", {"proj_size": 2}),
    "lstm cell": ("LSTMCell", {}),
    "gru cell": ("GRUCell", {}),
    "tanh cell": ("RNNCell", {}),
}
I, H, B, T = 2, 3, 2, 3  # noqa: E741


def make(name, dtype=FLOAT64):
    """torch's module and elman's with the same weights, and the inputs of a sequence and of one step."""
    kind, options = KINDS[name]
    torch.manual_seed(1)
    theirs = getattr(nn, kind)(I, H, dtype=dtype, **options)
    ours = getattr(et, kind)(I, H, dtype=dtype, **options)
    with torch.no_grad():
        for p in theirs.parameters():
            p.copy_(torch.rand(p.shape) * 0.5)  # positive, so that no unit of a relu is dead
    ours.load_state_dict(theirs.state_dict())
    x = torch.rand((B, I) if "Cell" in kind else (T, B, I), dtype=dtype)
    return theirs, ours, x


def results(module, x):
    """The results of a call that starts from a state."""
    rows = (B,) if x.dim() == 2 else ((module.num_layers * (1 + module.bidirectional)), B)
    widths = [getattr(module, "proj_size", 0) or H, H] if isinstance(module, (nn.LSTM, nn.LSTMCell)) else [H]
    hx = tuple(torch.full((*rows, width), 0.5, dtype=x.dtype) for width in widths)
    out = module(x, hx if len(hx) > 1 else hx[0])
    return [t for t in torch.utils._pytree.tree_leaves(out) if isinstance(t, torch.Tensor)]


def total(tensors):
    """A sum that feels every value."""
    return sum((t * torch.linspace(1, 2, t.numel(), dtype=t.dtype).view_as(t)).sum() for t in tensors)


def outcomes(module, x):
    """Of all ways to call a module: results without gradients, in one step, with gradients, and the gradients."""
    with torch.no_grad():
        found = results(module, x) + (results(module, x[:1]) if x.dim() == 3 else [])
    x = x.clone().requires_grad_()
    out = results(module, x)
    wanted = [x, *(p for p in module.parameters() if p.requires_grad)]
    return found + [t.detach() for t in out] + list(torch.autograd.grad(total(out), wanted))


def assert_same(theirs, ours, x, what=""):
    for n, (a, b) in enumerate(zip(outcomes(ours, x), outcomes(theirs, x), strict=True)):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10, msg=lambda m: f"{what}, result {n}: {m}")  # noqa: B023


def one_by_one(module):
    """Each element of each parameter: the parameter and the element's index."""
    for p in module.parameters():
        for i in range(p.numel()):
            yield p, i


def by_index(p, i):
    p.data.view(-1)[i] += 0.25


def by_numpy(p, i):
    p.detach().numpy().reshape(-1)[i] += 0.25


def by_dlpack(p, i):
    torch.utils.dlpack.from_dlpack(p.detach().__dlpack__()).view(-1)[i] += 0.25


def by_copy(p, i):
    changed = p.detach().clone()
    changed.view(-1)[i] += 0.25
    with torch.no_grad():
        p.copy_(changed)


def by_copy_to_data(p, i):
    changed = p.detach().clone()
    changed.view(-1)[i] += 0.25
    p.data.copy_(changed)


def by_new_data(p, i):
    changed = p.detach().clone()
    changed.view(-1)[i] += 0.25
    p.data = changed


def by_set(p, i):
    changed = p.detach().clone()
    changed.view(-1)[i] += 0.25
    with torch.no_grad():
        p.set_(changed)


def by_storage(p, i):
    flat = torch.empty(0, dtype=p.dtype).set_(p.untyped_storage())
    flat[p.storage_offset() + i] += 0.25


WAYS = [by_index, by_numpy, by_dlpack, by_copy, by_copy_to_data, by_new_data, by_set, by_storage]


@pytest.mark.parametrize("name", KINDS)
def test_every_element_is_seen_however_it_is_written(name):
    """The ways in turns, so that each meets every weight. What is compared is elman with what it gives when it has
    packed nothing yet, and at each weight's last element also torch."""
    theirs, ours, x = make(name)
    with torch.no_grad():
        before = results(ours, x)
        for n, (p, i) in enumerate(one_by_one(ours)):
            WAYS[n % len(WAYS)](p, i)
            after = results(ours, x)
            assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True)), (n, i)
            before = after
            if i == p.numel() - 1:
                theirs.load_state_dict(ours.state_dict())
                with torch.enable_grad():
                    assert_same(theirs, ours, x, f"element {n}")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", KINDS)
def test_every_way_is_seen_by_every_call(name, way):
    theirs, ours, x = make(name)
    outcomes(ours, x)
    for p in list(ours.parameters()):
        way(p, p.numel() // 2)
        theirs.load_state_dict(ours.state_dict())
        assert_same(theirs, ours, x)


@pytest.mark.parametrize("name", KINDS)
def test_one_flat_vector_holds_all_weights(name):
    """As in evolution strategies and in optimisers of SciPy: parameters are views of it, and it is written to."""
    theirs, ours, x = make(name)
    flat = nn.utils.parameters_to_vector(ours.parameters()).detach()
    at = 0
    for p in ours.parameters():
        p.data = flat[at : at + p.numel()].view(p.shape)
        at += p.numel()
    with torch.no_grad():
        before = results(ours, x)
        for i in range(flat.numel()):
            flat[i] += 0.25
            after = results(ours, x)
            assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True)), i
            before = after
    theirs.load_state_dict(ours.state_dict())
    assert_same(theirs, ours, x)


@pytest.mark.parametrize("name", KINDS)
def test_a_numerical_gradient_check_by_hand(name):
    _, ours, x = make(name)
    grads = torch.autograd.grad(total(results(ours, x)), list(ours.parameters()))
    eps = 1e-6
    with torch.no_grad():
        for p, grad in zip(ours.parameters(), grads, strict=True):
            for i in range(p.numel()):
                ends = []
                for shift in (eps, -2 * eps):
                    p.data.view(-1)[i] += shift
                    ends.append(total(results(ours, x)).item())
                p.data.view(-1)[i] += eps
                assert abs((ends[0] - ends[1]) / (2 * eps) - grad.reshape(-1)[i].item()) < 1e-5


OPTIMISERS = {
    "sgd fused": lambda p: torch.optim.SGD(p, 0.1, fused=True),
    "sgd foreach": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, foreach=True),
    "sgd": lambda p: torch.optim.SGD(p, 0.1, foreach=False),
    "adam fused": lambda p: torch.optim.Adam(p, 0.1, fused=True),
    "adamw foreach": lambda p: torch.optim.AdamW(p, 0.1, foreach=True),
    "adagrad fused": lambda p: torch.optim.Adagrad(p, 0.1, fused=True),
    "lbfgs": lambda p: torch.optim.LBFGS(p, 0.1, max_iter=3),
}


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("name", KINDS)
def test_training_goes_torchs_way(name, optimiser):
    losses = []
    for module, x in [make(name)[::2], make(name)[1:]]:
        steps = OPTIMISERS[optimiser](module.parameters())
        of_module = []

        def closure(module=module, x=x, steps=steps, of_module=of_module):
            steps.zero_grad()
            loss = total(results(module, x)) ** 2 / 100
            loss.backward()
            of_module.append(loss.item())
            return loss

        for _ in range(4):
            steps.step(closure)
        losses.append(of_module)
    assert losses[1] == pytest.approx(losses[0], rel=1e-7)
    assert losses[1][0] != losses[1][1]


@pytest.mark.parametrize("fused", [False, True])
def test_sparse_gradients(fused):
    """One-hot inputs reach one column of the input weights at each step, and nothing else is trained."""
    theirs, ours = nn.GRU(8, 3, dtype=FLOAT64), et.GRU(8, 3, dtype=FLOAT64)
    ours.load_state_dict(theirs.state_dict())
    losses = []
    for module in (theirs, ours):
        optimiser = torch.optim.SGD([module.weight_ih_l0], 0.5, fused=fused)
        of_module = []
        for k in range(16):
            optimiser.zero_grad()
            y, _ = module(torch.eye(8, dtype=FLOAT64)[k % 8].view(1, 1, 8))
            loss = (y - 0.5).square().sum()
            loss.backward()
            optimiser.step()
            of_module.append(loss.item())
        losses.append(of_module)
    assert losses[1] == pytest.approx(losses[0], rel=1e-9) and losses[1][8] < losses[1][0]


@pytest.mark.parametrize("name", KINDS)
def test_pruning(name):
    theirs, ours, x = make(name)
    outcomes(ours, x)
    for module in (theirs, ours):
        for n, weight in enumerate([n for n, _ in module.named_parameters() if n.startswith("weight")]):
            mask = torch.ones_like(getattr(module, weight))
            mask.view(-1)[n] = 0
            prune.custom_from_mask(module, weight, mask)
    # torch.nn's own layers keep the weights of before in _flat_weights until they are assigned to.
    with torch.no_grad():
        plain = make(name)[0]
        plain.load_state_dict({n: getattr(ours, n) for n in plain.state_dict()})
        for a, b in zip(results(ours, x), results(plain, x), strict=True):
            torch.testing.assert_close(a, b)
        for _, mask in ours.named_buffers():
            mask.data.view(-1)[1] = 0
        ours(x)  # the hooks of pruning make the weights anew
        plain.load_state_dict({n: getattr(ours, n) for n in plain.state_dict()})
        for a, b in zip(results(ours, x), results(plain, x), strict=True):
            torch.testing.assert_close(a, b)


class Doubled(nn.Module):
    def forward(self, weight):
        return 2 * weight


@pytest.mark.parametrize("way", ["weight_norm", "spectral_norm", "own"])
@pytest.mark.parametrize("name", KINDS)
def test_parametrizations(name, way):
    modules = make(name)
    x = modules[2]
    for module in modules[:2]:
        for weight in [n for n, _ in module.named_parameters() if n.startswith("weight")]:
            torch.manual_seed(2)
            if way == "own":
                parametrize.register_parametrization(module, weight, Doubled())
            else:
                getattr(parametrizations, way)(module, weight)
        module.eval()  # spectral_norm makes a step of its own at each call in training
    theirs, ours = modules[:2]
    assert_same(theirs, ours, x)
    for p, q in zip(theirs.parameters(), ours.parameters(), strict=True):
        by_index(p, 0)
        by_index(q, 0)
        with torch.no_grad():
            for a, b in zip(results(ours, x), results(theirs, x), strict=True):
                torch.testing.assert_close(a, b)
    assert_same(theirs, ours, x)


@pytest.mark.parametrize("name", KINDS)
def test_other_weights_in_the_same_module(name):
    theirs, ours, x = make(name)
    outcomes(ours, x)
    other = {n: torch.randn_like(p) for n, p in ours.named_parameters()}
    for a, b in zip(
        torch.utils._pytree.tree_leaves(torch.func.functional_call(ours, other, (x,))),
        torch.utils._pytree.tree_leaves(torch.func.functional_call(theirs, other, (x,))),
        strict=True,
    ):
        torch.testing.assert_close(a, b)
    assert_same(theirs, ours, x)
    for n, p in list(ours.named_parameters()):
        if "cell" in name:  # torch's own layers hold weak references, with which it refuses
            torch.utils.swap_tensors(p, nn.Parameter(other[n].clone()))
    theirs.load_state_dict(ours.state_dict())
    assert_same(theirs, ours, x)
    ours.half().to(FLOAT64)
    theirs.half().to(FLOAT64)
    assert_same(theirs, ours, x)


def _write(tensor, go, done):
    """In another process."""
    for i in range(tensor.numel()):
        go.get()
        tensor.view(-1)[i] += 0.25
        done.put(i)


def test_another_process_writes_to_shared_memory():
    theirs, ours, x = make("lstm")
    ours.share_memory()
    outcomes(ours, x)
    context = multiprocessing.get_context("spawn")
    go, done = context.SimpleQueue(), context.SimpleQueue()
    other = torch.multiprocessing.get_context("spawn").Process(
        target=_write, args=(ours.weight_hh_l0.detach(), go, done)
    )
    other.start()
    with torch.no_grad():
        before = results(ours, x)
        for _ in range(ours.weight_hh_l0.numel()):
            go.put(0)
            done.get()
            after = results(ours, x)
            assert not torch.equal(before[0], after[0])
            before = after
    other.join()
    theirs.load_state_dict(ours.state_dict())
    assert_same(theirs, ours, x)


@pytest.mark.parametrize("dtype", [torch.float32, FLOAT64], ids=str)
@pytest.mark.parametrize("name", KINDS)
def test_a_weight_written_to_between_forward_and_backward(name, dtype):
    """Where autograd sees the write it refuses; where it does not, the gradients are torch's, or none."""
    for way in WAYS:
        for weight in [n for n, _ in make(name)[0].named_parameters()]:
            answers = []
            for module, x in [make(name, dtype)[::2], make(name, dtype)[1:]]:
                x = x.clone().requires_grad_()
                loss = total(results(module, x))
                p = getattr(module, weight)
                way(p, p.numel() // 2)
                try:
                    answers.append(torch.autograd.grad(loss, [x, *module.parameters()]))
                except RuntimeError as error:
                    answers.append(str(error))
            want, got = answers
            if isinstance(got, str):
                known = ("modified by an inplace operation", "the weights of the forward pass, got others")
                assert any(words in got for words in known), got
                continue
            assert not isinstance(want, str), (way, weight, want)
            for a, b in zip(got, want, strict=True):
                rtol = 1e-8 if dtype == FLOAT64 else 1e-4
                torch.testing.assert_close(a, b, rtol=rtol, atol=rtol, msg=lambda m: f"{way} {weight}: {m}")  # noqa: B023


@pytest.mark.parametrize("name", KINDS)
def test_gradients_of_gradients_refuse_other_weights(name):
    _, ours, x = make(name)
    loss = total(results(ours, x.requires_grad_()))
    by_index(next(ours.parameters()), 0)
    with pytest.raises(
        RuntimeError, match="expected in backward the weights of the forward pass, got others"
    ):
        torch.autograd.grad(loss, x, create_graph=True)


@pytest.mark.parametrize("name", KINDS)
def test_a_retained_graph_after_a_write(name):
    """torch keeps what the forward pass made and takes the weights as they are."""
    answers = []
    for module, x in [make(name)[::2], make(name)[1:]]:
        x = x.clone().requires_grad_()
        loss = total(results(module, x))
        torch.autograd.grad(loss, x, retain_graph=True)
        by_index(next(module.parameters()), 1)
        try:
            answers.append(torch.autograd.grad(loss, [x, *module.parameters()]))
        except RuntimeError as error:
            assert "got others" in str(error) and name == "projected"
            return
    for a, b in zip(*answers, strict=True):
        torch.testing.assert_close(a, b)


class Counted:
    """How often weights are packed."""

    def __init__(self, monkeypatch):
        self.count = 0
        for name in ("pack", "pack_back"):
            self.watch(monkeypatch, name)

    def watch(self, monkeypatch, name):
        plain = getattr(et.autograd.engine._core, name)

        def counted(*args):
            self.count += 1
            return plain(*args)

        monkeypatch.setattr(et.autograd.engine._core, name, counted)


@pytest.mark.parametrize("name", KINDS)
def test_weights_that_stay_are_packed_once(name, monkeypatch):
    _, ours, x = make(name)
    counted = Counted(monkeypatch)
    outcomes(ours, x)
    first = counted.count
    assert first > 0
    for _ in range(3):
        getattr(ours, "flatten_parameters", lambda: None)()
        outcomes(ours, x)
    with torch.inference_mode():
        results(ours, x)
    assert counted.count == first


@pytest.mark.parametrize("name", ["lstm", "projected", "gru cell"])
def test_weights_made_anew_at_each_call_are_packed_once(name, monkeypatch):
    _, ours, x = make(name)
    for weight in [n for n, _ in ours.named_parameters() if n.startswith("weight")]:
        parametrizations.weight_norm(ours, weight)
    counted = Counted(monkeypatch)
    outcomes(ours, x)
    first = counted.count
    outcomes(ours, x)
    assert counted.count == first > 0


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_weights_in_other_layouts_are_packed_once(name, monkeypatch):
    theirs, _, x = make(name)
    with torch.inference_mode():
        inside = make(name)[1]
        for weight in list(inside._parameters):
            value = inside._parameters[weight]
            inside._parameters[weight] = nn.Parameter(
                value.t().contiguous().t() if value.dim() == 2 else value
            )
        counted = Counted(monkeypatch)
        results(inside, x)
        first = counted.count
        for a, b in zip(results(inside, x), results(theirs, x), strict=True):
            torch.testing.assert_close(a, b)
        assert counted.count == first > 0
        inside.weight_hh_l0[1, 0] += 1
        assert not torch.equal(results(inside, x)[0], results(theirs, x)[0])


class TestAssumeFrozen:
    def fingerprints(self, monkeypatch):
        taken = []
        plain = et.cache._core.fingerprint
        monkeypatch.setattr(et.cache._core, "fingerprint", lambda arrays: taken.append(0) or plain(arrays))
        return taken

    @pytest.mark.parametrize("name", KINDS)
    def test_no_weight_is_read_again(self, name, monkeypatch):
        theirs, ours, x = make(name)
        taken = self.fingerprints(monkeypatch)
        assert et.assume_frozen(ours) is ours
        assert_same(theirs, ours, x)
        once = len(taken)
        assert_same(theirs, ours, x)
        assert len(taken) == once > 0
        et.assume_frozen(ours, False)
        assert_same(theirs, ours, x)
        assert len(taken) > once
        assert et.report(ours)[0].reason == ""

    @pytest.mark.parametrize("name", KINDS)
    def test_what_torch_knows_of_is_seen(self, name):
        theirs, ours, x = make(name)
        et.assume_frozen(ours)

        def load(module):
            module.load_state_dict({n: p + 0.1 for n, p in module.state_dict().items()})

        def assign(module):
            module.load_state_dict({n: p + 0.1 for n, p in module.state_dict().items()}, assign=True)

        def cast(module):
            module.to(torch.float32).to(FLOAT64)

        def fill(module):
            with torch.no_grad():
                for p in module.parameters():
                    p.fill_(0.3)

        def give(module):
            for n, p in list(module.named_parameters()):
                setattr(module, n, nn.Parameter(p.detach() * 2))

        def step(module):
            optimiser = torch.optim.SGD(module.parameters(), 0.1)
            total(results(module, x)).backward()
            optimiser.step()
            optimiser.zero_grad()

        for change in (load, assign, cast, fill, give, step):
            change(theirs), change(ours)
            assert_same(theirs, ours, x, change.__name__)
        for _ in range(20):  # new memory, freed and had again
            for p, q in zip(theirs.parameters(), ours.parameters(), strict=True):
                p.data = p.data + 0.01
                q.data = q.data + 0.01
            for a, b in zip(results(ours, x), results(theirs, x), strict=True):
                torch.testing.assert_close(a, b)

    def test_what_it_does_not_see_it_sees_when_called_again(self):
        theirs, ours, x = make("gru")
        et.assume_frozen(ours)
        with torch.no_grad():
            before, _ = ours(x)
            by_index(ours.weight_hh_l0, 0)
            assert torch.equal(ours(x)[0], before)
        et.assume_frozen(ours)
        theirs.load_state_dict(ours.state_dict())
        assert_same(theirs, ours, x)

    def test_weights_without_version_counts_are_still_read(self):
        with torch.inference_mode():
            _, ours, x = make("gru")
            et.assume_frozen(ours)
            before, _ = ours(x)
            ours.weight_hh_l0[0, 0] += 1
            assert not torch.equal(ours(x)[0], before)

    def test_it_is_reported_and_copied(self):
        model = nn.ModuleDict({"a": et.GRU(I, H), "b": nn.Linear(1, 1), "c": et.LSTMCell(I, H)})
        et.assume_frozen(model["a"])
        a, c = et.report(copy.deepcopy(model))
        assert a.fast and str(a) == "a: torch.nn.GRU, on elman's engine, its weights are assumed frozen"
        assert c.fast and str(c) == "c: torch.nn.LSTMCell, on elman's engine"
        et.accelerate(et.restore(model))
        assert et.report(model)[0].reason == ""

    def test_refuses_what_is_no_module(self):
        with pytest.raises(TypeError, match=r"model: expected a torch\.nn\.Module, got list"):
            et.assume_frozen([])


def test_hooked_weight_norm_in_a_loop(monkeypatch):
    """The older weight norm, by a hook, which sets the weight anew at each call."""
    theirs, ours, x = make("lstm cell")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in (theirs, ours):
            nn.utils.weight_norm(module, "weight_hh")
    counted = Counted(monkeypatch)
    got, want = None, None
    for _ in range(4):
        got, want = ours(x, got), theirs(x, want)
    assert counted.count == 1
    torch.testing.assert_close(got[0], want[0])
