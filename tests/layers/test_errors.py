"""One test for each refusal: it names the argument, what was expected and what came, and changes nothing."""

import copy
import re

import numpy as np
import pytest

import elman
from elman.models import Forecaster
from elman.sequence import Standardizer, bucket_batches, pad, sliding_windows, unpad
from elman.train import History, fit, tune

f32 = np.float32


def zeros(*shape, dtype=f32):
    return np.zeros(shape, dtype)


def lstm(**options):
    return elman.LSTM(3, 4, **options)


X = zeros(5, 2, 3)

CONSTRUCTION = [
    (lambda: elman.LSTM(0, 4), "input_size: expected a whole number of at least 1, got 0"),
    (lambda: elman.LSTM(2.0, 4), "input_size: expected a whole number of at least 1, got 2.0"),
    (lambda: elman.LSTM(True, 4), "input_size: expected a whole number of at least 1, got True"),
    (lambda: elman.LSTM(3, -1), "hidden_size: expected a whole number of at least 1, got -1"),
    (lambda: lstm(num_layers=0), "num_layers: expected a whole number of at least 1, got 0"),
    (lambda: lstm(bias=1), "bias: expected True or False, got 1"),
    (lambda: lstm(batch_first="no"), "batch_first: expected True or False, got 'no'"),
    (lambda: lstm(dropout=1.0), "dropout: expected a number from 0 up to, not including, 1, got 1.0"),
    (lambda: lstm(dropout="some"), "dropout: expected a number from 0 up to, not including, 1, got 'some'"),
    (
        lambda: lstm(recurrent_dropout=1),
        "recurrent_dropout: expected a number from 0 up to, not including, 1, got 1",
    ),
    (
        lambda: lstm(recurrent_dropout=None),
        "recurrent_dropout: expected a number from 0 up to, not including, 1, got None",
    ),
    (lambda: lstm(bidirectional=None), "bidirectional: expected True or False, got None"),
    (lambda: lstm(reverse=2), "reverse: expected True or False, got 2"),
    (lambda: lstm(bidirectional=True, reverse=True), "reverse: expected False with bidirectional=True"),
    (lambda: lstm(dtype=np.float16), "dtype: expected float32 or float64, got <class 'numpy.float16'>"),
    (lambda: lstm(dtype="wide"), "dtype: expected float32 or float64, got 'wide'"),
    (lambda: lstm(init="zeros"), "init: expected one of 'orthogonal', 'uniform', got 'zeros'"),
    (
        lambda: elman.RNN(3, 4, nonlinearity="gelu"),
        "nonlinearity: expected one of 'tanh', 'relu', got 'gelu'",
    ),
    (lambda: elman.Linear(0, 1), "in_features: expected a whole number of at least 1, got 0"),
    (lambda: elman.Linear(1, 1.5), "out_features: expected a whole number of at least 1, got 1.5"),
]

