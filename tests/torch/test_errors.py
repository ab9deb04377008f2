"""Every refusal of elman.torch: torch's kind of error, elman's wording, before any work."""

import re
import subprocess
import sys

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

import elman.torch as et


def refused(kind, message):
    return pytest.raises(kind, match="^" + re.escape(message))


X = torch.zeros(5, 2, 3)
H0, C0 = torch.zeros(1, 2, 4), torch.zeros(1, 2, 4)
TWO = "input: expected [T, B, 3] or [T, 3] float32, got "


@pytest.mark.parametrize(
    ("kind", "message", "args", "options"),
    [
        (RuntimeError, TWO + "[5, 2, 6] float32", (torch.zeros(5, 2, 6),), {}),
        (ValueError, TWO + "[3] float32", (torch.zeros(3),), {}),
        (ValueError, TWO + "[5, 2, 3] float64", (X.double(),), {}),
        (ValueError, TWO + "[5, 2, 3] float32 on meta", (X.to("meta"),), {}),
        (TypeError, TWO + "list", ([[[0.0]]],), {}),
        (RuntimeError, "hx: expected a pair (h, c), got [1, 2, 4] float32", (X, H0), {}),
        (
            RuntimeError,
            "hx[0]: expected [1, 2, 4] float32, got [1, 3, 4] float32",
            (X, (torch.zeros(1, 3, 4), C0)),
            {},
        ),
        (
            RuntimeError,
            "hx[1]: expected [1, 2, 4] float32, got [1, 2, 5] float32",
            (X, (H0, torch.zeros(1, 2, 5))),
            {},
        ),
        (
            RuntimeError,
            "hx[0]: expected [1, 2, 4] float32, got [1, 2, 4] float64",
            (X, (H0.double(), C0)),
            {},
        ),
        (RuntimeError, "hx[1]: expected [1, 2, 4] float32, got None", (X, (H0, None)), {}),
        (RuntimeError, "hx[0]: expected [1, 4] float32, got [1, 2, 4] float32", (X[:, 0], (H0, C0)), {}),
        (ValueError, "lengths: expected [2] whole numbers, got [3] int64", (X,), {"lengths": [1, 2, 3]}),
        (ValueError, "lengths: expected [2] whole numbers, got [2] float32", (X,), {"lengths": [1.0, 2.0]}),
        (ValueError, "lengths: expected 0 to 5, got 1 to 6", (X,), {"lengths": [1, 6]}),
        (ValueError, "lengths: expected [] whole numbers, got [1] int64", (X[:, 0],), {"lengths": [1]}),
        (ValueError, "mask: expected [5, 2] bool, got [5, 2] float32", (X,), {"mask": torch.ones(5, 2)}),
        (ValueError, "reset: expected [5, 2] bool, got [2, 5] bool", (X,), {"reset": torch.ones(2, 5) > 0}),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_layer(kind, message, args, options):
    with refused(kind, message):
        et.LSTM(3, 4)(*args, **options)


def test_names_the_layout_that_was_asked_for():
    with refused(RuntimeError, "input: expected [B, T, 3] or [T, 3] float32, got [5, 2, 6] float32"):
        et.GRU(3, 4, batch_first=True)(torch.zeros(5, 2, 6))
    with refused(RuntimeError, "hx: expected [1, 5, 4] float32, got [1, 2, 4] float32"):
        et.GRU(3, 4, batch_first=True)(X, H0)


@pytest.mark.parametrize("name", ["lengths", "mask", "reset"])
def test_packed_sequences_know_their_lengths(name):
    packed = pack_sequence([torch.zeros(3, 3), torch.zeros(2, 3)])
    with refused(ValueError, f"{name}: expected None with a PackedSequence, got list"):
        et.LSTM(3, 4)(packed, **{name: [3, 2]})
    with refused(RuntimeError, "input: expected [N, 6] float32, got [5, 3] float32"):
        et.LSTM(6, 4)(packed)


def test_cell():
    with refused(RuntimeError, "input: expected [B, 3] or [3] float32, got [2, 4] float32"):
        et.LSTMCell(3, 4)(torch.zeros(2, 4))
    with refused(RuntimeError, "hx: expected [2, 4] float32, got [4] float32"):
        et.GRUCell(3, 4)(torch.zeros(2, 3), torch.zeros(4))
    with refused(RuntimeError, "hx: expected a pair (h, c), got [2, 4] float32"):
        et.LSTMCell(3, 4)(torch.zeros(2, 3), torch.zeros(2, 4))


def test_constructors_refuse_what_torch_refuses():
    with pytest.raises(ValueError, match="dropout should be a number"):
        et.LSTM(3, 4, dropout=2)


@pytest.mark.filterwarnings("ignore:elman.torch")
@pytest.mark.parametrize("name", ["lengths", "mask", "reset"])
def test_torchs_own_code_takes_no_extras(name):
    layer = et.LSTM(3, 4, dtype=torch.bfloat16)
    message = f"{name}: expected None for torch's own code (its weights are bfloat16), got Tensor"
    with refused(RuntimeError, message):
        layer(X.bfloat16(), **{name: torch.ones(5, 2) > 0})


def test_accelerate():
    with refused(TypeError, "model: expected a torch.nn.Module, got list"):
        et.accelerate([])


def test_without_torch_the_extra_is_named():
    code = "import sys; sys.modules['torch'] = None\nimport elman.torch"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ImportError: elman.torch needs torch: pip install 'elman[torch]'" in run.stderr
