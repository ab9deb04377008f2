"""What a call of `fit` says that cannot count is not passed over."""

import numpy as np
import pytest
from tests.runs import data, regressor, run

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
