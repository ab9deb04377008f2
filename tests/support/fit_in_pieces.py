"""A training run that test_fit.py kills and starts again: python -m tests.support.fit_in_pieces NAME DIRECTORY."""

import pathlib
import sys

import numpy as np

from elman.models import LanguageModel, SequenceClassifier
from elman.train import Plateau, Stream, WarmUp, fit


def make(name):
    """A model, its data and the options of fit."""
    rng = np.random.default_rng(0)
    if name == "classifier":
        x = [rng.standard_normal((t, 3)).astype(np.float32) for t in rng.integers(1, 20, 200)]
        y = np.array([int(one.sum() > 0) for one in x])
        model = SequenceClassifier(
            2, input_size=3, hidden_size=24, num_layers=2, dropout=0.2, recurrent_dropout=0.1, seed=0
        )
        options = {"validation": (x[:50], y[:50]), "schedule": Plateau(factor=0.5, patience=1), "epochs": 24}
        return model, (x, y), options | {"batch_size": 16, "seed": 0}
    model = LanguageModel(11, hidden_size=24, dropout=0.2, seed=0)
    data = Stream(rng.integers(0, 11, 4000), steps=10)
    return model, data, {"epochs": 16, "batch_size": 8, "seed": 0, "optimizer": "sgd", "schedule": WarmUp(2)}


def parameters_of(directory):
    from safetensors.numpy import load_file

    return load_file(pathlib.Path(directory) / "result.safetensors")


if __name__ == "__main__":
    from safetensors.numpy import save_file

    name, directory = sys.argv[1:]
    model, data, options = make(name)
    print("ready", flush=True)
    fit(
        model,
        data,
        progress=False,
        checkpoint=pathlib.Path(directory) / "run",
        checkpoint_seconds=0.0,
        **options,
    )
    save_file(model.state_dict(), pathlib.Path(directory) / "result.safetensors")
