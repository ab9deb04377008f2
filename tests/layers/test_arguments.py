"""Arguments that are numbers, of any kind, and parts that are layers; what is neither is refused."""

import re

import numpy as np
import pytest
import torch

import elman
from elman.layers import Linear, Pooling, Sequential
from elman.train import SGD


def lstm(**options):
    return elman.LSTM(3, 4, **options)


NUMBERS = [
    (
        lambda: elman.Linear(np.bool_(True), 1),
        "in_features: expected a whole number of at least 1, got True",
    ),
    (lambda: elman.Linear(np.array(True), 1), "in_features: expected a whole number of at least 1, got True"),
    (
        lambda: elman.Linear(np.float32(2), 1),
        "in_features: expected a whole number of at least 1, got 2.0",
    ),
    (
        lambda: elman.Linear(np.array([2]), 1),
        "in_features: expected a whole number of at least 1, got [1] int64",
    ),
    (lambda: elman.Linear(np.ma.masked, 1), "in_features: expected a whole number of at least 1, got "),
    (lambda: lstm(dropout=np.nan), "dropout: expected a number from 0 up to, not including, 1, got nan"),
    (
        lambda: lstm(dropout=np.float32("nan")),
        "dropout: expected a number from 0 up to, not including, 1, got nan",
    ),
    (lambda: lstm(dropout=True), "dropout: expected a number from 0 up to, not including, 1, got True"),
    (
        lambda: lstm(dropout=np.bool_(False)),
        "dropout: expected a number from 0 up to, not including, 1, got False",
    ),
    (
        lambda: lstm(dropout=np.complex64(0)),
        "dropout: expected a number from 0 up to, not including, 1, got ",
    ),
    (
        lambda: lstm(dropout=np.zeros(1)),
        "dropout: expected a number from 0 up to, not including, 1, got [1] float64",
    ),
    (lambda: lstm(bias=np.int64(1)), "bias: expected True or False, got 1"),
    (lambda: lstm(bias=np.ones(2, bool)), "bias: expected True or False, got [2] bool"),
    (
        lambda: lstm(init=np.array(["uniform", "zeros"])),
        "init: expected one of 'orthogonal', 'uniform', got [2] <U7",
    ),
    (lambda: SGD(lstm(), np.nan), "learning_rate: expected a number above 0, got nan"),
    (lambda: SGD(lstm(), np.bool_(True)), "learning_rate: expected a number above 0, got True"),
    (
        lambda: SGD(lstm(), 1.0, weight_decay=np.nan),
        "weight_decay: expected a finite number of at least 0, got nan",
    ),
    (
        lambda: SGD(lstm(), 1.0, weight_decay=np.inf),
        "weight_decay: expected a finite number of at least 0, got inf",
    ),
]


@pytest.mark.parametrize(("call", "message"), NUMBERS, ids=[message for _, message in NUMBERS])
def test_what_is_no_number_is_refused(call, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        call()


@pytest.mark.parametrize(
    "kind", [np.int8, np.uint64, np.array, lambda n: torch.tensor(n)], ids=["int8", "uint64", "0-d", "torch"]
)
def test_whole_numbers_of_any_kind(kind):
    layer = elman.LSTM(kind(3), kind(4), num_layers=kind(2))
    assert (layer.input_size, layer.hidden_size, layer.num_layers) == (3, 4, 2)
    assert all(type(n) is int for n in (layer.input_size, layer.hidden_size, layer.num_layers))
    assert layer.stepper(kind(2))(np.zeros((2, 3), np.float32)).shape == (2, 4)


@pytest.mark.parametrize(
    "kind", [np.float16, np.float32, np.longdouble, np.array, lambda n: torch.tensor(n)],
    ids=["float16", "float32", "longdouble", "0-d", "torch"],
)  # fmt: skip
def test_numbers_of_any_kind(kind):
    layer = lstm(num_layers=2, dropout=kind(0.25), recurrent_dropout=kind(0.5), bias=np.bool_(True))
    assert (layer.dropout, layer.recurrent_dropout, layer.bias) == (0.25, 0.5, True)
    assert type(layer.dropout) is float and type(layer.bias) is bool
    optimizer = SGD(layer, kind(0.5), weight_decay=kind(0.25))
    assert (optimizer.learning_rate, optimizer.weight_decay) == (0.5, 0.25)
    assert type(lstm(dropout=np.int64(0)).dropout) is float
    assert lstm(bias=np.array(False)).bias is False


def pooled_once():
    step = Pooling("max").stepper(2)
    step(np.zeros((2, 3)))
    return step


PARTS = {
    r"layers: expected a layer as '0', got list; write Sequential\(\*layers\) for a list of them": lambda: (
        Sequential([Linear(2, 2), Linear(2, 2)])
    ),
    "layers: expected a layer as 'head', got function$": lambda: Sequential(Linear(2, 2), head=lambda x: x),
    "layers: expected a layer as '1', got None": lambda: Sequential(Linear(2, 2), None),
    r"x: expected \[T, B, ...\] with lengths or mask, got \[3\] float64": lambda: Sequential(
        Linear(3, 2, dtype=float), Pooling()
    )(np.zeros(3), lengths=[1]),
    r"x: expected \[2, 3\] float64, got \[2, 1\] float64": lambda: pooled_once()(np.zeros((2, 1))),
    r"x: expected \[2, F\] float32, got \[3, 1\] float32": lambda: Pooling().stepper(2)(
        np.zeros((3, 1), np.float32)
    ),
    r"state: expected a pair \(steps, pooled\), got None": lambda: setattr(
        Pooling().stepper(2), "state", None
    ),
    r"state\[0\]: expected \[2, 1\] whole numbers, got \[2\] float64": lambda: setattr(
        Pooling().stepper(2), "state", (np.zeros(2), None)
    ),
    r"state\[1\]: expected \[2, F\] float64, got \[1, 3\] float64": lambda: setattr(
        Pooling().stepper(2), "state", ([[1], [1]], np.zeros((1, 3)))
    ),
}


@pytest.mark.parametrize("message", PARTS)
def test_refusals_of_parts_and_of_their_steppers(message):
    with pytest.raises(ValueError, match=message):
        PARTS[message]()


@pytest.mark.parametrize("call", [elman.GRU(3, 4), Linear(3, 4)])
def test_a_cast_is_shown_in_the_words_of_the_library(call):
    x = np.zeros((5, 2, 3))
    for given, cast in ((x, r"x\.astype\(np\.float32\)"), (torch.from_numpy(x), r"x\.to\(torch\.float32\)")):
        with pytest.raises(ValueError, match=f"float32, got .5, 2, 3. float64; {cast} casts it"):
            call(given)
