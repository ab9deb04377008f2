"""Short trainings of several kinds of model, and what the models then say."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from bench.bits import Case, Setting, flat, normal, settings

N, I, C = 30, 6, 5  # noqa: E741  (sequences, features, classes)


def cases() -> Iterator[Case]:
    draw = random.Random(0)
    for kind in KINDS:
        for setting in settings(draw):
            yield f"fit of a {kind}, {setting}", lambda a=(kind, setting): fit(*a)


def _sequences() -> tuple[np.random.Generator, list[np.ndarray]]:
    rng = np.random.default_rng(0)
    return rng, [normal(k, np.float32, t, I) for k, t in enumerate(rng.integers(1, 12, N))]


def classifier() -> tuple[Any, Any, Any, dict[str, Any]]:
    from elman.models import SequenceClassifier

    rng, x = _sequences()
    model = SequenceClassifier(C, input_size=I, hidden_size=19, bidirectional=True, dropout=0.2, seed=0)
    return model, x, rng.integers(0, C, N), {"optimizer": "adamw", "accumulate": 2}


def tagger() -> tuple[Any, Any, Any, dict[str, Any]]:
    from elman.models import SequenceTagger

    rng, x = _sequences()
    model = SequenceTagger(
        C, input_size=I, hidden_size=16, num_layers=2, cell="gru", recurrent_dropout=0.2, seed=0
    )
    return model, x, [rng.integers(0, C, len(one)) for one in x], {"optimizer": "sgd", "frozen": "*_l0"}


def regressor() -> tuple[Any, Any, Any, dict[str, Any]]:
    from elman.models import SequenceRegressor

    rng, x = _sequences()
    model = SequenceRegressor(2, input_size=I, hidden_size=7, cell="rnn", dtype="float64", seed=0)
    return model, [one.astype(np.float64) for one in x], rng.standard_normal((N, 2)), {"optimizer": "rmsprop"}


def recognizer() -> tuple[Any, Any, Any, dict[str, Any]]:
    from elman.models import CTCRecognizer

    rng, x = _sequences()
    model = CTCRecognizer(C, input_size=I, hidden_size=33, seed=0)
    return model, x, [rng.integers(0, C, len(one) // 3) for one in x], {}


def translator() -> tuple[Any, Any, Any, dict[str, Any]]:
    from elman.models import Seq2Seq

    rng, x = _sequences()
    y = [rng.integers(0, C, t) for t in rng.integers(1, 9, N)]
    return Seq2Seq(C, input_size=I, hidden_size=12, bidirectional=True, seed=0), x, y, {}


KINDS = {make.__name__: make for make in (classifier, tagger, regressor, recognizer, translator)}


def fit(kind: str, setting: Setting) -> dict[str, Any]:
    import elman
    from elman.train import fit

    with setting(elman.set_num_threads):
        model, x, y, options = KINDS[kind]()
        history = fit(model, (x, y), epochs=2, batch_size=8, seed=1, progress=False, **options)
        said = model.predict(x)
        found = flat("loss", history.train_loss) | flat("parameters", dict(model.parameters))
        return found | flat(
            "said", said if isinstance(said, np.ndarray) else [np.asarray(one) for one in said]
        )
