"""A run of a model of one's own is known by its layers."""

import numpy as np
import pytest

from elman import files
from elman.layers import GRU, Dropout
from elman.models import Model
from elman.train import mean_squared_error
from elman.train.checkpoint import PURPOSE
from tests.support.runs import data, noise, regressor, run, same


class Own(Model):
    """A model whose layers say more than its arguments."""

    unsaved = ("dropout",)

    def __init__(self, dropout):
        self.parts = {"gru": GRU(2, 1, num_layers=2, dropout=dropout, seed=0)}

    def flow(self, batch, state=None, keep=False):
        y, state, through = self.parts["gru"].apply(batch.x, state, keep=keep)

        def backward(d):
            dy = np.zeros_like(y)
            dy[-1] = d
            through(dy)

        return y[-1], state, backward

    def criterion(self, prediction, batch, gradient):
        return mean_squared_error(prediction, batch.y, gradient=gradient)


def test_models_of_ones_own_are_known_by_their_layers(tmp_path):
    history = run(Own(0.1), tmp_path)
    assert run(Own(0.1), tmp_path) == history
    with pytest.raises(
        ValueError,
        match=r"model: expected gru GRU\(2, 1, .*dropout=0.1\), as in .*, got gru GRU\(2, 1, .*dropout=0.2\);",
    ):
        run(Own(0.2), tmp_path)
    with pytest.raises(ValueError, match=r"model: expected more not there, as in .*, got more Dropout\(0.5"):
        more = Own(0.1)
        more.parts["more"] = Dropout(0.5)
        run(more, tmp_path)
    with pytest.raises(ValueError, match=r"model: expected gru .*got gru .*dtype=float64"):
        twice = Own(0.1)
        twice.parts["gru"] = GRU(2, 1, num_layers=2, dropout=0.1, dtype="float64")
        x, y = data()
        run(twice, tmp_path, (x, y))


def test_a_checkpoint_of_before_there_was_so_much_goes_on(tmp_path):
    """One as the first version wrote it, without what has come since."""

    def stop(run):
        if run.epoch == 2:
            raise KeyboardInterrupt

    whole, model = regressor(dropout=0.2), regressor(dropout=0.2)
    want = run(whole, tmp_path / "a", None, noise(1), epochs=4)
    with pytest.raises(KeyboardInterrupt):
        run(model, tmp_path / "b", None, noise(1), epochs=4, callbacks=[stop], checkpoint_seconds=1e9)
    (path,) = (tmp_path / "b").glob("checkpoint-*")
    content, arrays = files.read(path, PURPOSE)
    numbers = content["numbers"]
    for name in ("updates", "done", "length", "averaged", "rate"):
        del numbers[name]
    for name in ("metrics", "watch"):
        del numbers["history"][name]
    for name in ("frozen", "average", "metrics"):
        del numbers["identity"][name]
    for name in ("accumulate", "groups"):
        del numbers["call"]["settings"][name]
    assert set(numbers) == {
        "batch_size", "base_rate", "batches", "call", "count", "epoch", "first", "given_rate", "history", "identity",
        "norms", "optimizer", "patient_since", "random", "schedule", "seconds", "seed", "state", "stop", "total",
    }  # fmt: skip
    files.write(path, content, arrays, PURPOSE)
    model = regressor(dropout=0.2)
    assert run(model, tmp_path / "b", None, noise(1), epochs=4) == want
    assert same(model.state_dict(), whole.state_dict())
