"""What graphs of layers, and their data, refuse."""

from types import SimpleNamespace

import numpy as np
import pytest

from elman.data import NamedSequences, Samples, Sequences, Vocabulary
from elman.layers import GRU, Dropout, Embedding, Linear, Pooling
from elman.models import Graph, Input, Output, SequenceClassifier, attend, concatenate, repeat
from elman.train import fit

READS = "x: expected a, b by name, got "
WRONG = {
    READS + "c": ({"c": [[1.0]]}, None),
    r"head: x: expected \[..., 2\] float32, got \[2, 4\] float32": (
        {"a": [[[1.0]], [[2.0]]], "b": np.zeros((2, 3))}, None
    ),
    r"y: expected out by name, got other": ({"a": [[[1.0]]], "b": np.ones((1, 1))}, {"other": [1.0]}),
    r"outputs\['out'\]: y: expected \[n, 1\] numbers, got \[1, 2\] float64": (
        {"a": [[[1.0]]], "b": np.ones((1, 1))}, {"out": np.ones((1, 2))}
    ),
    r"x\['b'\]: expected \[B, T, I\] or \[B, F\], got \[1, 1, 1, 1\] int64": (
        {"a": [[[1.0]]], "b": np.ones((1, 1, 1, 1), int)}, None
    ),
    r"gru: expected a sequence for each sample, got \[1, 2\] float32": (
        {"a": np.zeros((1, 2)), "b": np.ones((1, 1))}, None
    ),
    r"Concatenation: expected values of one shape but for their features, got \[1, 1\] .*, \[2, 1, 1\]": (
        {"a": [[[1.0]]], "b": np.ones((1, 2, 1))}, None
    ),
}  # fmt: skip


@pytest.mark.parametrize("message", WRONG)
def test_what_does_not_fit(message):
    x, y = WRONG[message]
    read = Input("a").through(GRU(1, 1), Pooling())
    model = Graph({"out": concatenate(read, Input("b")).through(head=Linear(2, 1))})
    with pytest.raises(ValueError, match=f"^{message}"):
        model(x) if y is None else model.loss(next(NamedSequences(x, y).batches(2)))


def test_sequences_of_other_lengths_do_not_stand_side_by_side():
    model = Graph({"out": Input("a") + Input("b")})
    x = np.zeros((2, 3, 1))
    with pytest.raises(
        ValueError, match=r"^Sum: expected sequences of the same lengths and masks, got others"
    ):
        model({"a": x, "b": x}, {"a": [3, 2]})
    y = {"out": [np.zeros((2, 1)), np.zeros((3, 1))]}
    with pytest.raises(
        ValueError, match=r"^outputs\['out'\]: expected targets for as many steps as its sequences have"
    ):
        model.loss(next(NamedSequences({"a": x, "b": x}, y).batches(2)))
    model = Graph({"out": repeat(Input("a"), Input("b"))})
    with pytest.raises(ValueError, match=r"^Repetition: expected a vector for each sample and a sequence"):
        model({"a": x, "b": x})
    model = Graph({"out": attend(Input("a"), Input("b"))})
    with pytest.raises(ValueError, match=r"^Attention: expected two sequences for each sample"):
        model({"a": x, "b": x[:, 0]})
    with pytest.raises(
        ValueError, match=r"^Attention: stepper: expected what goes step by step, got attention"
    ):
        model.stepper(1)


NODE = Input("a")
MADE = {
    "outputs: expected a dict of at least one Output, got an empty dict|outputs: expected a dict.*": lambda: (
        Graph({})
    ),
    r"outputs\['a'\]: expected an Output, got Linear": lambda: Graph({"a": Linear(1, 1)}),
    "outputs: expected text as names, got 1": lambda: Graph({1: NODE}),
    "node: expected a node of a graph, got 3": lambda: Output(3),
    "weight: expected a finite number of at least 0, got -1": lambda: Output(NODE, weight=-1),
    "loss: expected .*, got 'square'": lambda: Output(NODE, "square"),
    r"nodes: expected nodes of a graph, got GRU; node.through\(layer\)": lambda: concatenate(NODE, GRU(1, 1)),
    "nodes: expected at least two, got 1": lambda: concatenate(NODE),
    "layers: expected a layer, got Input": lambda: NODE.through(NODE),
    "layers: expected none that is batch_first": lambda: NODE.through(GRU(1, 1, batch_first=True)),
    "function: expected one of 'tanh', 'relu', got 'gelu'": lambda: NODE.activate("gelu"),
    "name: expected text, got 3": lambda: Input(3),
    "named: expected a name for one layer, without dots, got 'a'": lambda: Graph(
        {"out": NODE.through(a=Linear(1, 1)).through(a=Linear(1, 1))}
    ),
    "outputs: expected the input 'a' to be tokens or numbers, got readers of both": lambda: Graph(
        {"out": NODE.through(Embedding(2, 1)) + Input("a").through(Linear(1, 1))}
    ),
}


