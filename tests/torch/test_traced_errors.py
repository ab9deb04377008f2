"""Every refusal of elman.torch.Recurrent that is not one of elman.torch.LSTM too, and some that are."""

import re

import numpy as np
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
        (CFC, TypeError, "dt: expected [5, 2] float32, got list", (X,), {"dt": [0.1]}),
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


def test_a_packed_scalar_has_the_lengths_of_the_input():
    pack = torch.nn.utils.rnn.pack_sequence
    layer = et.Recurrent(CFC, 1, 2)
    x = pack([torch.zeros(4, 1), torch.zeros(2, 1)])
    y, _ = layer(x, dt=pack([torch.ones(4), torch.ones(2)]))
    torch.testing.assert_close(layer(x, dt=1.0)[0].data, y.data)
    for dt in (
        pack([torch.ones(3), torch.ones(3)]),
        pack([torch.ones(2), torch.ones(4)], enforce_sorted=False),
    ):
        with pytest.raises(
            ValueError, match=r"^dt: expected a PackedSequence with the lengths of input's, got other"
        ):
            layer(x, dt=dt)


def test_a_number_is_a_scalar_of_all_steps():
    layer = et.Recurrent(CFC, 3, 4)
    torch.testing.assert_close(layer(X, dt=0.3), layer(X, dt=torch.full((5, 2), 0.3)), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cell", elman.cells.lru),
        ("input_size", 4),
        ("hidden_size", 8),
        ("num_layers", 2),
        ("bias", False),
        ("bidirectional", True),
    ],
)
def test_what_a_layer_was_made_with_stays(name, value):
    layer = et.Recurrent(SLSTM, 3, 4)
    setattr(layer, name, getattr(layer, name))
    with pytest.raises(AttributeError, match=rf"^{name}: expected .*, as the layer was made, got .*; make"):
        setattr(layer, name, value)


def test_dropout_between_no_layers_is_said():
    with pytest.warns(UserWarning, match="^dropout: expected 0 with num_layers=1"):
        et.Recurrent(SLSTM, 3, 4, dropout=0.5)


def test_biases_start_where_the_cell_says():
    cell = elman.cell({"a": "x", "b": "xh", "c": "h"}, "h", bias={"b": 2.0, "c": -1.0})(
        lambda a, b, c: a * b + c
    )
    layer = et.Recurrent(cell, 3, 4, bidirectional=True)
    for bias, row, start in ((layer.bias_ih_l0, 1, 2.0), (layer.bias_hh_l0_reverse, 1, -1.0)):
        assert (bias[row * 4 : row * 4 + 4] == start).all() and (bias[:4] != start).all()
    own = elman.Recurrent(cell, 3, 4, init="uniform").parameters
    assert (own["bias_ih_l0"][4:] == 2).all() and (own["bias_hh_l0"][4:] == -1).all()
    assert (np.abs(own["bias_hh_l0"][:4]) <= 0.5).all()
