"""Files of every kind of layer, of those made of layers, and of classes of one's own."""

import itertools

import numpy as np
import pytest

import elman
from elman import files
from elman.layers import (
    GRU,
    LSTM,
    RNN,
    Composite,
    DotAttention,
    Dropout,
    Embedding,
    Linear,
    Parameters,
    Pooling,
    Recurrent,
    Sequential,
)
from elman.models import Model, SequenceClassifier
from tests.support.saved import equal, write_raw


class Mine(GRU):
    def __init__(self, size, *, seed=None):
        super().__init__(size, 2 * size, seed=seed)


class Residual(Composite):
    def __init__(self, inner, kind=Linear, function=None):
        self.parts = {"inner": inner, "out": kind(3, 3)}


class Tower(Sequential):
    def __init__(self, *sizes):
        super().__init__(*(Linear(*pair) for pair in itertools.pairwise(sizes)))


LAYERS = {
    "GRU": lambda: GRU(2, 3, num_layers=2, bidirectional=True, dropout=0.25, dtype="float64"),
    "RNN": lambda: RNN(2, 3, nonlinearity="relu", bias=False, batch_first=True),
    "LSTM": lambda: LSTM(2, np.int64(3), recurrent_dropout=0.5),
    "linear": lambda: Linear(2, 3, bias=False),
    "embedding": lambda: Embedding(5, 3, std=0.1),
    "dropout": lambda: Dropout(0.5, variational=True, seed=0),
    "pooling": lambda: Pooling("mean", bidirectional=True),
    "attention": lambda: DotAttention(scaled=True),
    "sequential": lambda: Sequential(
        GRU(2, 3), Sequential(a=Linear(3, 4), b=Dropout(0.5)), head=Pooling("max")
    ),
    "own leaf": lambda: Mine(3),
    "own": lambda: Residual(Sequential(Mine(3, seed=1), Linear(6, 3)), kind=Linear),
    "own sequential": lambda: Tower(3, 4, 5),
    "network": lambda: SequenceClassifier(2, input_size=3, hidden_size=4).network,
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_comes_back(name, tmp_path):
    made = LAYERS[name]()
    made.save(tmp_path / "file")
    found = elman.load(tmp_path / "file")
    assert (type(found) is type(made) and equal(found, made)) or "own" in name
    assert found.parameters.keys() == made.parameters.keys()
    for key, value in made.parameters.items():
        np.testing.assert_array_equal(found.parameters[key], value)
    found.save(tmp_path / "again")
    first, again = (files.read(tmp_path / name, "a test")[0] for name in ("file", "again"))
    assert first == again


def test_a_composite_without_a_constructor(tmp_path):
    made = Composite()
    made.parts = {"a": GRU(2, 3), "b": Linear(3, 1)}
    made.parts["c"] = made.parts["a"]
    made.save(tmp_path / "file")
    found = elman.load(tmp_path / "file", Composite)
    assert repr(found.parts) == repr(made.parts) and found.parts["c"] is found.parts["a"]
    assert all(np.array_equal(value, found.parameters[name]) for name, value in made.parameters.items())


def test_parts_that_were_changed(tmp_path):
    made = Sequential(body=GRU(2, 3), head=Linear(3, 2))
    made.parts["head"] = Linear(3, 7)
    made.parts["body"].recurrent_dropout = 0.5
    made.save(tmp_path / "file")
    assert equal(elman.load(tmp_path / "file"), made)


def test_a_layer_that_comes_twice_is_one_layer(tmp_path):
    layer = GRU(3, 3)
    Sequential(layer, Linear(3, 3), layer).save(tmp_path / "file")
    first, _, last = elman.load(tmp_path / "file").parts.values()
    assert first is last


def test_layers_and_classes_as_arguments_of_a_model(tmp_path):
    class Around(Model):
        def __init__(self, encoder, heads, kind):
            self.parts = {"encoder": encoder, "head": kind(*heads["sizes"]), "last": heads["last"][0]}

    encoder = Sequential(GRU(2, 3), Pooling())
    made = Around(encoder, heads={"sizes": (3, 4), "last": [Linear(4, 1)]}, kind=Linear)
    made.save(tmp_path / "file")
    found = elman.load(tmp_path / "file", Around)
    assert equal(found, made) and found.config == made.config


def test_what_cannot_be_saved_is_said_when_a_layer_is_saved(tmp_path):
    made = Residual(Linear(3, 3), function=len)
    message = r"function: expected what JSON can hold .*; Residual keeps its arguments"
    with pytest.raises(ValueError, match=message):
        made.save(tmp_path / "file")
    with pytest.raises(ValueError, match=message):
        Sequential(made).save(tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_unknown_arguments_of_layers():
    with pytest.raises(
        TypeError, match=r"^hiden_size: expected an argument of GRU, .*; did you mean hidden_size\?$"
    ):
        GRU(2, hiden_size=3)
    with pytest.raises(
        TypeError, match=r"^proj_size: expected an argument of LSTM, .*; it takes input_size,"
    ):
        LSTM(2, 3, proj_size=2)
    with pytest.raises(
        TypeError,
        match=r"^proj: expected an argument of Recurrent, .*; it takes bias, batch_first, dropout, ",
    ):
        Recurrent(elman.cells.mgu, 2, 3, proj=2)


def test_files_of_recurrent_layers_from_before(tmp_path):
    made = GRU(2, 3, num_layers=2)
    config = {"layer": "GRU", "dtype": "float32", "input_size": 2, "hidden_size": 3, "num_layers": 2}
    write_raw(tmp_path / "old", config, made.parameters)
    assert equal(elman.load(tmp_path / "old"), made)


def test_the_class_that_is_expected(tmp_path):
    GRU(2, 3).save(tmp_path / "file")
    assert type(elman.load(tmp_path / "file", Parameters)) is GRU
    with pytest.raises(ValueError, match=r"^path: expected a Linear, got '.*file', which holds a GRU$"):
        elman.load(tmp_path / "file", Linear)


def test_layers_within_layers_without_end(tmp_path):
    nested = {"elman:layer": "elman.layers:Linear", "config": {}}
    for _ in range(200):
        nested = {"elman:layer": "elman.layers:Sequential", "config": {"a": nested}}
    write_raw(tmp_path / "file", {"layer": "Sequential", "config": {"a": nested}})
    with pytest.raises(ValueError, match=r"^path: expected a file written by save"):
        elman.load(tmp_path / "file")
