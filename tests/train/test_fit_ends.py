"""Runs that end before their time: what they say, and what they leave."""

import numpy as np
import pytest

from elman.train import SGD, Cosine, Sequences, evaluate, fit
from tests.support.runs import forecaster, sines


def test_a_loss_that_is_no_number_stops():
    x, y = sines(60)
    gap = x.copy()
    gap[3, 5] = np.nan
    with pytest.raises(
        FloatingPointError,
        match=r"loss: expected a finite number .* got nan in epoch 1, .* x holds values that",
    ):
        fit(forecaster(), (gap, y), epochs=1, progress=False)
    model = forecaster()
    with pytest.raises(FloatingPointError, match=r"in epoch \d+, batch \d+; try a lower learning_rate"):
        fit(
            model,
            (x, y * 1e3),
            epochs=60,
            optimizer=SGD(model, learning_rate=1e6),
            clip_norm=None,
            progress=False,
        )


def test_a_validation_loss_that_is_no_number_stops():
    x, y = sines(60)
    gap = x.copy()
    gap[33, 5] = np.nan
    model, steps = forecaster(), []
    start = model.state_dict()
    with pytest.raises(
        FloatingPointError,
        match=r"validation loss: expected a finite number .* got nan in epoch 1, batch 2; x holds values that are not",
    ):
        fit(
            model,
            (x, y),
            (gap, y),
            epochs=3,
            patience=2,
            batch_size=32,
            seed=0,
            progress=False,
            callbacks=[steps.append],
        )
    assert not steps and all(np.array_equal(start[name], value) for name, value in model.parameters.items())
    far = y.copy()
    far[2] = np.inf
    with pytest.raises(FloatingPointError, match=r"validation loss: .* batch 1; y holds infinite values"):
        fit(forecaster(), (x, y), (x, far), epochs=3, batch_size=32, progress=False)
    refused = pytest.raises(FloatingPointError, match=r"validation loss: .* try a lower learning_rate")
    with np.errstate(over="ignore"), refused:
        fit(forecaster(), (x, y), (x, y), epochs=1, batch_size=60, optimizer="sgd", learning_rate=1e38, clip_norm=None,
            progress=False)  # fmt: skip
    assert np.isnan(evaluate(forecaster(), (gap, y)))  # which says what it is


def test_however_it_ends_the_model_has_its_best_parameters():
    x, y = sines(60)
    after = {}

    class Interrupted(Sequences):
        def batches(self, batch_size, seed=None):
            for i, batch in enumerate(super().batches(batch_size, seed)):
                if seed is not None and (seed[1], i) == at:
                    raise KeyboardInterrupt
                yield batch

    def callback(run):
        after[run.epoch] = run.model.state_dict()

    def ended(model, validation, **options):
        with pytest.raises((KeyboardInterrupt, FloatingPointError)) as error:
            fit(model, Interrupted(x, y), validation, epochs=6, seed=0, batch_size=20, progress=False,
                callbacks=[callback], **options)  # fmt: skip
        return error.type

    def is_(model, parameters):
        return all(np.array_equal(parameters[name], value) for name, value in model.parameters.items())

    at = (4, 2)
    model = forecaster()
    optimizer = SGD(model, learning_rate=0.05)
    rise = (x, -y)  # which training can only make worse
    assert ended(model, rise, optimizer=optimizer, schedule=Cosine(6)) is KeyboardInterrupt
    assert is_(model, after[1]) and optimizer.learning_rate == 0.05  # not where the schedule had brought it

    model = forecaster()
    ended(model, None)
    assert not is_(model, after[4])  # two steps on
    whole = forecaster()
    at = (4, 0)
    ended(whole, None)
    assert is_(whole, after[4])

    at, model = None, forecaster()
    assert ended(model, None, optimizer=SGD(model, learning_rate=1e6), clip_norm=None) is FloatingPointError
    assert is_(model, forecaster().parameters)  # before the epoch in which it exploded
