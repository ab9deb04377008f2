"""Models of one's own come back from their files with the arguments they were made with."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest

from elman import load
from elman.layers import GRU, Linear
from elman.models import Model, SequenceClassifier
from elman.train import fit, mean_squared_error
from tests.support.runs import data, same


class Last(Model):
    def __init__(self, size=3, *, gain=1.0, seed=0):
        self.parts = {"gru": GRU(2, size, seed=seed), "head": Linear(size, 1, seed=1)}
        self.gain = gain
        self._describe()

    def flow(self, batch, state=None, keep=False):
        gru, head = self.parts.values()
        y, state, through_gru = gru.apply(batch.x, state, batch.lengths, keep=keep)
        prediction, through_head = head.apply(y[-1], keep=keep)

        def backward(d):
            dy = np.zeros_like(y)
            dy[-1] = through_head(self.gain * d)
            through_gru(dy, need_dx=False)

        return self.gain * prediction, state, backward

    def criterion(self, prediction, batch, gradient):
        return mean_squared_error(prediction, batch.y, gradient=gradient)


class Derived(Last):
    def __init__(self, half):
        super().__init__(2 * half, gain=3.0)


class Passing(Last):
    def __init__(self, *sizes, **options):
        super().__init__(*sizes, **options)


class Detector(SequenceClassifier):
    def __init__(self, threshold, **options):
        super().__init__(2, **options)
        self.threshold = threshold


class Forgetful(Model):
    def __init__(self, size):
        self.parts = {"gru": GRU(2, size)}


MADE = {
    "given": (lambda: Last(np.int64(5), gain=np.float32(2)), {"size": 5, "gain": 2.0}),
    "defaults": (Last, {}),
    "derived": (lambda: Derived(2), {"half": 2}),
    "ours": (
        lambda: Detector(0.5, input_size=2, hidden_size=3),
        {"threshold": 0.5, "input_size": 2, "hidden_size": 3},
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_arguments_come_back(name, tmp_path):
    make, config = MADE[name]
    made = make()
    assert made.config == config
    made.save(tmp_path / "file")
    for found in (load(tmp_path / "file"), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert type(found) is type(made) and found.config == config
        assert same(found.state_dict(), made.state_dict())
        assert getattr(found, "gain", 0) == getattr(made, "gain", 0)
        assert getattr(found, "threshold", 0) == getattr(made, "threshold", 0)


def test_it_trains_and_what_it_says_of_itself_holds():
    made = Last(4, gain=2.0)
    assert repr(made) == "Last(size=4, gain=2.0)"
    history = fit(made, data(), epochs=3, seed=0, progress=False)
    assert history.train_loss[-1] < history.train_loss[0]
    assert Passing(4, gain=2.0).config == {"gain": 2.0}  # what has no name cannot be kept


def test_a_constructor_that_does_not_describe_itself(tmp_path):
    made = Forgetful(3)
    assert repr(made) == "Forgetful()"
    with pytest.raises(
        ValueError, match=r"model: expected Forgetful's constructor to end with self._describe\(\)"
    ):
        made.save(tmp_path / "file")
    with pytest.raises(ValueError, match=r"gain: expected what JSON can hold .*, got builtin_function"):
        Last(gain=len)


def test_a_table_in_notes_would_lose_its_names(tmp_path):
    made = Last()
    made.notes["table"] = pd.DataFrame({"a": [1]})
    with pytest.raises(
        ValueError, match=r"notes\['table'\]: expected .*, got DataFrame, whose names would be lost;"
    ):
        made.save(tmp_path / "file")
    made.notes["table"] = made.notes["table"].to_dict("list")
    made.save(tmp_path / "file")
    assert load(tmp_path / "file").notes == {"table": {"a": [1]}}
