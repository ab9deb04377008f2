"""What elman.torch keeps between forward and backward: nothing that callers write to, and all in saved tensors."""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.autograd.graph import save_on_cpu, saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

import elman.torch as et

FLOAT64 = torch.float64
KINDS = ["LSTM", "GRU", "RNN"]
STACK = {"num_layers": 2, "bidirectional": True, "dtype": FLOAT64}


def pair(kind, *args, **options):
    theirs = getattr(nn, kind)(*args, **options)
    ours = getattr(et, kind)(*args, **options)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def gradients(module, x, change, hx=None):
    x = x.clone().requires_grad_()
    y, _ = module(x, hx)
    y = change(y)
    (y * torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)).sum().backward()
    grads = [x.grad, *(p.grad for p in module.parameters())]
    module.zero_grad(set_to_none=True)
    return grads


def assert_close(got, want):
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def write_data(y):
    y.data.mul_(3)
    return y


def write_numpy(y):
    y.detach().numpy()[:] = 5
    return y


CHANGES = {
    "add": lambda y: y.add_(torch.ones_like(y)),
    "mul": lambda y: y.mul_(2),
    "relu": lambda y: y.relu_(),
    "dropout": lambda y: nn.functional.dropout(y, 0.0, inplace=True),
    "index": lambda y: y.index_fill_(0, torch.tensor([1]), 0.0),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", KINDS)
def test_y_may_be_changed_in_place_as_torchs(kind, change):
    theirs, ours = pair(kind, 3, 4, **STACK)
    x = torch.randn(5, 2, 3, dtype=FLOAT64)
    want = gradients(theirs, x, CHANGES[change])
    assert_close(gradients(ours, x, CHANGES[change]), want)


@pytest.mark.parametrize("change", [write_data, write_numpy])
@pytest.mark.parametrize("kind", KINDS)
def test_y_may_be_written_to_where_autograd_does_not_see_it(kind, change):
    theirs, ours = pair(kind, 3, 4, **STACK)
    x = torch.randn(5, 2, 3, dtype=FLOAT64)
    want = gradients(theirs, x, lambda y: y)
    assert_close(gradients(ours, x, change), want)


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell", "RNNCell"])
def test_states_of_cells_may_be_changed_in_place(kind):
    theirs, ours = pair(kind, 3, 4, dtype=FLOAT64)
    x = torch.randn(2, 3, dtype=FLOAT64)
    grads = []
    for module in (theirs, ours):
        out = module(x)
        h = out[0] if kind == "LSTMCell" else out
        h = h + 1 if module is theirs else h.add_(1)
        (h * 3).sum().backward()
        grads.append([p.grad for p in module.parameters()])
    assert_close(*grads)


def test_y_may_be_changed_in_place_where_the_operator_runs():
    theirs, ours = pair("GRU", 3, 4, dtype=FLOAT64)
    x = torch.randn(5, 2, 3, dtype=FLOAT64)
    want = gradients(theirs, x, CHANGES["add"])
    y, _ = torch.compile(ours, backend="aot_eager", fullgraph=True)(x)
    y.add_(torch.ones_like(y))
    (y * torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)).sum().backward()
    assert_close([p.grad for p in ours.parameters()], want[1:])


@pytest.mark.parametrize("again", [False, True])
def test_masks_and_lengths_may_be_written_to_before_backward(again):
    layer = et.GRU(3, 4, dtype=FLOAT64)
    x = torch.randn(5, 2, 3, dtype=FLOAT64, requires_grad=True)
    grads = []
    for write in (False, True):
        marks = {"mask": torch.arange(10).view(5, 2) % 3 > 0, "reset": torch.arange(10).view(5, 2) % 4 == 0}
        lengths = torch.tensor([5, 3])
        y, _ = layer(x, lengths=lengths, **marks)
        if write:
            for tensor in (*marks.values(), lengths):
                tensor.fill_(0)
        grads.append(torch.autograd.grad(y.sum(), [x, *layer.parameters()], create_graph=again))
    assert_close(*grads)


class Counter:
    """Bytes that pass through hooks for saved tensors."""

    def __init__(self):
        self.bytes = self.unpacked = 0

    def __enter__(self):
        self.hooks = saved_tensors_hooks(self.pack, self.unpack)
        return self.hooks.__enter__() or self

    def __exit__(self, *args):
        self.hooks.__exit__(*args)

    def pack(self, tensor):
        self.bytes += tensor.nbytes
        return tensor.clone()

    def unpack(self, tensor):
        self.unpacked += tensor.nbytes
        return tensor


