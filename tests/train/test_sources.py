"""Training over samples of a source: resumed bit for bit, and schedules where the size is not known."""

import numpy as np
import pytest
import torch

from elman.data import Blocks, Samples
from elman.data.fingerprint import fingerprint
from elman.models import SequenceTagger
from elman.train import Constant, Cosine, Steps, WarmUp, evaluate, fit
from tests.support.runs import data, regressor, run, same


def samples(n):
    rng = np.random.default_rng(0)
    return [
        (np.full((t, 2), i + 0.5, np.float32), np.full(t, i)) for i, t in enumerate(rng.integers(1, 9, n))
    ]


@pytest.mark.parametrize("kind", ["function", "items", "blocks"])
def test_resumes_bit_for_bit(tmp_path, kind):
    x, y = data(n=44)
    parts = list(zip(x, y, strict=True))
    source = {"function": lambda: iter(parts), "items": parts, "blocks": Blocks(x, y, block=3)}[kind]
    options = {"epochs": 3, "schedule": Cosine(3, floor=0.1)}

    def given():
        return Samples(source, window=16)

    whole = regressor(dropout=0.1)
    want = run(whole, None, given(), given(), **options)

    class Stopping(Samples):
        def batches(self, batch_size, seed=None, skip=0):
            for i, batch in enumerate(super().batches(batch_size, seed, skip)):
                if seed is not None and (seed[1], i) == self.at:
                    raise OSError("the disk is gone")
                yield batch

        def fingerprint(self):
            return fingerprint(given())

    for at in ((0, 3), (1, 1)):
        stopping = Stopping(source, window=16)
        stopping.at = at
        with pytest.raises(OSError, match="the disk is gone"):
            run(regressor(dropout=0.1), tmp_path, stopping, given(), **options)
    model = regressor(dropout=0.1)
    assert run(model, tmp_path, given(), given(), **options) == want
    assert same(model.state_dict(), whole.state_dict())


def test_schedules_count_an_unknown_size_in_the_first_epoch(tmp_path):
    """It stands still in the first epoch, and goes on as if the size were known from then on; also after a resume."""
    x, y = data(n=24)
    parts = list(zip(x, y, strict=True))
    rates = {}
    for name, count in (("known", 24), ("unknown", None)):
        seen = rates[name] = []
        for epochs in (1, 2, 3):  # three calls: the size is in the checkpoint
            source = Samples(lambda: iter(parts), window=8, count=count)
            run(regressor(), tmp_path / name, source, epochs=epochs, schedule=Cosine(4), batch_size=4,
                callbacks=[lambda run, seen=seen: seen.append(run.optimizer.learning_rate)])  # fmt: skip
    assert rates["unknown"][0] == 1e-3 > rates["known"][0]
    assert rates["unknown"][1:] == rates["known"][1:]


def test_a_schedule_from_zero_needs_the_size():
    source = Samples(lambda: iter(samples(9)))
    model = SequenceTagger(9, input_size=2, hidden_size=2, seed=0)
    with pytest.raises(
        ValueError, match="schedule: expected one that does not begin at 0, for data of unknown size"
    ):
        fit(model, source, epochs=1, schedule=WarmUp(1), progress=False)
    for schedule in (Constant(), Steps(1), WarmUp(1, start=0.1)):
        assert fit(model, source, epochs=1, schedule=schedule, progress=False).epochs == 1
    assert np.isfinite(evaluate(model, source))


def test_datasets_of_torch():
    """One in order trains to the bits of the same arrays in one block; one with items has an order of its own."""
    x, y = data(n=24)
    x, y = torch.from_numpy(x), torch.from_numpy(y).float()

    class InOrder(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(zip(x, y, strict=True))

    models = []
    for source in (torch.utils.data.TensorDataset(x, y), InOrder(), Blocks(x, y, block=24)):
        models.append(regressor())
        run(models[-1], None, Samples(source, window=24))
    assert same(models[1].state_dict(), models[2].state_dict())
    assert not same(models[0].state_dict(), models[2].state_dict())
