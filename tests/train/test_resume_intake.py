"""Runs on labels, gaps, weights and features of other types go on bit for bit, and know their data."""

import numpy as np
import pytest

from elman.models import SequenceTagger
from elman.train import Sequences, fit

RNG = np.random.default_rng(0)
X = [RNG.standard_normal((t, 2)) for t in (3, 5, 2, 4)]
TAGS = [RNG.choice(["O", "B", None], len(x)) for x in X]
MASK = [RNG.random(len(x)) < 0.8 for x in X]
WEIGHTS = [1.0, 2, 0.5, 1]


def run(directory, epochs, weights=WEIGHTS, mask=MASK):
    model = SequenceTagger(
        ["O", "B"], class_weight="balanced", input_size=2, hidden_size=3, dropout=0.2, seed=0
    )
    data = Sequences(X, TAGS, mask=mask, weights=weights, truncate=2)
    fit(model, data, epochs=epochs, batch_size=2, seed=0, progress=False, checkpoint=directory)
    return model.state_dict()


def test_bit_for_bit(tmp_path):
    want = run(tmp_path / "whole", 4)
    run(tmp_path / "parts", 2)
    for name, value in run(tmp_path / "parts", 4).items():
        np.testing.assert_array_equal(value, want[name], err_msg=name)


@pytest.mark.parametrize("other", [{"weights": [1.0, 2, 0.5, 2]}, {"mask": [~mask for mask in MASK]}])
def test_other_gaps_and_weights_are_other_data(other, tmp_path):
    run(tmp_path, 1)
    with pytest.raises(ValueError, match=r"train: expected the data of the run in .*, got other values"):
        run(tmp_path, 2, **other)


def test_a_model_whose_run_is_refused_stays_as_it_was(tmp_path):
    """Its notes too, in which the weights of the classes are kept."""
    run(tmp_path, 1)
    options = {"input_size": 2, "hidden_size": 3, "dropout": 0.2, "seed": 0}
    model = SequenceTagger(["O", "B"], class_weight="balanced", **options)
    fit(model, Sequences(X, TAGS), epochs=1, seed=0, progress=False)
    notes, parameters = {name: list(value) for name, value in model.notes.items()}, model.state_dict()
    other = Sequences([*X, X[0]], [*TAGS, ["B"] * len(X[0])])
    with pytest.raises(ValueError, match=r"train: expected the data of the run in"):
        fit(model, other, epochs=2, seed=0, progress=False, checkpoint=tmp_path)
    assert model.notes == notes
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, parameters[name])
    fit(model, other, epochs=1, seed=0, progress=False)
    assert model.notes != notes
