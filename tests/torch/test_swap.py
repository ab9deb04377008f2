"""accelerate and restore: what is replaced, what stays, and that everything else of a model survives."""

import copy
import gc
import io
import pickle
import warnings
import weakref

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import elman.torch as et


class Tagger(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.embed = nn.Embedding(20, 6)
        self.rnn = nn.LSTM(6, 5, 2, bidirectional=True, batch_first=True, **options)
        self.cells = nn.ModuleList([nn.GRUCell(10, 4), nn.RNNCell(4, 4)])
        self.out = nn.Linear(4, 3)

    def forward(self, ids):
        y, _ = self.rnn(self.embed(ids))
        h = k = None
        for t in range(y.shape[1]):
            h = self.cells[0](y[:, t], h)
            k = self.cells[1](h, k)
        return self.out(k)


IDS = torch.arange(12).reshape(2, 6)


def test_the_same_numbers_with_the_same_parameters():
    model = Tagger()
    parameters = dict(model.named_parameters())
    want = model(IDS)
    assert et.accelerate(model) is model
    assert type(model.rnn) is et.LSTM and type(model.cells[0]) is et.GRUCell
    assert all(parameters[name] is p for name, p in model.named_parameters())
    assert torch.allclose(model(IDS), want, atol=1e-6)
    assert repr(model) == repr(Tagger())
    assert et.restore(model) is model
    assert type(model.rnn) is nn.LSTM and "_elman_cache" not in vars(model.rnn)
    assert torch.equal(model(IDS), want)


def test_the_model_itself_and_shared_modules():
    layer = nn.GRU(3, 4)
    assert type(et.accelerate(layer)) is et.GRU
    shared = nn.ModuleDict({"a": nn.LSTM(3, 4)})
    shared["b"] = shared["a"]
    et.accelerate(shared)
    assert shared["a"] is shared["b"] and type(shared["b"]) is et.LSTM
    et.accelerate(shared)  # twice does no harm
    assert type(shared["a"]) is et.LSTM


def test_report():
    class Mine(nn.LSTM):
        pass

    model = nn.ModuleDict(
        {"rnn": nn.LSTM(3, 4), "mine": Mine(3, 4), "low": nn.GRU(3, 4, dtype=torch.bfloat16)}
    )
    assert [entry.fast for entry in et.report(model)] == [False, False, False]
    assert et.report(model)[0].reason == "torch's own code: not accelerated"
    with pytest.warns(UserWarning) as caught:
        et.accelerate(model)
    texts = [str(w.message) for w in caught]
    assert len(texts) == 2 and "mine: " in texts[0] and "a subclass, whose own code might be lost" in texts[0]
    assert texts[1] == "elman.torch.accelerate: low: torch.nn.GRU, torch's own code: its weights are bfloat16"
    assert str(et.report(model)).splitlines()[0] == "rnn: torch.nn.LSTM, on elman's engine"
    assert type(model["mine"]) is Mine
    assert str(et.report(nn.Linear(2, 2))) == "no recurrent modules"


class OfOurs(et.GRU):
    def forward(self, x):
        return super().forward(x)[0].relu()


def test_subclasses_of_ours_are_reported_as_fast():
    model = nn.ModuleDict({"mine": OfOurs(3, 4)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        et.assume_frozen(et.accelerate(model))
    (entry,) = et.report(model)
    assert entry.fast and entry.kind.endswith("OfOurs") and "frozen" in entry.reason
    assert not et.report(model.half())[0].fast


def test_half_precision_runs_torchs_code_and_warns_once():
    plain = nn.LSTM(3, 4)
    model = et.accelerate(nn.Sequential(plain))
    model.bfloat16()
    x = torch.randn(5, 2, 3).bfloat16()
    with pytest.warns(
        UserWarning, match="elman.torch.LSTM: its weights are bfloat16, so it runs torch's own code"
    ):
        y, _ = plain(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again, _ = plain(x)
    et.restore(model)
    assert torch.equal(y, plain(x)[0]) and torch.equal(again, y)


@pytest.mark.filterwarnings("ignore")  # torch's, on the future of its quantisation
def test_quantised_modules_are_reported():
    model = nn.Sequential(nn.LSTM(3, 4))
    quantised = torch.ao.quantization.quantize_dynamic(model, {nn.LSTM}, dtype=torch.qint8)
    (entry,) = et.report(quantised)
    assert not entry.fast and entry.reason == "torch's own code: quantised"


def test_hooks_mode_and_names_survive():
    model = Tagger().eval()
    seen = []
    model.rnn.register_forward_hook(lambda module, args, out: seen.append(type(module)))
    et.accelerate(model)
    model(IDS)
    assert seen == [et.LSTM] and not model.rnn.training
    assert [n for n, _ in model.named_modules()] == [n for n, _ in Tagger().named_modules()]


def test_state_dicts_go_both_ways():
    ours, theirs = et.accelerate(Tagger()), Tagger()
    theirs.load_state_dict(ours.state_dict())
    assert torch.allclose(theirs(IDS), ours(IDS), atol=1e-6)
    again = et.accelerate(Tagger())
    again.load_state_dict(theirs.state_dict())
    assert torch.equal(again(IDS), ours(IDS))


@pytest.mark.parametrize("norm", ["parametrized", "hooked"])
def test_weight_norm(norm):
    plain = nn.LSTM(3, 4)
    if norm == "parametrized":
        parametrizations.weight_norm(plain, "weight_hh_l0")
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nn.utils.weight_norm(plain, "weight_hh_l0")
    x = torch.randn(5, 2, 3)
    want, _ = plain(x)
    want_grads = torch.autograd.grad(want.sum(), list(plain.parameters()))
    layer = et.accelerate(plain)
    assert isinstance(layer, et.LSTM)
    got, _ = layer(x)
    grads = torch.autograd.grad(got.sum(), list(layer.parameters()))
    assert torch.allclose(got, want, atol=1e-6)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(grads, want_grads, strict=True))
    if norm == "parametrized":
        with torch.no_grad():
            layer.parametrizations.weight_hh_l0.original0.mul_(2)
    else:
        with torch.no_grad():
            layer.weight_hh_l0_g.mul_(2)
    assert not torch.allclose(layer(x)[0], want, atol=1e-4)
    changed, _ = layer(x)
    et.restore(layer)
    assert not isinstance(layer, et.LSTM)
    assert torch.allclose(layer(x)[0], changed, atol=1e-6)


def test_restored_for_a_while():
    model = et.accelerate(Tagger())
    with et.restored(model) as same:
        assert same is model and type(model.rnn) is nn.LSTM
    assert type(model.rnn) is et.LSTM
    with pytest.raises(KeyError), et.restored(model):
        raise KeyError
    assert type(model.rnn) is et.LSTM


@pytest.mark.parametrize("way", ["deepcopy", "pickle", "torch.save"])
def test_copies(way):
    model = et.accelerate(Tagger()).eval()
    with torch.no_grad():
        want = model(IDS)
    if way == "deepcopy":
        twin = copy.deepcopy(model)
    elif way == "pickle":
        twin = pickle.loads(pickle.dumps(model))
    else:
        file = io.BytesIO()
        torch.save(model, file)
        file.seek(0)
        twin = torch.load(file, weights_only=False)
    assert type(twin.rnn) is et.LSTM
    with torch.no_grad():
        assert torch.equal(twin(IDS), want)
        twin.rnn.weight_ih_l0.zero_()
        assert not torch.equal(twin(IDS), want) and torch.equal(model(IDS), want)


class TestPackedWeights:
    """Weights are packed once and again whenever one changes, however that is done."""

    X = torch.randn(5, 2, 3)

    def changed(self, change, kind=et.LSTM):
        layer = kind(3, 40)
        with torch.no_grad():
            before, _ = layer(self.X)
            packed = layer._elman_cache._kept
            assert torch.equal(layer(self.X)[0], before) and layer._elman_cache._kept is packed
        change(layer)
        twin = nn.LSTM(3, 40) if kind is et.LSTM else nn.GRU(3, 40)
        twin.load_state_dict(layer.state_dict())
        with torch.no_grad():
            after, _ = layer(self.X)
            assert not torch.equal(after, before)
            assert torch.allclose(after, twin(self.X)[0], atol=1e-5)

    def test_by_an_optimiser(self):
        def step(layer):
            optimiser = torch.optim.Adam(layer.parameters(), 0.1)
            layer(self.X)[0].sum().backward()
            optimiser.step()

        self.changed(step)

    def test_in_place(self):
        self.changed(lambda layer: nn.init.orthogonal_(layer.weight_hh_l0))

    def test_through_data(self):
        def descend(layer):
            for p in layer.parameters():
                p.data.sub_(0.1)

        self.changed(descend)

    def test_through_data_of_one_bias(self):
        self.changed(lambda layer: layer.bias_ih_l0.data[40:80].fill_(1), et.GRU)

    def test_by_new_data(self):
        def give(layer):
            layer.weight_hh_l0.data = torch.randn_like(layer.weight_hh_l0)

        self.changed(give)

    def test_by_load_state_dict(self):
        self.changed(lambda layer: layer.load_state_dict(nn.LSTM(3, 40).state_dict()))

    def test_by_another_parameter(self):
        def replace(layer):
            layer.weight_hh_l0 = nn.Parameter(torch.randn_like(layer.weight_hh_l0))

        self.changed(replace)

    def test_flatten_parameters_drops_nothing(self):
        layer = et.LSTM(3, 4)
        layer(self.X)
        packed = layer._elman_cache._kept
        layer.flatten_parameters()
        layer(self.X)
        assert layer._elman_cache._kept is packed

    def test_another_instruction_set_packs_again(self, isa):
        layer = et.LSTM(3, 4)
        layer(self.X)
        assert layer._elman_cache._kept.forward.isa == isa

    def test_made_under_inference_mode(self):
        with torch.inference_mode():
            layer = et.LSTM(3, 4)
            first, _ = layer(self.X)
            layer.weight_ih_l0.mul_(2)
            assert not torch.equal(layer(self.X)[0], first)

    def test_weights_that_are_not_contiguous(self):
        layer = et.LSTM(3, 4)
        with torch.no_grad():
            want, _ = layer(self.X)
            layer.weight_hh_l0 = nn.Parameter(layer.weight_hh_l0.t().contiguous().t())
            assert torch.equal(layer(self.X)[0], want)
            layer.weight_hh_l0.data.mul_(2)
            assert not torch.equal(layer(self.X)[0], want)

    def test_a_dropped_layer_is_freed(self):
        layer = et.LSTM(3, 4)
        layer(self.X)[0].sum().backward()
        gone = weakref.ref(layer)
        del layer
        gc.collect()
        assert gone() is None
