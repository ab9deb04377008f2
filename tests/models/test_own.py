"""Models of one's own come back from their files with the arguments they were made with."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest

import elman.models
from elman import load
from elman.layers import GRU, LSTM, Embedding, Linear
from elman.models import Forecaster, Model, SequenceClassifier, SequenceRegressor
from elman.train import Sequences, fit, mean_squared_error
from tests.support.runs import data, same


class Last(Model):
    def __init__(self, size=3, *, gain=1.0, seed=0):
        self.parts = {"gru": GRU(2, size, seed=seed), "head": Linear(size, 1, seed=1)}
        self.gain = gain

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


class Everything(Last):
    """All kinds of arguments, and another class's constructor called with others."""

    unsaved = ("hook",)

    def __init__(self, a, /, size, *rest, table, dtype=np.float32, seed, hook=len, **options):
        super().__init__(size, gain=options.get("gain", 1.0), seed=seed)
        self.seen = (a, size, rest, table, np.dtype(dtype), seed, options)
        self.hook = hook


MADE = {
    "given": (lambda: Last(np.int64(5), gain=np.float32(2)), {"size": 5, "gain": 2.0}),
    "defaults": (Last, {"size": 3, "gain": 1.0}),
    "derived": (lambda: Derived(2), {"half": 2}),
    "passing": (lambda: Passing(4, gain=2.0), {"sizes": [4], "gain": 2.0}),
    "ours": (
        lambda: Detector(0.5, input_size=2, hidden_size=3),
        {"threshold": 0.5, "input_size": 2, "hidden_size": 3},
    ),
    "everything": (
        lambda: Everything(
            "a",
            np.int8(4),
            5,
            [6, (7, np.float64(0.5))],
            table={"x": [np.True_, None]},
            dtype=np.float64,
            seed=3,
            hook=max,
            gain=2.0,
            tail="z",
        ),
        {
            "a": "a",
            "size": 4,
            "rest": [5, [6, [7, 0.5]]],
            "table": {"x": [True, None]},
            "dtype": "float64",
            "seed": 3,
            "gain": 2.0,
            "tail": "z",
        },
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
    if name == "everything":
        seen = load(tmp_path / "file").seen
        options = {"gain": 2.0, "tail": "z"}
        table = {"x": [True, None]}
        assert seen == ("a", 4, (5, [6, [7, 0.5]]), table, np.dtype("float64"), 3, options)
        assert load(tmp_path / "file").hook is len  # the default, as it is not in the file


def test_it_trains_and_what_it_says_of_itself_holds():
    made = Last(4, gain=2.0)
    assert repr(made) == "Last(size=4, gain=2.0)"
    history = fit(made, data(), epochs=3, seed=0, progress=False)
    assert history.train_loss[-1] < history.train_loss[0]


def test_an_argument_that_cannot_be_kept_is_refused_before_any_work():
    message = (
        r"gain: expected what JSON can hold .*, got builtin_function_or_method; Last keeps its arguments .*"
    )
    with pytest.raises(ValueError, match=message):
        Last(gain=len)


def test_an_unknown_argument():
    with pytest.raises(
        TypeError, match=r"^sizes: expected an argument of Last, got an unknown one; did you mean size\?"
    ):
        Last(sizes=3)
    with pytest.raises(TypeError, match=r"^x: expected an argument of Last, .*; it takes size, gain, seed$"):
        Last(x=3)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'half'"):
        Derived()
    with pytest.raises(ValueError, match=r"^sizes: expected another name beside the argument sizes"):
        Passing(4, sizes=3)


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


MODELS = {
    "SequenceClassifier": (2,),
    "SequenceTagger": (2,),
    "SequenceRegressor": (),
    "Forecaster": (3,),
    "Seq2Seq": (5,),
    "CTCRecognizer": (3,),
    "LanguageModel": (7,),
}


@pytest.mark.parametrize("name", MODELS)
def test_an_unknown_option_names_the_model_and_what_is_near(name):
    kind = getattr(elman.models, name)
    with pytest.raises(
        TypeError, match=rf"^hiden_size: expected an argument of {name}, got .*; did you mean hidden_size\?$"
    ):
        kind(*MODELS[name], input_size=2, hiden_size=3)


def test_an_unknown_option_of_a_derived_class():
    with pytest.raises(TypeError, match=r"^tresh: expected an argument of Detector, .*; did you mean thresh"):
        Detector(threshold=1, input_size=2, tresh=3)


@pytest.mark.parametrize("cell", ["GRU", "gru", "Gru", GRU])
@pytest.mark.parametrize("name", ["SequenceClassifier", "Forecaster", "Seq2Seq"])
def test_cells_by_any_name(name, cell, tmp_path):
    made = getattr(elman.models, name)(3, input_size=2, hidden_size=3, cell=cell)
    assert made.config["cell"] == "gru"
    made.save(tmp_path / "file")
    found = load(tmp_path / "file")
    assert found.config == made.config and same(found.state_dict(), made.state_dict())


class Fixed(SequenceClassifier):
    def __init__(self, size):
        super().__init__(2, input_size=2, hidden_size=size, cell="GRU", class_weight="balanced")


class Weighed(SequenceClassifier):
    def __init__(self, **options):
        super().__init__(2, input_size=2, hidden_size=3, **options)


class Huber(SequenceRegressor):
    def __init__(self, size, *, cell="small", **options):
        cells = {"small": "rnn", "large": LSTM}
        super().__init__(loss="huber", input_size=2, hidden_size=size, cell=cells[cell], **options)


class Ahead(Forecaster):
    def __init__(self, size):
        super().__init__(3, loss="quantile", input_size=2, hidden_size=size, cell=GRU, quantiles=(0.2, 0.8))


DERIVED = {
    "fixed": (lambda: Fixed(3), {"size": 3}),
    "weighed": (
        lambda: Weighed(class_weight={0: 1.0, 1: 3.0}, cell=GRU),
        {"class_weight": [1.0, 3.0], "cell": "gru"},
    ),
    "huber": (lambda: Huber(3, cell="large", dropout=0.5), {"size": 3, "cell": "large", "dropout": 0.5}),
    "ahead": (lambda: Ahead(3), {"size": 3}),
}


@pytest.mark.parametrize("name", DERIVED)
def test_what_a_derived_class_gives_of_its_own_is_not_kept(name, tmp_path):
    make, config = DERIVED[name]
    made = make()
    assert made.config == config
    made.save(tmp_path / "file")
    found = load(tmp_path / "file")
    assert type(found) is type(made) and found.config == config
    assert same(found.state_dict(), made.state_dict()) and repr(found.parts) == repr(made.parts)


def test_no_cell():
    for wrong in ("grus", Linear, None):
        with pytest.raises(
            ValueError,
            match=r"^cell: expected 'rnn', 'lstm', 'gru', a cell of elman.cells or one made by elman.cell, got ",
        ):
            SequenceClassifier(2, input_size=2, cell=wrong)


class Columns(Model):
    """Reads two columns of tokens, which no one may take for features."""

    def __init__(self):
        self.parts = {
            "a": Embedding(4, 3, seed=0),
            "b": Embedding(5, 3, seed=1),
            "head": Linear(3, 1, seed=2),
        }

    def flow(self, batch, state=None, keep=False):
        assert batch.x.dtype == np.uint8
        vectors = sum(self.parts[name](batch.x[-1, :, i]) for i, name in enumerate("ab"))
        prediction, back = self.parts["head"].apply(vectors, keep=keep)
        return prediction, None, back

    def criterion(self, prediction, batch, gradient):
        return mean_squared_error(prediction, batch.y, weights=batch.weights, gradient=gradient)


def test_whole_numbers_for_ones_own_layers_stay_so():
    x = np.random.default_rng(0).integers(0, 4, (6, 3, 2)).astype(np.uint8)
    fit(Columns(), (x, np.zeros((6, 1))), epochs=1, progress=False)


def test_floats_become_the_type_of_ones_own_layers():
    model, (x, y) = Last(), data()
    fit(model, (x.astype(np.float64), y), epochs=1, seed=0, progress=False)
    twin = Last()
    fit(twin, (x, y), epochs=1, seed=0, progress=False)
    assert same(model.state_dict(), twin.state_dict())


@pytest.mark.parametrize("name", ["mask", "weights"])
def test_a_model_that_does_not_look_at_masks_and_weights_is_refused(name):
    x, y = data()
    given = {"mask": np.ones(x.shape[:2], bool)} if name == "mask" else {"weights": np.ones(len(x))}
    with pytest.raises(
        ValueError, match=f"{name}: expected a model that looks at batch.{name}, got Last, which"
    ):
        fit(Last(), Sequences(x, y, **given), epochs=1, progress=False)
