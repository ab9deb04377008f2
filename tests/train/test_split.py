"""validation_split: which part is set apart."""

import numpy as np
import pytest

from elman.data.split import split
from elman.models import LanguageModel, SequenceClassifier
from elman.train import Callback, NamedSequences, Sequences, Stream, fit, forecast_windows
from tests.support.filed import Counted
from tests.support.runs import data, forecaster, regressor, run, same


def test_sequences_are_drawn_by_the_seed():
    x = [np.full((t, 1), t, np.float32) for t in range(1, 41)]
    y, weights = np.arange(40), np.arange(40.0)
    mask = [np.arange(t) % 2 == 0 for t in range(1, 41)]
    train, apart = split(Sequences(x, y, weights=weights, mask=mask), 0.25, 3)
    assert len(train) == 30 and len(apart) == 10
    assert sorted([*train.y, *apart.y]) == [*range(40)] and list(apart.y) != [*range(30, 40)]
    for part in (train, apart):
        for i, target in enumerate(part.y):
            assert len(part.x[i]) == len(part.mask[i]) == target + 1 and part.weights[i] == target
    assert (
        list(split(Sequences(x, y), 0.25, 3)[1].y)
        == list(apart.y)
        != list(split(Sequences(x, y), 0.25, 4)[1].y)
    )


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("change", [False, True])
def test_windows_are_cut_in_time_and_share_no_target(stride, change):
    series = np.arange(200, dtype=np.float32)[:, None]
    windows = forecast_windows(series, 20, 5, stride=stride)
    if change:  # as the training page does it: the targets are no view any more
        windows = Sequences(windows.x, windows.y - windows.x[:, -1:])
    train, apart = split(windows, 0.2, 0)
    assert len(apart) == round(0.2 * len(windows))
    first = apart.x[:, -1, 0].min() + 1  # the first target
    last = train.x[:, -1, 0].max() + 5
    assert last < first <= last + stride
    assert np.shares_memory(train.x, series) and np.shares_memory(apart.x, series)


def test_whatever_overlaps_is_cut_in_time():
    """Targets longer than the stride between contexts that do not overlap; inputs and targets by name, also beside a
    list; targets for each step as a list."""
    series = np.arange(400, dtype=np.float32)[:, None]
    apart, windows = forecast_windows(series, 5, 20, stride=5), forecast_windows(series, 20, 5)
    plain = list(windows.y.copy())
    cases = [
        (apart, lambda data: data.y),
        (NamedSequences({"a": windows.x}, {"b": windows.y.copy()}), lambda data: data.y["b"]),
        (NamedSequences({"a": plain}, {"b": windows.y}), lambda data: data.y["b"]),
        (NamedSequences({"a": windows.x}, {"b": plain}), lambda data: data.y["b"]),
        (Sequences(windows.x, plain), lambda data: data.y),
    ]
    for held, targets in cases:
        parts = [{int(v) for y in targets(part) for v in y[:, 0]} for part in split(held, 0.2, 0)]
        assert max(parts[0]) < min(parts[1]) <= max(parts[0]) + 5
    train = split(NamedSequences({"a": windows.x}, {"b": windows.y}, weights=np.arange(376)), 0.2, 0)[0]
    assert np.shares_memory(train.x["a"], series) and train.weights[-1] == len(train) - 1


def test_streams_are_cut_in_time():
    stream = Stream(np.arange(101), steps=7)
    train, apart = split(stream, 0.1, 0)
    assert (train.x[0], train.x[-1], train.steps) == (0, 89, 7) and (apart.x[0], apart.y[-1]) == (90, 100)


class Sizes(Callback):
    def __init__(self):
        self.done = 0

    def on_batch(self, run):
        self.done = max(self.done, run.done)


def test_in_fit():
    x, y = data(n=40)
    sizes = Sizes()
    one, other = regressor(), regressor()
    history = run(one, None, (x, y), validation_split=0.25, callbacks=[sizes])
    assert sizes.done == 30 and len(history.validation_loss) == 3
    train, apart = split(Sequences(x, y), 0.25, 0)
    assert run(other, None, train, apart) == history and same(one.state_dict(), other.state_dict())


def test_balanced_weights_are_those_of_the_training_part():
    x, _ = data(n=40)
    y = np.arange(40) % 10 == 0
    model = SequenceClassifier(2, input_size=2, hidden_size=3, class_weight="balanced", seed=0)
    fit(model, (x, y.astype(int)), validation_split=0.3, epochs=1, seed=1, progress=False)
    own = split(Sequences(x, y.astype(int)), 0.3, 1)[0].y
    assert model.notes["class_weight"][1] == pytest.approx(len(own) / 2 / own.sum())


@pytest.mark.parametrize("seed", [5, None])
def test_resume_with_and_without_a_seed(tmp_path, seed):
    options = {"validation_split": 0.25, "seed": seed}
    first = run(regressor(), tmp_path, epochs=2, **options)
    more = run(regressor(), tmp_path, epochs=3, **options)
    assert more.epochs == 3 and more.validation_loss[:2] == first.validation_loss


def test_a_language_model_and_windows():
    model = LanguageModel(5, hidden_size=4, seed=0)
    stream = Stream(np.random.default_rng(0).integers(0, 5, 200), steps=9)
    assert len(fit(model, stream, validation_split=0.2, epochs=1, progress=False).validation_loss) == 1
    wave = np.sin(np.arange(120) * 0.3)[:, None]
    history = fit(forecaster(), forecast_windows(wave, 20, 1), validation_split=0.2, epochs=1, progress=False)
    assert len(history.validation_loss) == 1


class OwnData:
    unit = "sequences"

    def __len__(self):
        return 24

    def batches(self, batch_size, seed=None):
        return Sequences(*data()).batches(batch_size, seed)


REFUSALS = {
    "validation_split: expected a number above 0, got 0": {"validation_split": 0},
    "validation_split: expected a number from 0 up to, not including, 1, got 1.0": {"validation_split": 1},
    "validation_split: expected None beside validation": {"validation_split": 0.1, "validation": data(1)},
    "validation_split: expected to leave something to train on, got 24 sequences in all": {
        "validation_split": 0.99
    },
    r"validation_split: expected \(x, y\), Sequences or a Stream with it, got OwnData; give validation": {
        "train": OwnData(), "validation_split": 0.1,
    },
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    with pytest.raises(ValueError, match=message):
        fit(regressor(), **{"train": data(), "epochs": 1, "progress": False} | REFUSALS[message])


def test_data_in_a_file(tmp_path, rng):
    """Parted as in memory, and left where they are: sequences, windows of some columns, and a stream."""
    x, y = data()
    series, tokens = rng.standard_normal((60, 3)), rng.integers(0, 5, 60)

    def filed(array):
        name = tmp_path / f"{len(list(tmp_path.iterdir()))}.npy"
        np.save(name, array)
        return np.load(name, mmap_mode="r")

    pairs = [
        (Sequences(x, y), Sequences(filed(x), filed(y))),
        (forecast_windows(series, 5, 3, [2, 0]), forecast_windows(filed(series), 5, 3, [2, 0])),
        (forecast_windows(series, 5, 3, [2]), forecast_windows(Counted(series), 5, 3, [2])),
        (Stream(tokens, steps=4), Stream(Counted(tokens), steps=4)),
    ]
    for here, there in pairs:
        for part, other in zip(split(here, 0.25, 0), split(there, 0.25, 0), strict=True):
            for batch, want in zip(part.batches(4, 0), other.batches(4, 0), strict=True):
                np.testing.assert_array_equal(batch.x, want.x)
                np.testing.assert_array_equal(batch.y, want.y)
