"""Pairs of models, torch's and the same accelerated, with every kind of recurrent module."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils._pytree import tree_leaves

import elman.torch as et

# torch's own warnings, of the modules that ours are compared with and on the way to its tools
_TORCHS = (
    "LSTM with projections is not supported with oneDNN",
    ".torch.jit.*deprecated",
    "RNN module weights are not part of single contiguous chunk",
    "There is a performance drop because we have not yet implemented the batching rule",
    ".*torch.ao.quantization is deprecated",
    "Please use quant_min and quant_max",
    ".torch.nn.utils.weight_norm. is deprecated",
    "The tensor attributes .* were assigned during export",
    "elman.torch.*for gradients per sample, so it runs torch's own code",
    ".isinstance.treespec, LeafSpec.. is deprecated",
    "torch.quantize_per_tensor",
    "TypedStorage is deprecated",
    "Full backward hook is firing",
    "Anomaly Detection has been enabled",
    "The .grad attribute of a Tensor that is not a leaf",
)
ignore_torchs_warnings = [pytest.mark.filterwarnings(f"ignore:{text}") for text in _TORCHS]

KINDS = [
    "LSTM", "GRU", "RNN", "LSTM-proj", "LSTM-packed", "GRU-packed", "RNN-packed", "LSTM-proj-packed", "LSTMCell",
    "GRUCell", "RNNCell",
]  # fmt: skip
PLAIN = [kind for kind in KINDS if "packed" not in kind]
LENGTHS = torch.tensor([3, 5])


class Pack(nn.Module):
    def forward(self, x):
        return pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)


class Model(nn.Module):
    """A module of one of KINDS between two others, from [B, T, 3] (of a cell: [B, 3]) to tensors."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        name, *rest = kind.split("-")
        self.cell, self.packed = name.endswith("Cell"), "packed" in rest
        self.pairs = name == "LSTMCell"
        options = {"proj_size": 4} if "proj" in rest else {}
        if not self.cell:
            options |= {"batch_first": True}
        self.before = nn.Linear(3, 3)
        self.pack = Pack()
        self.rnn = getattr(nn, name)(3, 8, **options)
        self.after = nn.Linear(4 if "proj" in rest else 8, 2)

    def forward(self, x):
        x = self.before(x)
        out = self.rnn(self.pack(x) if self.packed else x)
        if self.packed:
            return self.after(out[0].data), out[1]
        if self.cell:
            return self.after(out[0] if self.pairs else out), out
        return self.after(out[0]), out[1]


def pair(kind):
    """A model of torch's, the same accelerated, and their input."""
    torch.manual_seed(0)
    theirs = Model(kind)
    ours = et.accelerate(copy.deepcopy(theirs))
    assert "on elman's engine" in str(et.report(ours))
    return theirs, ours, torch.randn(2, 3) if theirs.cell else torch.randn(2, 5, 3)


def assert_close(got, want, tolerance=1e-5):
    got, want = tree_leaves(got), tree_leaves(want)
    assert len(got) == len(want) > 0
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


def loss(out):
    return sum(part.square().sum() for part in tree_leaves(out))


def grads(model, out):
    return torch.autograd.grad(loss(out), list(model.parameters()), allow_unused=True)


def first(model):
    return lambda x: model(x)[0]


class Tools(list):
    """The cases of a test that runs each tool with each kind that torch.nn can be compared with."""

    def of(self, kinds=KINDS):
        def add(run):
            self.extend(pytest.param(run, kind, id=f"{run.__name__}-{kind}") for kind in kinds)
            return run

        return add


def compare(run, kind):
    """`run(model, x)` gives the same with both models."""
    theirs, ours, x = pair(kind)
    results = []
    for model in (theirs, ours):
        torch.manual_seed(1)
        results.append(run(model, x.clone()))
    assert_close(results[1], results[0], 1e-4)
