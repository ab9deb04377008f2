"""Several batches for one update: as one batch of all of them."""

import numpy as np
import pytest

from elman.models import SequenceClassifier, SequenceRegressor, SequenceTagger
from elman.train import Callback, Sequences, fit
from tests.support.runs import data, regressor, run, same

rng = np.random.default_rng(0)
LENGTHS = rng.integers(1, 9, 30)
X = [rng.standard_normal((t, 3)) for t in LENGTHS]


def tagger():
    return SequenceTagger(3, input_size=3, hidden_size=6, dtype="float64", seed=0), [
        rng.integers(0, 3, t) for t in LENGTHS
    ]


def with_gaps():
    y = rng.standard_normal((30, 2))
    y[rng.random(y.shape) < 0.4] = np.nan
    y[:8] = np.nan  # whole batches in which nothing counts
    return SequenceRegressor(2, input_size=3, hidden_size=6, dtype="float64", seed=0), y


class Joined:
    """The batches of Sequences, `k` of them as one."""

    unit = "sequences"

    def __init__(self, sequences, k):
        self._sequences, self._k = sequences, k

    def __len__(self):
        return len(self._sequences)

    def batches(self, batch_size, seed=None):
        parts = list(self._sequences.batches(batch_size, seed))
        for i in range(0, len(parts), self._k):
            some = parts[i : i + self._k]
            batch = self._sequences.take(np.concatenate([part.index for part in some]))
            yield type(batch)(**vars(batch) | {"done": some[-1].done})


@pytest.mark.parametrize("make", [tagger, with_gaps])
@pytest.mark.parametrize("options", [{}, {"clip": 0.02}, {"clip_norm": 0.05}, {"clip_norm": None}])
def test_it_equals_the_joined_batch(make, options):
    """30 sequences in batches of 4, three for an update: the last update has two, of 4 and of 2."""
    model, y = make()
    twin = type(model)(**model.config, seed=0)
    steps, twin_steps = [], []
    options |= {"epochs": 3, "batch_size": 4, "seed": 0, "progress": False, "optimizer": "sgd"}

    class Record(Callback):
        def __init__(self, found):
            self.found = found

        def on_batch(self, run):
            self.found.append((run.loss, run.norm, run.optimizer.learning_rate))

    sequences = Sequences(X, y)
    history = fit(model, sequences, accumulate=3, callbacks=[Record(steps)], **options)
    joined = fit(twin, Joined(sequences, 3), callbacks=[Record(twin_steps)], **options)
    assert len(steps) == 3 * 3 == len(twin_steps)
    np.testing.assert_allclose(steps, twin_steps, rtol=1e-9)
    np.testing.assert_allclose(history.train_loss, joined.train_loss, rtol=1e-9)
    for name, value in model.parameters.items():
        np.testing.assert_allclose(value, twin.parameters[name], rtol=1e-9, atol=1e-12)


def test_more_than_there_are_is_one_update_an_epoch():
    updates = []

    class Count(Callback):
        def on_batch(self, run):
            updates.append(run.updates)

    fit(regressor(), data(), accumulate=100, batch_size=8, epochs=2, progress=False, callbacks=[Count()])
    assert updates == [1, 1]


def classifier():
    return SequenceClassifier(2, input_size=2, hidden_size=4, dropout=0.3, seed=0)


def test_it_resumes_within_a_group_and_its_epoch(tmp_path):
    """Whatever batch an exception stops, the run goes on from the last update, with the same random numbers."""
    x = data()[0]
    y = (x[:, 0, 0] > 0).astype(int)

    class Stopping(Sequences):
        at = None

        def batches(self, batch_size, seed=None):
            for i, batch in enumerate(super().batches(batch_size, seed)):
                if seed is not None and (seed[1], i) == Stopping.at:
                    Stopping.at = None
                    raise KeyboardInterrupt
                yield batch

        def fingerprint(self):
            return "the same"

    whole = classifier()
    options = {"epochs": 2, "batch_size": 4, "accumulate": 4, "checkpoint_seconds": 1e9}
    want = run(whole, tmp_path / "whole", Stopping(x, y), **options)
    for batch in range(6):
        directory = tmp_path / f"{batch}"
        for epoch in (0, 1):
            Stopping.at = (epoch, batch)
            with pytest.raises(KeyboardInterrupt):
                run(classifier(), directory, Stopping(x, y), **options)
        model = classifier()
        assert run(model, directory, Stopping(x, y), **options) == want
        assert same(model.state_dict(), whole.state_dict())


def test_refusal():
    with pytest.raises(ValueError, match="accumulate: expected a whole number of at least 1, got 0"):
        fit(regressor(), data(), accumulate=0)
