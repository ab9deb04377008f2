"""Averages of parameters: against NumPy, in validation, at the end, and in checkpoints."""

import numpy as np
import pytest

from elman.train import EMA, SWA, Average, Callback, evaluate, fit
from tests.support.runs import data, noise, regressor, run, same

VALIDATION = noise(1)


class Record(Callback):
    """The parameters after each update, and after each epoch."""

    def __init__(self):
        self.updates, self.epochs = [], []

    def on_batch(self, run):
        self.updates.append(run.model.state_dict())

    def on_epoch(self, run):
        self.epochs.append(run.model.state_dict())


def mean_of(states, share):
    """average += share(count) * (state - average), in float64."""
    average = {name: value.astype(np.float64) for name, value in states[0].items()}
    for count, state in enumerate(states[1:], 1):
        for name, value in state.items():
            average[name] += share(count) * (value - average[name])
    return average


def ema(decay):
    return lambda count: 1 - min(decay, (1 + count) / (10 + count))


CASES = {
    "ema": (EMA(0.6), lambda record: mean_of(record.updates, ema(0.6))),
    "slow": (EMA(), lambda record: mean_of(record.updates, ema(0.999))),
    "ema later": (EMA(0.6, start=2), lambda record: mean_of(record.updates[6:], ema(0.6))),
    "swa": (SWA(1), lambda record: mean_of(record.epochs[1:], lambda count: 1 / (count + 1))),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_the_mean_it_says(case):
    average, expected = CASES[case]
    record, plain, model = Record(), regressor(), regressor()
    options = {"epochs": 4, "batch_size": 8, "seed": 0, "progress": False}
    history = fit(plain, data(), **options)
    assert fit(model, data(), average=average, callbacks=[record], **options) == history
    assert same(record.updates[-1], plain.state_dict())  # training itself goes on from the newest ones
    for name, value in expected(record).items():
        np.testing.assert_allclose(model.parameters[name], value, rtol=1e-5, atol=1e-7)
        assert not np.array_equal(model.parameters[name], plain.parameters[name])


@pytest.mark.parametrize("average", [EMA(0.8), SWA(2)], ids=repr)
def test_the_validation_is_of_the_average(average):
    """The loss of each epoch is that of a run without it that ends there."""
    model, losses = regressor(), []
    options = {"batch_size": 8, "seed": 0, "progress": False, "average": average}
    history = fit(model, data(), VALIDATION, epochs=5, **options)
    for epochs in range(1, 6):
        other = regressor()
        fit(other, data(), epochs=epochs, **options)
        losses.append(evaluate(other, VALIDATION, 8))
    assert history.validation_loss == losses
    assert evaluate(model, VALIDATION, 8) == min(losses)
    without = fit(regressor(), data(), VALIDATION, epochs=5, batch_size=8, seed=0, progress=False)
    assert without.train_loss == history.train_loss and without.validation_loss != history.validation_loss


def test_a_mean_of_rough_steps_is_better():
    """What it is for: with a high rate the newest parameters are noisy."""
    options = {"epochs": 10, "batch_size": 4, "learning_rate": 0.05, "seed": 0, "progress": False}
    losses = []
    for average in (None, EMA(0.95), SWA(5)):
        model = regressor(hidden_size=8)
        fit(model, data(0, 256), average=average, **options)
        losses.append(evaluate(model, data(1, 256)))
    assert max(losses[1:]) < 0.7 * losses[0]


@pytest.mark.parametrize("average", [EMA(0.8), SWA(1)], ids=repr)
@pytest.mark.parametrize("validation", [None, VALIDATION], ids=["", "validation"])
def test_resume_bit_for_bit(tmp_path, average, validation):
    class Interrupt(Callback):
        def on_batch(self, run):
            if (run.epoch, run.batches) in at:
                at.remove((run.epoch, run.batches))
                raise KeyboardInterrupt

        def on_epoch(self, run):
            if run.epoch in at:
                at.remove(run.epoch)
                raise KeyboardInterrupt

    whole = regressor()
    want = run(whole, tmp_path / "a", None, validation, epochs=5, average=average)
    at = [(0, 1), (1, 3), 3, (4, 2)]
    while at:
        with pytest.raises(KeyboardInterrupt):
            run(regressor(), tmp_path / "b", None, validation, epochs=5, average=average, callbacks=[Interrupt()],
                checkpoint_seconds=1e9)  # fmt: skip
    model = regressor()
    assert run(model, tmp_path / "b", None, validation, epochs=5, average=average) == want
    assert same(model.state_dict(), whole.state_dict())


@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_ctrl_c_while_the_average_and_the_parameters_change_places(tmp_path, monkeypatch, call):
    """Each validation puts the average in their place, and then the parameters back."""
    whole, model = regressor(), regressor()
    want = run(whole, tmp_path / "a", None, VALIDATION, average=EMA(0.8))
    put, calls = model.load_state_dict, []

    def interrupted(state):
        calls.append(state)
        if len(calls) == call:
            raise KeyboardInterrupt
        put(state)

    monkeypatch.setattr(model, "load_state_dict", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(model, tmp_path / "b", None, VALIDATION, average=EMA(0.8), checkpoint_seconds=1e9)
    model = regressor()
    assert run(model, tmp_path / "b", None, VALIDATION, average=EMA(0.8)) == want
    assert same(model.state_dict(), whole.state_dict())


def test_an_average_of_ones_own_and_numbers_of_numpy_go_on(tmp_path):
    class Half(Average):
        of_updates, start = True, 0

        def share(self, count):
            return 0.5

    for i, makes in enumerate((Half, lambda: EMA(np.float64(0.5), np.int64(1)), lambda: SWA(np.int32(1)))):
        run(regressor(), tmp_path / str(i), epochs=2, average=makes())
        assert run(regressor(), tmp_path / str(i), epochs=3, average=makes()).epochs == 3
    assert run(regressor(), tmp_path / "1", epochs=4, average=EMA(0.5, 1)).epochs == 4


def test_an_interrupted_validation_counts_no_epoch_twice(tmp_path):
    class Stopping:
        """Data that raises once, in the validation after the third epoch."""

        unit, passes, fails = "sequences", 0, False

        def __len__(self):
            return 24

        def fingerprint(self):
            return "the same"

        def batches(self, batch_size, seed=None):
            from elman.train import Sequences

            Stopping.passes += 1
            for i, batch in enumerate(Sequences(*VALIDATION).batches(batch_size, seed)):
                if Stopping.fails and Stopping.passes == 3 and i == 1:
                    raise KeyboardInterrupt
                yield batch

    whole, model = regressor(), regressor()
    want = run(whole, tmp_path / "a", None, Stopping(), epochs=4, average=SWA(1))
    Stopping.passes, Stopping.fails = 0, True
    with pytest.raises(KeyboardInterrupt):
        run(model, tmp_path / "b", None, Stopping(), epochs=4, average=SWA(1), checkpoint_seconds=1e9)
    model = regressor()
    assert run(model, tmp_path / "b", None, Stopping(), epochs=4, average=SWA(1)) == want
    assert same(model.state_dict(), whole.state_dict())


def test_an_exploded_run_falls_back_to_the_average_before():
    model, record = regressor(), Record()

    def explode(run):
        if run.epoch == 2:
            run.base_rate = 1e10

    with pytest.raises(FloatingPointError):
        fit(model, data(), epochs=4, batch_size=8, seed=0, average=EMA(0.5), clip_norm=None, optimizer="sgd",
            callbacks=[record, explode], progress=False)  # fmt: skip
    for name, value in mean_of(record.updates[:6], ema(0.5)).items():
        np.testing.assert_allclose(model.parameters[name], value, rtol=1e-5, atol=1e-7)


def test_refusals(tmp_path):
    for wrong, got in ((0.9, "0.9"), (EMA, "the class EMA")):
        with pytest.raises(ValueError, match=rf"average: expected EMA\(...\) or SWA\(...\), got {got}"):
            fit(regressor(), data(), average=wrong)
    with pytest.raises(ValueError, match="decay: expected a number from 0 up to, not including, 1, got 1"):
        EMA(1)
    with pytest.raises(ValueError, match="start: expected a whole number of at least 0, got -1"):
        SWA(-1)
    with pytest.raises(ValueError, match=r"start: .* got 0\.5"):
        EMA(start=0.5)
    run(regressor(), tmp_path, average=EMA(0.9))
    for average, got in (
        (None, "none"),
        (EMA(0.8), r"EMA\(decay=0.8, start=0\)"),
        (SWA(1), r"SWA\(start=1\)"),
    ):
        with pytest.raises(
            ValueError, match=rf"average: expected EMA\(decay=0.9, start=0\), as in .*, got {got};"
        ):
            run(regressor(), tmp_path, average=average)
