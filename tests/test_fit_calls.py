"""What a call of `fit` says that cannot count is not passed over."""

import numpy as np
import pytest
from tests.runs import data, regressor, run

from elman.models import SequenceRegressor
from elman.train import Adam, Cosine, fit


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    directory = tmp_path_factory.mktemp("finished")
    run(regressor(dropout=0.1), directory, None, data(1))
    return directory


OTHERWISE = {
    "learning_rate 0.001; nothing is left to train with learning_rate 0.01;": {"learning_rate": 0.01},
    "weight_decay 0.0; nothing is left to train with weight_decay 0.1;": {"weight_decay": 0.1},
    "epochs 3, clip_norm 1.0; nothing .* epochs 2, clip_norm 2.0;": {"epochs": 2, "clip_norm": 2},
    "schedule Constant.*; nothing .* schedule Cosine.epochs=3.*;": {"schedule": Cosine(3)},
    "batch_size 8; nothing is left to train with batch_size 4;": {"batch_size": 4},
}


@pytest.mark.parametrize("message", OTHERWISE)
def test_a_finished_run_is_not_taken_for_another_one(finished, message):
    with pytest.warns(
        UserWarning, match=f"has done its 3 epochs with {message} another run needs another directory"
    ):
        history = run(regressor(dropout=0.1), finished, None, data(1), **OTHERWISE[message])
    assert len(history.train_loss) == 3


def test_the_same_call_after_the_end_is_silent(finished, recwarn):
    run(regressor(dropout=0.1), finished, None, data(1))
    run(regressor(dropout=0.1), finished, None, data(1), learning_rate=np.float64(1e-3), epochs=np.int64(3))
    assert not recwarn.list


def test_an_optimizer_of_another_model_is_refused():
    with pytest.raises(
        ValueError, match=r"optimizer: expected one of this .*Adam of another's network.recurrent.w"
    ):
        fit(regressor(), data(), optimizer=Adam(regressor()), epochs=1, progress=False)


def test_an_optimizer_of_a_part_leaves_the_rest():
    model = regressor()
    before = model.state_dict()
    head = model.parts["network"].parts["head"]
    fit(model, data(), optimizer=Adam(head), epochs=1, progress=False)
    changed = {name for name, value in model.parameters.items() if not np.array_equal(value, before[name])}
    assert changed == {"network.head.weight", "network.head.bias"}


def test_classes_and_a_third_array_are_refused_by_name():
    for option, message in (
        ({"schedule": Cosine}, "schedule: expected a schedule, got the class Cosine"),
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
