"""A layer of torch.nn and the same of elman.torch, and whether their results are the same."""

import torch

import elman.torch as et

KINDS = ["LSTM", "GRU", "RNN"]
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}  # relative to the largest value


def pair(kind, *args, **kwargs):
    """torch's module and elman's, with the same weights."""
    theirs = getattr(torch.nn, kind)(*args, **kwargs)
    ours = getattr(et, kind)(*args, **kwargs)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def assert_same(got, want, dtype, what=""):
    assert got.shape == want.shape, what
    if want.numel():
        scale = max(1.0, want.abs().max().item())
        assert (got - want).abs().max().item() <= TOLERANCE[dtype] * scale, what