CALLS = [
    (lambda: lstm()(zeros(5, 2, 4)), "x: expected [T, B, 3] float32, got [5, 2, 4] float32"),
    (lambda: lstm()(zeros(5, 4)), "x: expected [T, 3] float32, got [5, 4] float32"),
    (lambda: lstm()(zeros(3)), "x: expected [T, B, 3] float32, got [3] float32"),
    (lambda: lstm()(zeros(1, 5, 2, 3)), "x: expected [T, B, 3] float32, got [1, 5, 2, 3] float32"),
    (lambda: lstm(batch_first=True)(zeros(2, 5, 4)), "x: expected [B, T, 3] float32, got [2, 5, 4] float32"),
    (lambda: lstm()(zeros(5, 2, 3, dtype=float)), "x: expected [T, B, 3] float32, got [5, 2, 3] float64"),
    (lambda: lstm(dtype=float)(X), "x: expected [T, B, 3] float64, got [5, 2, 3] float32"),
    (lambda: lstm()([[1.0]]), "x: expected [T, 3] float32, got [1, 1] float32"),
    (lambda: lstm()([[1.0, 2.0], [3.0]]), "x: expected an array of numbers, got list: "),
    (lambda: lstm()(None), "x: expected an array, got NoneType"),
    (lambda: lstm()(X, zeros(1, 2, 4)), "state: expected a pair (h, c), got [1, 2, 4] float32"),
    (lambda: lstm()(X, (zeros(1, 2, 4),)), "state: expected a pair (h, c), got a tuple of 1"),
    (lambda: lstm()(X, (zeros(1, 2, 4), None)), "state: expected a pair of arrays (h, c), got None in it"),
    (
        lambda: lstm()(X, (zeros(1, 2, 4), zeros(1, 3, 4))),
        "state[1]: expected [1, 2, 4] float32, got [1, 3, 4]",
    ),
    (
        lambda: lstm(num_layers=2)(X, (zeros(1, 2, 4),) * 2),
        "state[0]: expected [2, 2, 4] float32, got [1, 2, 4]",
    ),
    (
        lambda: elman.GRU(3, 4)(X, zeros(1, 2, 4, dtype=float)),
        "state: expected [1, 2, 4] float32, got [1, 2, 4] float64",
    ),
    (
        lambda: elman.GRU(3, 4)(zeros(5, 3), zeros(1, 1, 4)),
        "state: expected [1, 4] float32, got [1, 1, 4] float32",
    ),
    (lambda: lstm()(X, lengths=[5]), "lengths: expected [2] whole numbers, got [1] int64"),
    (lambda: lstm()(X, lengths=[1.0, 2.0]), "lengths: expected [2] whole numbers, got [2] float64"),
    (lambda: lstm()(X, lengths=[6, 1]), "lengths: expected 0 to 5, got 1 to 6"),
    (lambda: lstm()(X, lengths=[-1, 1]), "lengths: expected 0 to 5, got -1 to 1"),
    (lambda: lstm()(zeros(5, 3), lengths=[5]), "lengths: expected [] whole numbers, got [1] int64"),
    (lambda: lstm()(X, mask=zeros(5, 2)), "mask: expected [5, 2] bool, got [5, 2] float32"),
    (lambda: lstm()(X, mask=zeros(2, 5, dtype=bool)), "mask: expected [5, 2] bool, got [2, 5] bool"),
    (lambda: lstm()(X, reset=[True] * 5), "reset: expected [5, 2] bool, got [5] bool"),
    (lambda: lstm()(X, reset=zeros(5, 1, dtype=bool)), "reset: expected [5, 2] bool, got [5, 1] bool"),
    (
        lambda: lstm(bidirectional=True).stepper(1),
        "stepper: expected a layer that runs forward in time, got bidirectional=True",
    ),
    (
        lambda: lstm(reverse=True).stepper(1),
        "stepper: expected a layer that runs forward in time, got reverse=True",
    ),
    (lambda: lstm().stepper(0), "batch_size: expected a whole number of at least 1, got 0"),
    (
        lambda: setattr(lstm().stepper(2), "state", None),
        "state: expected arrays, got None; reset() zeroes the state",
    ),
    (
        lambda: setattr(lstm().stepper(2), "state", zeros(1, 2, 4)),
        "state: expected a pair (h, c), got [1, 2, 4] float32",
    ),
    (
        lambda: setattr(lstm().stepper(2), "state", (zeros(1, 2, 4), 1)),
        "state[1]: expected [1, 2, 4] float32, got 1.0",
    ),
    (
        lambda: setattr(elman.GRU(3, 4).stepper(2), "state", zeros(1, 4)),
        "state: expected [1, 2, 4] float32, got [1, 4]",
    ),
    (lambda: lstm().stepper(2).reset([0, 2]), "rows: expected 0 to 1, got 0 to 2"),
    (lambda: lstm().stepper(2).reset(-1), "rows: expected 0 to 1, got -1 to -1"),
    (lambda: lstm().load_state_dict({}), "state_dict: expected the names weight_ih_l0, weight_hh_l0"),
    (lambda: elman.Linear(3, 2)(zeros(4, 2)), "x: expected [..., 3] float32, got [4, 2] float32"),
    (
        lambda: elman.Linear(3, 2).forward(zeros(4, 3))[1](zeros(4, 3)),
        "dy: expected [4, 2] float32, got [4, 3] float32",
    ),
]

