"""What type checkers must see of elman; `tests/project/test_typing.py` runs mypy over it. Nobody runs it."""

from typing import Any

import numpy as np
import torch
from typing_extensions import assert_type

import elman
import elman.torch
from elman.layers import GRU, Embedding, Linear, Parameters, Pooling, Sequential
from elman.models import Graph, Input, Output, SequenceClassifier, SequenceTagger
from elman.train import History, fit

x = np.zeros((4, 3, 2), np.float32)
row = np.zeros((3, 2), np.float32)
tokens = np.zeros((4, 3), np.int64)
layer = GRU(2, 3)
y, state = layer(x, lengths=[1, 2, 3])
assert_type(y, np.ndarray)
y2, _, backward = layer.forward(x)
assert_type(y2, np.ndarray)
assert_type(Linear(2, 3)(x), np.ndarray)
assert_type(Embedding(2, 3)(tokens), np.ndarray)
assert_type(Pooling()(x), np.ndarray)
model = Sequential(layer, Linear(3, 1))
assert_type(model(x)[0], np.ndarray)
assert_type(model.forward(x)[0], np.ndarray)
tensor: Any = torch.zeros(4, 3, 2)
assert_type(layer(tensor)[0], Any)  # of its kind

step = layer.stepper(3)
assert_type(step(row), np.ndarray)
assert_type(model.stepper(3)(row), np.ndarray)
assert_type(model["0"], Parameters)
assert_type(model.summary(), str)
assert_type(layer.parameters["weight_ih_l0"], np.ndarray)

assert_type(elman.load("file", SequenceClassifier), SequenceClassifier)
assert_type(elman.load("file"), Any)
classifier = SequenceClassifier(2, input_size=2)
assert_type(classifier, SequenceClassifier)
assert_type(classifier.predict(x), np.ndarray)
assert_type(SequenceTagger(2, input_size=2).predict(x), list[np.ndarray])
assert_type(fit(classifier, (x, [0, 1, 0, 1])), History)
graph = Graph({"out": Output(Input("x").through(layer), weight=0.5)})
assert_type(graph.predict({"x": x}), dict[str, Any])


class Net(torch.nn.Module):
    pass


assert_type(elman.torch.accelerate(Net()), Net)
assert_type(elman.torch.restore(Net()), Net)
with elman.torch.restored(Net()) as plain:
    assert_type(plain, Net)
