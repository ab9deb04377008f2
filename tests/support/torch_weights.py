"""Pairs of modules, all that a call gives, and the ways there are to write to a weight."""

import torch
from torch import nn

import elman.torch as et

FLOAT64 = torch.float64
KINDS = {
    "lstm": ("LSTM", {}),
    "gru": ("GRU", {}),
    "tanh": ("RNN", {}),
    "relu": ("RNN", {"nonlinearity": "relu"}),
    "stack": ("GRU", {"num_layers": 2, "bidirectional": True}),
    "projected": ("LSTM", {"proj_size": 2, "num_layers": 2}),
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