SEQUENCES = [
    (lambda: pad([]), "sequences: expected at least one array, got none"),
    (lambda: pad([zeros(3, 2), zeros(3, 1)]), "sequences[1]: expected [t, 2] float32, got [3, 1] float32"),
    (
        lambda: pad([zeros(3, 2), zeros(3, 2, dtype=int)]),
        "sequences[1]: expected [t, 2] float32, got [3, 2] int64",
    ),
    (lambda: unpad(zeros(4), [4]), "padded: expected at least 2 axes, got [4] float32"),
    (lambda: unpad(zeros(4, 2), [4]), "lengths: expected [2] whole numbers, got [1] int64"),
    (lambda: unpad(zeros(4, 2), [5, 1]), "lengths: expected 0 to 4, got 1 to 5"),
    (lambda: bucket_batches([1.5], 2), "lengths: expected [n] whole numbers, got [1] float64"),
    (lambda: bucket_batches([1], 0), "batch_size: expected a whole number of at least 1, got 0"),
    (lambda: sliding_windows(zeros(4), 5), "series: expected at least 5 steps, got [4] float32"),
    (lambda: sliding_windows(zeros(4), 0), "length: expected a whole number of at least 1, got 0"),
    (lambda: sliding_windows(zeros(4), 2, 0), "stride: expected a whole number of at least 1, got 0"),
    (lambda: Standardizer().transform(zeros(2)), "Standardizer: expected fit() before transform()"),
    (
        lambda: Standardizer().fit(zeros(4, 3)).transform(zeros(2)),
        "x: expected [..., 3] numbers, got [2] float32",
    ),
    (lambda: Standardizer().fit(np.array(["a"])), "x: expected [..., F] numbers, got [1] <U1"),
    (
        lambda: Standardizer().fit(zeros(4, 3), lengths=[1]),
        "x: expected [T, B, F] with lengths or mask, got [4, 3]",
    ),
    (lambda: Standardizer().fit(X, lengths=[1]), "lengths: expected [2] whole numbers, got [1] int64"),
    (lambda: Standardizer().fit(X, mask=zeros(5, 2)), "mask: expected [5, 2] bool, got [5, 2] float32"),
    (
        lambda: Standardizer().fit(X * np.nan),
        "x: expected a value for every feature, got none for features [0, 1, 2]",
    ),
]


def forecaster():
    return Forecaster(1, input_size=3, hidden_size=4)


DATA = zeros(6, 5, 3), zeros(6, 1, 1)

SETTINGS = [
    (lambda: elman.use_isa("mmx"), "name: expected one of "),
    (lambda: elman.set_num_threads(0), "n: expected a whole number of at least 1, got 0"),
    (lambda: elman.set_num_threads(2.0), "n: expected a whole number of at least 1, got 2.0"),
]


@pytest.mark.parametrize(
    ("call", "message"),
    CONSTRUCTION + CALLS + SEQUENCES + SETTINGS,
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_refusal(call, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        call()


BACKWARD = [
    ((zeros(5, 2, 3), None), "dy: expected [5, 2, 4] float32, got [5, 2, 3] float32"),
    ((zeros(5, 2, 4, dtype=float), None), "dy: expected [5, 2, 4] float32, got [5, 2, 4] float64"),
    ((zeros(5, 2, 4), zeros(1, 2, 4)), "dstate: expected a pair (h, c), got [1, 2, 4] float32"),
    (
        (zeros(5, 2, 4), (zeros(1, 2, 4), zeros(2, 4))),
        "dstate[1]: expected [1, 2, 4] float32, got [2, 4] float32",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BACKWARD)
def test_a_refused_backward_can_be_called_again(arguments, message):
    layer = lstm()
    _, _, backward = layer.forward(X)
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        backward(*arguments)
    assert not any(grad.any() for grad in layer.grads.values())
    backward(np.ones((5, 2, 4), f32))
    assert any(grad.any() for grad in layer.grads.values())


def test_backward_runs_once():
    _, _, backward = lstm().forward(X)
    other = copy.copy(backward)
    backward(None)
    for again in (backward, other):
        with pytest.raises(
            RuntimeError, match="backward: expected one call after each forward, got a second one"
        ):
            again(None)


def test_load_refuses_other_files(tmp_path):
    from safetensors.numpy import save_file

    save_file({"a": X}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"path: expected a file written by save\(\), got "):
        elman.load(tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    ("package", "extra", "call"),
    [
        ("safetensors.numpy", "save", lambda: lstm().save("x")),
        ("safetensors.numpy", "save", lambda: elman.load("x")),
        ("safetensors.numpy", "save", lambda: forecaster().save("x")),
        ("safetensors.numpy", "save", lambda: fit(forecaster(), DATA, progress=False, checkpoint="x")),
        ("matplotlib", "plot", lambda: History().plot()),
        ("optuna", "tune", lambda: tune(forecaster, (DATA, DATA), {}, 1)),
    ],
)
def test_a_missing_package_names_its_extra(monkeypatch, package, extra, call):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    name = package.partition(".")[0]
    with pytest.raises(ImportError, match=re.escape(f"needs {name}: pip install 'elman[{extra}]'")):
        call()
