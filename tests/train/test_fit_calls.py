"""What a call of `fit` says counts."""

import re

import numpy as np
import pytest

from elman.models import SequenceRegressor
from elman.train import Adam, Cosine, Plateau, WarmUp, fit
from tests.support.runs import data, regressor


def test_an_optimizer_of_a_part_leaves_the_rest():
    model = regressor()
    before = model.state_dict()
    head = model.parts["network"].parts["head"]
    fit(model, data(), optimizer=Adam(head), epochs=1, progress=False)
    changed = {name for name, value in model.parameters.items() if not np.array_equal(value, before[name])}
    assert changed == {"network.head.weight", "network.head.bias"}


def test_classes_and_a_third_array_are_refused_by_name():
    for option, message in (
        ({"schedule": Cosine}, "schedule: expected a learning-rate schedule, got the class Cosine"),
        ({"optimizer": Adam}, "optimizer: expected a name or an Optimizer, got the class Adam"),
    ):
        with pytest.raises(ValueError, match=message):
            fit(regressor(), data(), epochs=1, progress=False, **option)
    x, y = data()
    with pytest.raises(
        ValueError, match=r"train: future: expected \[n, S, C\], got \[1\] float.* for each sequence"
    ):
        fit(regressor(), (x, y, y), epochs=1, progress=False)


def test_a_generator_is_a_seed_of_models_as_of_layers():
    def made(seed):
        return SequenceRegressor(1, input_size=2, seed=np.random.default_rng(seed)).state_dict()[
            "network.head.weight"
        ]

    assert np.array_equal(made(0), made(0)) and not np.array_equal(made(0), made(1))


@pytest.mark.parametrize("schedule, epochs", [(Cosine(1), 2), (WarmUp(1, Cosine(1)), 3)])
def test_a_last_epoch_that_learns_nothing_is_warned_of(schedule, epochs):
    text = re.escape(
        f"schedule: the learning rate is 0 in the whole of the last epoch: {schedule!r} ends before"
    )
    with pytest.warns(UserWarning, match=f"^{text} epochs={epochs}$"):
        fit(regressor(), data(), epochs=epochs, schedule=schedule, progress=False)


@pytest.mark.parametrize(
    "schedule, epochs", [(Cosine(2), 2), (Cosine(1, floor=0.1), 2), (WarmUp(2), 1), (Plateau(), 2)]
)
@pytest.mark.filterwarnings("error")
def test_of_other_schedules_nothing_is_said(schedule, epochs):
    fit(regressor(), data(), epochs=epochs, schedule=schedule, progress=False)