@pytest.mark.parametrize("message", MADE)
def test_what_is_no_graph(message):
    with pytest.raises(ValueError, match=f"^({message})"):
        MADE[message]()


def test_data_by_name():
    with pytest.raises(
        ValueError, match=r"^x: expected a dict of arrays or lists by name, got \[2\] float64"
    ):
        NamedSequences(np.zeros(2))
    with pytest.raises(ValueError, match=r"^x: expected a dict of arrays or lists by name, got an empty one"):
        NamedSequences({})
    with pytest.raises(ValueError, match=r"^y\['a'\]: expected one for each of 2 samples, got 3"):
        NamedSequences({"a": [1, 2]}, {"a": [1, 2, 3]})
    with pytest.raises(ValueError, match=r"^train: x\['b'\]: expected one for each of 2 samples, got 1"):
        fit(Graph({"a": Input("a")}), ({"a": [1, 2], "b": [1]}, {"a": [1, 2]}), progress=False)
    with pytest.raises(
        ValueError, match=r"^x: expected an array or a list, got a dict; NamedSequences takes"
    ):
        Sequences({"a": np.zeros((2, 3, 1))})
    with pytest.raises(
        ValueError, match=r"^train: x: expected one input for SequenceClassifier, got inputs by name: a, b"
    ):
        fit(SequenceClassifier(2, input_size=1), ({"a": [1.0], "b": [1.0]}, {"a": [1]}), progress=False)
    batches = list(NamedSequences({"a": [[1], [1, 2, 3], [1, 2]]}).batches(2))
    assert [batch.index.tolist() for batch in batches] == [[1, 2], [0]] and [b.done for b in batches] == [
        2,
        3,
    ]
    np.testing.assert_array_equal(batches[0].x["a"], [[1, 2, 3], [1, 2, 0]])
    np.testing.assert_array_equal(batches[0].lengths["a"], [3, 2])


def test_a_loss_that_no_file_can_hold():
    node = Input("a").through(Linear(1, 1), Dropout(0.5))
    with pytest.raises(ValueError, match=r"loss: expected"):
        Graph({"out": Output(node, SimpleNamespace())})


def test_numbers_that_are_no_lists():
    node = Input("a").through(Linear(1, 2))
    for give in (
        lambda: Output(node, "quantile", quantiles=0.5),
        lambda: Graph({"out": Output(node, "gaussian")}).predict_quantiles({"a": [1.0]}, quantiles=0.5),
    ):
        with pytest.raises(ValueError, match=r"^quantiles: expected a list of numbers, got 0.5"):
            give()
    with pytest.raises(
        ValueError, match=r"^class_weight: expected .* \[2\] finite numbers of at least 0, got 3.0"
    ):
        Output(node, "cross_entropy", class_weight=np.array(3.0))


def test_lengths_are_by_name():
    model = Graph({"out": Input("a").through(GRU(1, 2), Pooling(), Linear(2, 1))})
    x = {"a": np.zeros((2, 3, 1))}
    with pytest.raises(ValueError, match=r"^lengths: expected names among a, got 'b'"):
        model(x, {"b": [1, 2]})
    with pytest.raises(ValueError, match=r"^lengths: expected a dict by input's name, got list"):
        model(x, [1, 2])


def test_three_things_are_no_data():
    model = Graph({"out": Input("a").through(Linear(1, 1))})
    with pytest.raises(
        ValueError, match=r"^train: expected \(x, y\) of dicts, got three; NamedSequences\(x, y, weights"
    ):
        fit(model, ({"a": [1.0]}, {"out": [1.0]}, [1.0]), progress=False)


def test_what_is_wrong_in_x_is_not_said_of_an_output():
    texts = lambda: iter([({"a": "b c"}, {"out": 0})])  # noqa: E731
    head = Input("a", Vocabulary(["b", "c"])).through(Embedding(9, 2), Pooling())
    model = Graph({"out": Output(head, "cross_entropy", class_weight="balanced")})
    with pytest.raises(ValueError, match=r"^x\['a'\]: expected numbers, or texts with a vocabulary"):
        fit(model, Samples(texts), progress=False)
