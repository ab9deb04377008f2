"""What users have, in every form, is the same data."""

import numpy as np
import pandas as pd
import pytest
import torch

from elman.data import Sequences
from elman.data.intake import series_of

LABELS = [0, 1, 1, 0]
X = np.random.default_rng(0).standard_normal((4, 3, 2)).astype(np.float32)
NUMBERS = {
    "list": LABELS,
    "int8": np.array(LABELS, np.int8),
    "scalars of NumPy": [np.uint16(one) for one in LABELS],
    "bool": [bool(one) for one in LABELS],
    "Series": pd.Series(LABELS),
    "nullable": pd.Series(LABELS, dtype="Int64"),
    "nullable bool": pd.array([bool(one) for one in LABELS], dtype="boolean"),
    "Categorical of numbers": pd.Categorical(LABELS),
    "tensor": torch.tensor(LABELS),
    "list of tensors": [torch.tensor(one) for one in LABELS],
    "objects": np.array(LABELS, object),
    "objects of tensors": np.array([np.array(one) for one in LABELS], object),
    "range-like floats": [0.0, 1.0, 1.0, 0.0],
}


@pytest.mark.parametrize("form", NUMBERS)
def test_labels_of_numbers(form):
    y = Sequences(X, NUMBERS[form]).y
    assert isinstance(y, np.ndarray) and y.dtype.kind in "biuf" and y.tolist() == LABELS


TEXTS = ["no", "yes", "yes", "no"]


@pytest.mark.parametrize(
    "given",
    [TEXTS, np.array(TEXTS), np.array(TEXTS, object), pd.Series(TEXTS), pd.Series(TEXTS, dtype="category"),
     pd.Categorical(TEXTS), pd.array(TEXTS, dtype="string")],
    ids=str,
)  # fmt: skip
def test_labels_of_texts(given):
    assert Sequences(X, given).y.tolist() == TEXTS


def test_labels_that_are_missing():
    assert Sequences(X, ["no", None, pd.NA, np.nan]).y.tolist() == ["no", None, None, None]
    for given in ([0, None, 1, np.nan], pd.array([0, None, 1, None], dtype="Int64")):
        np.testing.assert_array_equal(Sequences(X, given).y, [0, np.nan, 1, np.nan])
    steps = Sequences([X[0], X[1, :1]], [["B", None, "I"], ["B"]])
    assert [one.tolist() for one in steps.y] == [["B", None, "I"], ["B"]]
    batch = steps.take(np.array([0, 1]))
    assert batch.y[0].tolist() == ["B", None, "I"] and batch.y[1, 0] == "B"


def test_columns_of_lists():
    tags = [["B", None], ["O", "B", "I"], [np.nan, "O"]]
    table = pd.DataFrame({"id": np.repeat([7, 8, 9], [2, 3, 2]), "tag": [tag for row in tags for tag in row]})
    column = table.groupby("id")["tag"].agg(list)
    x = [np.zeros((len(row), 1)) for row in tags]
    for given in (column, column.to_numpy(), tags):
        y = Sequences(x, given).y
        assert [one.tolist() for one in y] == [["B", None], ["O", "B", "I"], [None, "O"]]
    numbers = pd.Series([[0.5, 1.5], [2.5]], index=[3, 1])
    data = Sequences(
        numbers, pd.Series([[0, 1], [1]]), mask=pd.Series([[True, False], [True]]), weights=numbers
    )
    assert [one.tolist() for one in data.x] == [[0.5, 1.5], [2.5]] and [one.tolist() for one in data.y] == [
        [0, 1],
        [1],
    ]
    assert data.lengths.tolist() == [2, 1] and data.weights[1].tolist() == [2.5]


def test_texts_in_a_table_or_alone():
    table = pd.DataFrame({"text": ["a b", "c"], "n": [1, 2]}).astype(object)
    with pytest.raises(
        ValueError,
        match=r"x: expected numbers, got \[2, 2\] object with 'a b'; texts are one column of a table",
    ):
        Sequences(table)
    with pytest.raises(
        ValueError, match=r"x: expected an array \[n, ...\] or a list, got 'a b'; \[x\] is a list of"
    ):
        Sequences("a b")


