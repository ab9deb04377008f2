"""Weights with requires_grad=False: their gradients are not computed, and the others keep their bits."""

import copy

import pytest
import torch
from torch import nn

import elman.torch as et
from elman import _core

T, B, I, H = 5, 3, 4, 7  # noqa: E741


def gradients(module, x, state):
    module.zero_grad(set_to_none=True)
    x.grad = None
    for one in state:
        one.grad = None
    y, final = module(x, state[0] if len(state) == 1 else tuple(state))
    (
        y.square().sum() + sum(one.sum() for one in (final if isinstance(final, tuple) else (final,)))
    ).backward()
    named = {name: weight.grad for name, weight in module.named_parameters()}
    return named | {"x": x.grad} | {f"state {i}": one.grad for i, one in enumerate(state)}


@pytest.mark.parametrize("need_state", [False, True])
@pytest.mark.parametrize("need_x", [False, True])
@pytest.mark.parametrize("trained", ["", "l2", "l1", "l0", "bias_hh_l1_reverse", "weight"])
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_what_is_not_wanted(kind, trained, need_x, need_state, monkeypatch):
    torch.manual_seed(0)
    theirs = kind(I, H, num_layers=3, bidirectional=True)
    ours = et.accelerate(copy.deepcopy(theirs))
    x = torch.randn(T, B, I)
    state = [torch.randn(6, B, H) for _ in range(1 + (kind is nn.LSTM))]
    whole = gradients(ours, x.clone().requires_grad_(), [one.clone().requires_grad_() for one in state])
    for module in (theirs, ours):
        for name, weight in module.named_parameters():
            weight.requires_grad_(bool(trained) and trained in name)
    if not (trained or need_x or need_state):
        return
    x.requires_grad_(need_x)
    for one in state:
        one.requires_grad_(need_state)
    calls, plain = [], _core.backward

    def backward(*arguments):
        calls.append((arguments[3], arguments[11]))
        plain(*arguments)

    monkeypatch.setattr(_core, "backward", backward)
    want, got = gradients(theirs, x, state), gradients(ours, x, state)
    for name, one in want.items():
        if one is None:
            assert got[name] is None
        else:
            torch.testing.assert_close(got[name], one)
            assert torch.equal(got[name], whole[name])
    ((parts, first),) = calls
    layers = [k for k in range(3) if trained == "weight" or trained.endswith((f"l{k}", f"l{k}_reverse"))]
    assert first == (0 if need_x or need_state else layers[0])
    directions = [1] if trained.endswith("reverse") else [0, 1]
    filled = [(k, d) for k, layer in enumerate(parts) for d, part in enumerate(layer) if part]
    assert filled == [(k, d) for k in layers for d in directions]
