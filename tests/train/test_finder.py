"""The search for a learning rate."""

import copy

import numpy as np
import pytest

from elman.models import LanguageModel
from elman.train import SGD, Adam, Callback, Sequences, Stream, evaluate, find_learning_rate, fit
from tests.support.runs import data, forecaster, regressor, same, sines


def test_the_suggestion_learns_and_neighbours_do_not():
    x, y = sines()
    found = find_learning_rate(forecaster(), (x, y), updates=80)
    losses = {}
    for factor in (1e-3, 1, 1e3):
        model = forecaster()
        try:
            fit(model, (x, y), epochs=3, learning_rate=found.suggestion * factor, seed=0, progress=False)
            losses[factor] = evaluate(model, (x, y))
        except FloatingPointError:
            losses[factor] = np.inf
    assert losses[1] < 0.3 * min(losses[1e-3], losses[1e3])


def test_it_takes_the_steps_of_fit():
    """Loss after loss, with the rates that rise; against a run whose rate is set by hand."""
    model, losses = regressor(), []

    class Rising(Callback):
        def on_start(self, run):
            run.base_rate = rates[0]

        def on_batch(self, run):
            losses.append(run.loss)
            run.base_rate = rates[min(len(losses), len(rates) - 1)]

    rates = 1e-3 * 10 ** (np.arange(9) / 8)
    options = {"batch_size": 5, "accumulate": 2, "optimizer": "sgd", "clip_norm": 0.5, "frozen": ["bias*"]}
    found = find_learning_rate(model, data(), low=1e-3, high=1e-2, updates=9, **options)
    fit(regressor(), data(), epochs=3, seed=0, progress=False, callbacks=[Rising()], **options)
    np.testing.assert_allclose(found.rates, rates)
    np.testing.assert_array_equal(found.losses, losses)
    mean = np.cumsum(0.9 ** np.arange(8, -1, -1) * found.losses)[-1] / np.sum(0.9 ** np.arange(9))
    assert found.smoothed[-1] == pytest.approx(mean) and found.smoothed[0] == pytest.approx(losses[0])
    assert found.suggestion == found.rates[np.argmin(found.smoothed)] / 10


@pytest.mark.parametrize("high", [1.0, 1e12])
def test_the_model_is_left_as_it_was(high):
    model = regressor(dropout=0.2)
    optimizer = Adam(model, 0.01)
    fit(model, data(), epochs=1, optimizer=optimizer, progress=False)
    model.grads["network.head.bias"][...] = 7
    before = copy.deepcopy(
        (model.state_dict(), dict(model.grads), model.random_state(), optimizer.state_dict())
    )
    found = find_learning_rate(model, data(), optimizer=optimizer, high=high, clip_norm=None)
    assert same(before[0], model.state_dict()) and same(before[1], model.grads)
    assert before[2] == model.random_state() and optimizer.learning_rate == 0.01
    after = optimizer.state_dict()
    assert after["steps"] == before[3]["steps"] and same(before[3]["arrays"], after["arrays"])
    assert (len(found.rates) < 100) == (high > 1) and len(found.rates) == len(found.losses)


def test_it_ends_where_the_loss_explodes():
    model = regressor()
    x, y = data()
    found = find_learning_rate(model, (x, 1e3 * y), optimizer=SGD(model, 1), high=1e6, clip_norm=None)
    assert len(found.rates) < 100 and np.isfinite(found.losses).all()
    assert found.suggestion <= found.rates[-1] / 10


def test_streams_carry_their_state():
    stream = Stream(np.random.default_rng(0).integers(0, 5, 400), steps=7)
    model = LanguageModel(5, hidden_size=6, seed=0)
    assert len(find_learning_rate(model, stream, updates=30, batch_size=4).losses) == 30


def test_the_plot(tmp_path):
    found = find_learning_rate(regressor(), data(), updates=10)
    figure = found.plot(tmp_path / "rates.png")
    assert (tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")
    assert figure.axes[0].get_xscale() == "log"


REFUSALS = {
    "low: expected a number above 0, got 0": {"low": 0},
    "low: expected a rate below high, got 1.0 and 0.1": {"low": 1, "high": 0.1},
    "updates: expected a whole number of at least 2, got 1": {"updates": 1},
    "batch_size: expected a whole number of at least 1, got 0": {"batch_size": 0},
    "seed: expected a whole number of at least 0, got -1": {"seed": -1},
    "optimizer: expected one of": {"optimizer": "lion"},
    "data: expected a loss that is a finite number, got none": {"data": (data()[0] * np.nan, data()[1])},
}


class Own:
    """Data whose batches are a list."""

    unit = "sequences"

    def __init__(self, sizes):
        self.sizes = sizes

    def __len__(self):
        return sum(self.sizes)

    def batches(self, batch_size, seed=None):
        return [batch for n in self.sizes for batch in Sequences(*data(n=n)).batches(n)]


def test_data_of_ones_own():
    found = find_learning_rate(regressor(), Own([3, 4, 5]), low=1e-9, high=1e-8, updates=6)
    assert len({*found.losses[:3].round(3)}) == 3
    np.testing.assert_allclose(found.losses[3:], found.losses[:3], rtol=1e-4)
    with pytest.raises(ValueError, match="data: expected at least one batch, got none"):
        find_learning_rate(regressor(), Own([]))


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    with pytest.raises(ValueError, match=message):
        find_learning_rate(**{"model": regressor(), "data": data()} | REFUSALS[message])
