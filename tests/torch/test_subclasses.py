"""Tensors of subclasses: those that only pass themselves on go straight to the engine, the others see an operator."""

import abc
import copy
import inspect
from typing import Protocol

import pytest
import torch
from torch import nn

import elman.torch as et
from elman.torch import call


class Mine(torch.Tensor):
    """A subclass that does nothing but pass itself on."""


class Seen(torch.Tensor):
    """One that sees every operator."""

    seen = ()

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        Seen.seen += (str(function),)
        return super().__torch_function__(function, types, args, kwargs or {})


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN", "projected", "LSTMCell", "GRUCell", "RNNCell"])
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_subclasses_of_tensors_that_only_pass_themselves_on(kind, given, monkeypatch):
    name, options = ("LSTM", {"proj_size": 3}) if kind == "projected" else (kind, {})
    theirs, ours = getattr(nn, name)(3, 4, **options), getattr(et, name)(3, 4, **options)
    ours.load_state_dict(theirs.state_dict())
    monkeypatch.setattr(call, "_seen", None)  # no call goes through the operator
    lead = (2,) if "Cell" in name else (5, 2)
    x = torch.randn(*lead, 3).as_subclass(Mine).requires_grad_()
    widths = [3, 4] if kind == "projected" else [4, 4]
    hx = [torch.randn(*((2,) if "Cell" in name else (1, 2)), w).as_subclass(Mine) for w in widths]
    state = None if not given else tuple(hx) if name.startswith("LSTM") else hx[0]
    answers = []
    for module in (theirs, ours):
        leaves = torch.utils._pytree.tree_leaves(module(x, state))
        assert {type(t) for t in leaves} == {Mine}
        loss = sum(t.square().sum() for t in leaves)
        answers.append([*leaves, *torch.autograd.grad(loss, [x, *module.parameters()])])
        with torch.no_grad():
            answers[-1] += torch.utils._pytree.tree_leaves(module(x, state))
            answers[-1] += torch.utils._pytree.tree_leaves(module(x[:1], None))
    for a, b in zip(*answers, strict=True):
        torch.testing.assert_close(a.as_subclass(torch.Tensor), b.as_subclass(torch.Tensor))


def test_subclasses_that_look_at_operators_see_one():
    layer = et.GRU(3, 4)
    x = torch.randn(5, 2, 3)
    want, _ = layer(x)
    y, _ = layer(x.as_subclass(Seen))
    assert torch.equal(y.as_subclass(torch.Tensor), want) and any("elman" in name for name in Seen.seen)


def test_subclasses_of_parameters():
    class Weight(nn.Parameter):
        pass

    layer = et.GRU(3, 4)
    x = torch.randn(5, 2, 3)
    want, _ = layer(x)
    layer.weight_hh_l0 = Weight(layer.weight_hh_l0.detach())
    got, _ = layer(x)
    assert type(got) is torch.Tensor and torch.equal(got, want)


class Scores(abc.ABC):
    @abc.abstractmethod
    def score(self): ...


class Named(Protocol):
    name: str


def test_subclasses_of_twins_may_be_of_abstract_classes_and_protocols_too():
    class Abstract(et.LSTM, Scores): ...

    class Concrete(Scores, et.GRU):
        def score(self):
            return self(torch.zeros(2, 1, 3))[0].sum()

    class Labelled(et.LSTMCell, Named): ...

    assert inspect.isabstract(Abstract)
    layer = Concrete(3, 4)
    assert isinstance(layer, Scores) and isinstance(layer, nn.GRU) and layer.score().isfinite()
    assert isinstance(Labelled(3, 4), nn.LSTMCell)
    # Equal to torch's, but no answer about one is remembered as an answer about the other.
    assert isinstance(et.GRU(3, 4), et.GRU) and not isinstance(nn.GRU(3, 4), et.GRU)
    assert issubclass(et.GRU, et.GRU) and not issubclass(nn.GRU, et.GRU)


def negated(tensor):
    return torch._neg_view(-tensor)


def no_memory(tensor):
    return torch._efficientzerotensor(tensor.shape)


@pytest.mark.parametrize("kind", ["GRU", "RNN"])
@pytest.mark.parametrize("make", [negated, no_memory])
def test_tensors_that_are_not_what_their_memory_holds(kind, make):
    """What the imaginary part of a conjugate is, and gradients of what does not depend on something."""
    torch.manual_seed(0)
    theirs = getattr(nn, kind)(3, 4)
    ours = et.accelerate(copy.deepcopy(theirs))
    x, grad = torch.randn(5, 2, 3), torch.randn(5, 2, 4)
    results = []
    for layer in (theirs, ours):
        y, h = layer(x)
        weights = {name: make(p.detach()) for name, p in layer.named_parameters() if make is negated}
        others = torch.func.functional_call(layer, weights, (make(x), make(h)))
        results.append([*others, *torch.autograd.grad(y, layer.parameters(), make(grad))])
    for got, want in zip(results[1], results[0], strict=True):
        torch.testing.assert_close(got, want)
