"""Tensors of subclasses: those that only pass themselves on go straight to the engine, the others see an operator."""

import pytest
import torch
from torch import nn

import elman.torch as et
from elman.torch import ops


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
    monkeypatch.setattr(ops, "run", None)  # no call goes through the operator
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
