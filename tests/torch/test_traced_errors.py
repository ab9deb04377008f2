"""Every refusal of elman.torch.Recurrent that is not one of elman.torch.LSTM too, and some that are."""

import re

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

import elman
import elman.torch as et
from tests.support.cases import TRACED

X, DT, H0 = torch.zeros(5, 2, 3), torch.ones(5, 2), torch.zeros(1, 2, 4)
CFC, SLSTM = TRACED["cfc"], TRACED["slstm"]


@pytest.mark.parametrize(
    ("cell", "kind", "message", "args", "options"),
    [
        (CFC, ValueError, "dt: expected [5, 2] float32, which the cell reads, got none", (X,), {}),
        (CFC, ValueError, "dt: expected [5, 2] float32, which the cell reads, got none", (X,), {"dt": None}),
        (
            CFC,
            RuntimeError,
            "dt: expected [5, 2] float32, got [5, 3] float32",
            (X,),
            {"dt": torch.ones(5, 3)},
        ),
        (CFC, RuntimeError, "dt: expected [5] float32, got [5, 2] float32", (X[:, 0],), {"dt": DT}),
        (CFC, ValueError, "dt: expected [5, 2] float32, got [5, 2] float64", (X,), {"dt": DT.double()}),
        (CFC, TypeError, "dt: expected [5, 2] float32, got float", (X,), {"dt": 0.1}),
        (
            CFC,
            TypeError,
            "time: expected one of the cell's scalars (dt), got time=",
            (X,),
            {"dt": DT, "time": DT},
        ),
        (SLSTM, TypeError, "dt: expected no such argument, got dt=", (X,), {"dt": DT}),
        (SLSTM, RuntimeError, "hx: expected a tuple (h, c, n, m), got [1, 2, 4] float32", (X, H0), {}),
        (
            SLSTM,
            RuntimeError,
            "hx[3]: expected [1, 2, 4] float32, got [1, 2] float32",
            (X, (*[H0] * 3, DT[:1])),
            {},
        ),
        (SLSTM, RuntimeError, "input: expected [T, B, 3] or [T, 3] float32, got [5, 2] float32", (DT,), {}),
        (SLSTM, ValueError, "lengths: expected 0 to 5, got 1 to 6", (X,), {"lengths": [1, 6]}),
        (SLSTM, ValueError, "mask: expected [5, 2] bool, got [5, 2] float32", (X,), {"mask": DT}),
        (
            CFC,
            ValueError,
            "reset: expected None with a PackedSequence, got Tensor",
            (pack_sequence([X[:, 0]]),),
            {"reset": DT},
        ),
        (
            CFC,
            RuntimeError,
            "dt: expected [5] float32, got [5, 2] float32",
            (pack_sequence([X[:, 0]]),),
            {"dt": DT},
        ),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_refused_calls(cell, kind, message, args, options):
    with pytest.raises(kind, match="^" + re.escape(message) + "$"):
        et.Recurrent(cell, 3, 4)(*args, **options)


@pytest.mark.parametrize(
    ("message", "args", "options"),
    [
        (
            "cell: expected a cell of elman.cells or one made by elman.cell, or one of ",
            (None, 3, 4),
            {},
        ),
        ("input_size: expected a whole number of at least 1, got 0", (CFC, 0, 4), {}),
        ("hidden_size: expected a whole number of at least 1, got 1.5", (CFC, 3, 1.5), {}),
        ("num_layers: expected a whole number of at least 1, got 0", (CFC, 3, 4, 0), {}),
        ("bias: expected True or False, got 1", (CFC, 3, 4), {"bias": 1}),
        ("batch_first: expected True or False, got None", (CFC, 3, 4), {"batch_first": None}),
        ("dropout: expected a number from 0 up to, not including, 1, got 1", (CFC, 3, 4), {"dropout": 1}),
        ("bidirectional: expected True or False, got 2", (CFC, 3, 4), {"bidirectional": 2}),
        (
            "cell: expected scalars with other names than those of a call, got mask",
            (elman.cell("a", "h", scalars="mask")(lambda a, h, mask: a * h * mask), 3, 4),
            {},
        ),
        (
            "cell: expected params with other names than a layer's, got bias_ih",
            (elman.cell("a", "h", params="bias_ih")(lambda a, h, bias_ih: a * h * bias_ih), 3, 4),
            {},
        ),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_refused_layers(message, args, options):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        et.Recurrent(*args, **options)
