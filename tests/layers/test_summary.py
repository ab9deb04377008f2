"""Tables of what a model is made of, and paths to its parts."""

import pytest

from elman.layers import GRU, Dropout, Embedding, Linear, Pooling, Sequential
from elman.models import SequenceClassifier


def test_summary_of_a_model():
    model = SequenceClassifier(2, vocabulary=10, hidden_size=4, dropout=0.5, dtype="float64")
    lines = [line.split() for line in model.summary().splitlines()]
    assert lines[0] == ["layer", "shapes", "parameters", "bytes"]
    assert [line[0] for line in lines[2:-2]] == [f"network.{name}" for name in model.network.parts]
    assert lines[2][-6:] == ["[...]", "->", "[...,", "4]", "40", "320"]
    recurrent = next(line for line in lines if line[0] == "network.recurrent")
    assert recurrent[-9:] == ["[T,", "B,", "4]", "->", "[T,", "B,", "4]", "160", "1,280"]
    total = sum(value.size for value in model.parameters.values())
    assert lines[-1] == ["total", str(total), f"{8 * total:,}"]


def test_a_layer_that_comes_twice_counts_once():
    layer = GRU(3, 3, batch_first=True)
    made = Sequential(layer, Dropout(0.5), layer)
    lines = made.summary().splitlines()
    assert "is 0" in lines[4] and lines[4].split()[-1] == "3]"
    assert lines[-1].split() == ["total", "72", "288"]


def test_summary_of_one_layer():
    assert Linear(2, 3).summary().splitlines() == [
        "layer                                           shapes                parameters  bytes",
        "---------------------------------------------------------------------------------------",
        "Linear  Linear(2, 3, bias=True, dtype=float32)  [..., 2] -> [..., 3]           9     36",
        "---------------------------------------------------------------------------------------",
        "total                                                                          9     36",
    ]


def test_parts_by_their_path():
    inner = Sequential(body=GRU(2, 3), head=Linear(3, 1))
    made = Sequential(Embedding(3, 2), inner=inner, pool=Pooling())
    assert (
        made["inner.head"] is inner.parts["head"] and made["inner"] is inner and made["0"] is made.parts["0"]
    )
    with pytest.raises(KeyError, match="path: expected one of 0, inner, pool, got 'other'"):
        made["other"]
    with pytest.raises(KeyError, match="path: expected one of body, head, got 'tail'"):
        made["inner.tail"]
    with pytest.raises(KeyError, match=r"path: expected no parts within 'pool', got 'pool\.weight'"):
        made["pool.weight"]
    with pytest.raises(TypeError, match=r"path: expected text as 'network.head', got 0"):
        list(made)