def test_features_of_any_form():
    frames = [pd.DataFrame(one, columns=["a", "b"]) for one in X]
    nullable = [frame.astype("Float32") for frame in frames]
    for given in (frames, nullable, X.tolist(), list(torch.tensor(X)), torch.tensor(X), np.asfortranarray(X)):
        data = Sequences(given, LABELS)
        np.testing.assert_array_equal(np.stack(list(data.x)), X)
    mixed = Sequences([X[0].astype(np.float64), np.ones((2, 2), int), X[2]])  # types that one type holds
    assert {one.dtype for one in mixed.x} == {np.dtype(np.float64)}
    objects = pd.DataFrame({"a": pd.array([1, None, 3], dtype="Int64"), "b": [0.5, 1, 2]})
    np.testing.assert_array_equal(Sequences([objects]).x[0], [[1, 0.5], [np.nan, 1], [3, 2]])
    table = pd.DataFrame(np.arange(6.0).reshape(2, 3))
    assert Sequences(table).x.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_masks_and_weights_are_those_of_their_sequences():
    x = [X[0], X[1, :1], X[2, :2]]
    y = [np.arange(len(one)) for one in x]
    mask = [[True, False, True], [True], [False, True]]
    weights = [np.arange(len(one)) + 0.5 for one in x]
    data = Sequences(x, y, mask=mask, weights=weights)
    seen = []
    for batch in data.batches(2, seed=0):
        steps = batch.step_weights()
        for b, i in enumerate(batch.index):
            t = batch.lengths[b]
            assert batch.mask[:t, b].tolist() == mask[i]
            assert batch.weights[b, :t].tolist() == steps[:t, b].tolist() == weights[i].tolist()
            seen.append(i)
    assert sorted(seen) == [0, 1, 2]
    one_each = Sequences(X, LABELS, mask=np.ones((4, 3), bool), weights=[1, 2, 3, 4]).take(np.array([2, 0]))
    assert one_each.weights.tolist() == [3, 1] and one_each.mask.shape == (3, 2)
    half = data.take(np.array([0, 1, 2])).part(slice(1, None, 2))
    assert half.mask[0].tolist() == [True] and half.weights[0, 0] == weights[1][0]
    pieces = list(Sequences(x, y, mask=mask, weights=weights, truncate=2).batches(3))
    assert pieces[1].mask[0, 0] and pieces[1].weights[0].tolist() == [2.5]
    some = data.subset([2, 0])
    assert some.mask[0].tolist() == mask[2] and some.weights[1].tolist() == weights[0].tolist()
    assert len(Sequences(X, LABELS).subset(np.array([True, False, False, True]))) == 2


REFUSALS = {
    r"x\[0\]: expected numbers, got \[1\] object with 'a'": lambda: series_of("x", [["a"], ["b"]]),
    r"y: expected an array \[n, ...\] or a list, got 'text'": lambda: Sequences(X, "text"),
    r"x: expected numbers, got \[2, 3\] datetime64": lambda: Sequences(np.zeros((2, 3), "M8[s]")),
    r"x\[0\]: expected numbers, got \[3, 2\] object with Timestamp": lambda: Sequences(
        [pd.DataFrame({"t": pd.date_range("2020", periods=3), "v": [1, 2, 3]})]
    ),
    r"y: expected numbers or texts, got \[4\] object with \(1\+2j\)|y: expected numbers, got": lambda: (
        Sequences(X, np.array([1 + 2j, None, 1, 2], object))
    ),
    r"x: expected numbers, or texts with a vocabulary, got texts": lambda: Sequences(["a b", "c"]),
    r"mask\[0\]: expected \[3\] bool, a flag for each step of x, got \[3\] int64; mask.astype\(bool\)": lambda: (
        Sequences(X, mask=np.ones((4, 3), int))
    ),
    r"mask\[1\]: expected \[1\] bool, a flag for each step of x, got \[2\] bool": lambda: Sequences(
        [X[0], X[1, :1]], mask=[[True] * 3, [True] * 2]
    ),
    "mask: expected one for each of 4 sequences, got 2": lambda: Sequences(X, mask=np.ones((2, 3), bool)),
    "weights: expected targets y with them, got None": lambda: Sequences(X, weights=np.ones(4)),
    "weights: expected finite numbers of at least 0, got -1": lambda: Sequences(
        X, LABELS, weights=[1, -1, 1, 1]
    ),
    r"weights\[0\]: expected \[3\], one for each step of y, got \[2\] float64": lambda: Sequences(
        X, np.zeros((4, 3)), weights=np.ones((4, 2))
    ),
    r"weights: expected \[n\], as y has one target for each sequence, got \[3\] float64 for each": lambda: (
        Sequences(X, LABELS, weights=np.ones((4, 3)))
    ),
    "index: expected 0 to 3, got 4 to 4": lambda: Sequences(X, LABELS).subset([4]),
}


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    with pytest.raises(ValueError, match=message):
        REFUSALS[message]()
