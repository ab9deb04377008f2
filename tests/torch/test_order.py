"""The memory of y beside torch.nn's: what draws random numbers after a layer draws them in the order of memory."""

import copy

import pytest
import torch
from torch import nn

import elman.torch as et
from tests.support.torch_pairs import ignore_torchs_warnings

pytestmark = ignore_torchs_warnings
LAYERS = [(nn.LSTM, {}), (nn.GRU, {}), (nn.RNN, {}), (nn.LSTM, {"proj_size": 4})]
AFTER = {
    "dropout": lambda y: nn.functional.dropout(y, 0.5),
    "dropout in place": lambda y: nn.functional.dropout(y * 1, 0.5, inplace=True),
    "noise": lambda y: y + torch.randn_like(y),
}


def pair(kind, options, batch_first=True):
    theirs = kind(3, 8, batch_first=batch_first, bidirectional=True, num_layers=2, **options)
    return theirs, et.accelerate(copy.deepcopy(theirs))


def drawn(module, x, after, **steps):
    torch.manual_seed(1)
    y = after(module(x, **steps)[0])
    if not y.requires_grad:
        return [y]
    module.zero_grad()
    y.pow(2).sum().backward()
    return [y.detach(), *(p.grad.clone() for p in module.parameters())]


@pytest.mark.slow
@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("after", AFTER)
@pytest.mark.parametrize("kind, options", LAYERS)
def test_the_same_units_are_dropped(kind, options, after, grad):
    theirs, ours = pair(kind, options)
    x = torch.randn(4, 5, 3)
    with torch.set_grad_enabled(grad):
        want, got = (drawn(module, x, AFTER[after]) for module in (theirs, ours))
        of_lengths = drawn(ours, x, AFTER[after], lengths=[5] * 4)
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(of_lengths, want, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("shape", [(4, 5, 3), (1, 5, 3), (4, 1, 3), (5, 3)])
@pytest.mark.parametrize("kind, options", LAYERS)
def test_memory_lies_as_torchs_does(kind, options, shape, batch_first):
    theirs, ours = pair(kind, options, batch_first)
    x = torch.randn(shape)
    torch._dynamo.reset()  # all compile the same function, more often than torch allows
    compiled = ours
    if shape == (4, 5, 3) and (batch_first or kind is nn.LSTM):  # to compile takes seconds
        compiled = torch.compile(ours, fullgraph=True, backend="aot_eager")
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            want = theirs(x)[0]
            for module in (ours, compiled):
                y = module(x)[0]
                assert y.is_contiguous() == want.is_contiguous()
                if 1 not in shape:  # else several strides mean the same
                    assert y.stride() == want.stride()
