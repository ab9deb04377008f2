"""Weights made anew at each call, by pruning, parametrizations or the caller, and how often weights are packed."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

import elman.torch as et
from tests.support.torch_weights import (
    FLOAT64,
    KINDS,
    assert_same,
    by_index,
    make,
    outcomes,
    results,
)

# torch's own word on what it does with projections
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


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


@pytest.mark.slow
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


class Counted:
    """How often weights are packed."""

    def __init__(self, monkeypatch):
        self.count = 0
        for name in ("pack", "pack_back"):
            self.watch(monkeypatch, name)

    def watch(self, monkeypatch, name):
        plain = getattr(et.engine._core, name)

        def counted(*args):
            self.count += 1
            return plain(*args)

        monkeypatch.setattr(et.engine._core, name, counted)


@pytest.mark.parametrize("name", KINDS)
def test_weights_that_stay_are_packed_once(name, monkeypatch):
    _, ours, x = make(name)
    counted = Counted(monkeypatch)
    outcomes(ours, x)
    first = counted.count
    assert (first == 0) == name.endswith("cell")  # a cell reads the weights of a few rows where they lie
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

    def run():
        if name == "gru cell":  # of so many rows that its weights are packed
            ours(x.repeat(20, 1)).sum().backward()
        else:
            outcomes(ours, x)

    counted = Counted(monkeypatch)
    run()
    first = counted.count
    run()
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


def test_hooked_weight_norm_in_a_loop(monkeypatch):
    """The older weight norm, by a hook, which sets the weight anew at each call."""
    theirs, ours, x = make("lstm cell")
    x = x.repeat(20, 1)  # so many rows that the weights are packed
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