@pytest.mark.parametrize("kind", KINDS)
def test_hooks_for_saved_tensors_see_the_tape(kind):
    layer = getattr(et, kind)(8, 16)
    x = torch.randn(50, 4, 8)
    want = gradients(layer, x, lambda y: y)
    with Counter() as counter:
        got = gradients(layer, x, lambda y: y)
    slots = {"LSTM": 4, "GRU": 4, "RNN": 1}[kind]
    assert counter.bytes == counter.unpacked >= 50 * 4 * 16 * 4 * (slots + 1)
    assert all(torch.equal(a, b) for a, b in zip(got, want, strict=True))


def test_a_tape_may_come_back_at_any_address():
    """As hooks that write to a file give it back."""
    layer = et.LSTM(5, 7, 2, bidirectional=True)
    x = torch.randn(6, 3, 5)
    want = gradients(layer, x, lambda y: y)

    def shifted(tensor):
        memory = torch.empty(tensor.numel() + 1, dtype=tensor.dtype)
        return memory[1:].copy_(tensor.detach().reshape(-1)).view(tensor.shape)

    with saved_tensors_hooks(shifted, lambda t: t):
        got = gradients(layer, x, lambda y: y)
    assert all(torch.equal(a, b) for a, b in zip(got, want, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_hooks_may_lose_precision(kind):
    """Of weights too, which backward takes as the hook gives them, as in torch.nn."""
    theirs, ours = pair(kind, 5, 7)
    x = torch.randn(6, 3, 5)
    cast = lambda to: lambda t: t.to(to) if t.is_floating_point() else t  # noqa: E731
    grads = []
    for layer in (theirs, ours):
        with saved_tensors_hooks(cast(torch.float16), cast(torch.float32)):
            grads.append(gradients(layer, x, lambda y: y))
    for got, want in zip(*grads, strict=True):
        torch.testing.assert_close(got, want, rtol=0.01, atol=0.01)


def test_save_on_cpu():
    layer = et.GRU(5, 7)
    x = torch.randn(6, 3, 5)
    want = gradients(layer, x, lambda y: y)
    with save_on_cpu():
        got = gradients(layer, x, lambda y: y)
    assert all(torch.equal(a, b) for a, b in zip(got, want, strict=True))


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_checkpoints_give_the_same_gradients(kind, reentrant):
    layer = getattr(et, kind)(5, 7, 2)
    x = torch.randn(6, 3, 5)
    want = gradients(layer, x, lambda y: y)
    x.requires_grad_()
    y = checkpoint(lambda x: layer(x)[0], x, use_reentrant=reentrant)
    (y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum().backward()
    got = [x.grad, *(p.grad for p in layer.parameters())]
    assert all(torch.equal(a, b) for a, b in zip(got, want, strict=True))


def test_nothing_large_is_held_but_by_saved_tensors():
    layer = et.LSTM(4, 64)
    x = torch.randn(100, 8, 4)
    mask = torch.rand(100, 8) < 0.9
    with saved_tensors_hooks(lambda t: None, lambda t: None):  # all that is saved is thrown away
        y, _ = layer(x, mask=mask)
    context = y.grad_fn
    held = [v for v in vars(context).values() if isinstance(v, (torch.Tensor, tuple, list))]
    tensors = torch.utils._pytree.tree_leaves(held)
    assert sum(t.nbytes for t in tensors if isinstance(t, torch.Tensor)) <= 2 * mask.nbytes


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="no peak of memory to clear here")
def test_a_checkpoint_frees_what_it_recomputes():
    """Resident memory is measured in a process of its own: of 8 layers in a row, with and without checkpoints."""
    code = """
import sys, torch, elman.torch as et
from torch.utils.checkpoint import checkpoint
layer = et.GRU(64, 64)
x = torch.randn(400, 32, 64, requires_grad=True)
def peak(): return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
y = layer(x)[0]
del y
open("/proc/self/clear_refs", "w").write("5")  # the peak so far may be that of the process that forked
before, y = peak(), x
for _ in range(8):
    y = checkpoint(lambda x: layer(x)[0], y, use_reentrant=False) if sys.argv[1] == "1" else layer(y)[0]
print(peak() - before)
"""
    plain, less = (
        int(
            subprocess.run(
                [sys.executable, "-c", code, way], check=True, capture_output=True, text=True
            ).stdout
        )
        for way in "01"
    )
    assert less < 0.5 * plain
