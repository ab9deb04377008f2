"""Another call of `fit` with the directory of a run: what holds, what is refused, and when it goes on."""

import numpy as np
import pytest

from elman.models import SequenceRegressor
from elman.train import SGD, Adam, Callback, Cosine, Plateau, Sequences, fit
from tests.support.runs import data, noise, regressor, run, same


def changed_data():
    x, y = data()
    x[7, 1, 1] += 1e-3
    return x, y


class Other(SequenceRegressor):
    pass


REFUSED = {
    r"train: expected the data of the run in '.*', got other values; another run needs another directory":
        lambda d: run(regressor(dropout=0.1), d, changed_data(), data(1)),
    r"train: expected the data of .*, got other values":
        lambda d: run(regressor(dropout=0.1), d, (data()[0], data()[1] + 1), data(1)),
    r"validation: expected the data of .*, got other values":
        lambda d: run(regressor(dropout=0.1), d, None, data(2)),
    r"validation: expected the data of .*, got none": lambda d: run(regressor(dropout=0.1), d),
    r"seed: expected 0, that of .*, got 3": lambda d: run(regressor(dropout=0.1), d, None, data(1), seed=3),
    r"model: expected seed 0, as in .*, got seed 1;":
        lambda d: run(regressor(dropout=0.1, seed=1), d, None, data(1)),
    r"model: expected dropout 0.1, as in .*, got dropout 0.2;":
        lambda d: run(regressor(dropout=0.2), d, None, data(1)),
    r"model: expected network.dropout Dropout\(0.1, .*\), as in .*, got network.dropout not there;":
        lambda d: run(regressor(), d, None, data(1)),
    r"model: expected hidden_size 4, loss squared, as in .*, got hidden_size 5, loss huber;":
        lambda d: run(regressor(dropout=0.1, hidden_size=5, loss="huber"), d, None, data(1)),
    r"model: expected network.recurrent LSTM\(2, 4\), as in .*, got network.recurrent GRU\(2, 4\);":
        lambda d: run(regressor(dropout=0.1, cell="gru"), d, None, data(1)),
    r"model: expected class SequenceRegressor, as in .*, got class Other;":
        lambda d: run(Other(input_size=2, hidden_size=4), d, None, data(1)),
    r"optimizer: expected Adam with the states first, second, as in .*, got SGD with the states momentum;":
        lambda d: run(regressor(dropout=0.1), d, None, data(1), optimizer="sgd"),
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    directory = tmp_path_factory.mktemp("finished")
    run(regressor(dropout=0.1), directory, None, data(1))
    return directory


@pytest.mark.parametrize("message", REFUSED)
def test_another_run_is_refused_by_name(finished, message):
    before = {path.name: path.read_bytes() for path in finished.glob("checkpoint-*")}
    with pytest.raises(ValueError, match=message):
        REFUSED[message](finished)
    assert before == {path.name: path.read_bytes() for path in finished.glob("checkpoint-*")}


def test_an_argument_left_to_its_default_is_no_other_model(tmp_path):
    history = run(regressor(), tmp_path)
    assert run(regressor(dropout=0.0, cell="lstm", num_layers=1), tmp_path) == history


def test_an_added_validation_is_refused(tmp_path):
    run(regressor(), tmp_path)
    with pytest.raises(ValueError, match=r"validation: expected no data, as in .*, got data"):
        run(regressor(), tmp_path, None, data(1))


def interrupted(model, directory, at, **options):
    """A run that ends with an exception after `at` epochs."""

    def stop(run):
        if run.epoch == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(model, directory, callbacks=[stop], **options)


def test_what_the_call_says_holds(tmp_path):
    """Rate, decay, clipping and schedule change in the middle; the right values come from one run that changes them."""

    def change(run):
        if run.epoch == 2:
            run.base_rate, run.optimizer.weight_decay = 1e-3, 0.1
            run.settings.clip_norm, run.settings.clip, run.settings.schedule = 0.2, 0.05, Cosine(4)

    whole = regressor()
    options = {"epochs": 4, "optimizer": "adamw"}
    want = run(whole, tmp_path / "a", learning_rate=0.02, callbacks=[change], **options)
    model = regressor()
    run(model, tmp_path / "b", learning_rate=0.02, **options | {"epochs": 2})
    got = run(
        model, tmp_path / "b", learning_rate=1e-3, weight_decay=0.1, clip_norm=0.2, clip=0.05, schedule=Cosine(4),
        **options,
    )  # fmt: skip
    assert got == want and same(model.state_dict(), whole.state_dict())


def test_another_schedule_learns_from_the_same_losses(tmp_path):
    train, noise = data(), (data(1)[0], -data(1)[1])
    whole, model = regressor(), regressor()
    options = {"epochs": 5, "schedule": Plateau(factor=0.5, patience=0)}
    want = run(whole, tmp_path / "a", train, noise, **options)
    assert want.learning_rate[-1] < want.learning_rate[0]
    run(model, tmp_path / "b", train, noise, epochs=4)
    states = []
    run(model, tmp_path / "b", train, noise, callbacks=[lambda run: states.append(run.settings.schedule.state_dict())],
        **options | {"schedule": Plateau(factor=0.5, patience=0)})  # fmt: skip
    other = Plateau(factor=0.5, patience=0)
    again = options | {"schedule": Plateau(factor=0.5, patience=0)}
    for loss in run(regressor(), tmp_path / "b", train, noise, **again).validation_loss:
        other.observe(loss)
    assert states == [other.state_dict()]


def test_batch_size_holds_from_the_next_epoch(tmp_path):
    sizes = []

    class Recorded(Sequences):
        def batches(self, batch_size, seed=None):
            if seed is not None:
                sizes.append((seed[1], batch_size))
            yield from super().batches(batch_size, seed)

        def fingerprint(self):
            return "the same"

    class Stopping(Recorded):
        def batches(self, batch_size, seed=None):
            for i, batch in enumerate(super().batches(batch_size, seed)):
                if seed is not None and seed[1] == 1 and i == 2:
                    raise KeyboardInterrupt
                yield batch

    with pytest.raises(KeyboardInterrupt):  # in the second epoch, after two of its three batches
        run(regressor(), tmp_path, Stopping(*data()))
    history = run(regressor(), tmp_path, Recorded(*data()), batch_size=6)
    assert sizes == [(0, 8), (1, 8), (1, 8), (2, 6)] and history.epochs == 3


@pytest.mark.slow
@pytest.mark.parametrize("rate", [1e6, 3.0])
def test_an_exploded_run_goes_on_with_a_lower_rate(tmp_path, rate):
    """However fast it exploded, with a checkpoint after every step, and a new model each time, as in a new process."""
    x, y = data()

    def again(rate):
        model = regressor(dtype="float64")
        optimizer = SGD(model, learning_rate=rate)
        return run(
            model, tmp_path, (x.astype(float), y * 1e3), epochs=60, optimizer=optimizer, clip_norm=None
        )

    for _ in range(2):
        with pytest.raises(FloatingPointError, match="try a lower learning_rate"):
            again(rate)
    history = again(1e-4)
    assert history.epochs == 60 and history.learning_rate[-1] == 1e-4
    assert history.train_loss[-1] < 1e3 * history.train_loss[0]


def test_a_run_that_ends_far_off_is_no_place_to_go_on_from(tmp_path):
    pytest.importorskip("safetensors")
    x, y = data()

    def again(rate):
        model = regressor(dtype="float64")
        optimizer = SGD(model, learning_rate=rate)
        return run(
            model,
            tmp_path,
            (x.astype(float), y),
            epochs=1,
            batch_size=12,
            optimizer=optimizer,
            clip_norm=None,
        )

    with pytest.warns(
        UserWarning, match="checkpoint: the training loss has risen to .*; none is written of where"
    ):
        history = again(150.0)
    assert 1e3 < history.train_loss[-1] < 1e6
    assert again(0.01).train_loss[-1] < 10


def test_it_goes_on_in_the_same_process_too(tmp_path):
    """What exploded before there was a checkpoint has left the model with parameters one can begin with."""
    x, y = data()
    model = regressor(dtype="float64")
    options = {"clip_norm": None, "checkpoint_seconds": 60.0}
    for rate in (1e6, 1e5):
        optimizer = SGD(model, learning_rate=rate)
        with pytest.raises(FloatingPointError, match="try a lower learning_rate"):
            run(model, tmp_path, (x.astype(float), y * 1e3), epochs=60, optimizer=optimizer, **options)
        assert same(model.state_dict(), regressor(dtype="float64").state_dict())
    run(model, tmp_path, (x.astype(float), y * 1e3), optimizer=SGD(model, learning_rate=1e-4), **options)


def test_more_patience_goes_on(tmp_path):
    options = {"epochs": 60, "learning_rate": 0.02}
    first = run(regressor(), tmp_path / "a", noise(0), noise(1), patience=2, **options)
    assert first.stopped == "no lower validation loss in 2 epochs" and first.epochs < 50
    assert run(regressor(), tmp_path / "a", noise(0), noise(1), patience=2, **options) == first
    model, whole = regressor(), regressor()
    longer = run(model, tmp_path / "a", noise(0), noise(1), patience=5, **options)
    want = run(whole, tmp_path / "b", noise(0), noise(1), patience=5, **options)
    assert longer == want and longer.epochs > first.epochs and same(model.state_dict(), whole.state_dict())
    less = run(regressor(), tmp_path / "a", noise(0), noise(1), patience=2, **options)
    assert less.train_loss == longer.train_loss  # less takes nothing back


def test_after_the_last_update_of_an_epoch(tmp_path):
    """What the history then says of that epoch is what the update had."""

    class Interrupt(Callback):
        def on_batch(self, run):
            if run.batches == 3:
                raise KeyboardInterrupt

    want = run(regressor(), tmp_path / "a", schedule=Cosine(3))
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run(regressor(), tmp_path / "b", schedule=Cosine(3), callbacks=[Interrupt()])
    assert run(regressor(), tmp_path / "b", schedule=Cosine(3)) == want


@pytest.mark.slow
def test_more_epochs_go_on(tmp_path):
    options = {"patience": 2, "learning_rate": 0.02}
    first = run(regressor(), tmp_path, noise(0), noise(1), epochs=60, **options)
    more = run(regressor(), tmp_path, noise(0), noise(1), epochs=61, **options)
    assert more.epochs == first.epochs + 2 and more.stopped == first.stopped  # patience counts anew
    assert run(regressor(), tmp_path, noise(0), noise(1), epochs=61, **options) == more
    assert run(regressor(), tmp_path, noise(0), noise(1), epochs=first.epochs + 4).epochs == first.epochs + 4

    def enough(run):
        run.stop = "enough"

    stopped = run(regressor(), tmp_path, noise(0), noise(1), epochs=62, callbacks=[enough])
    assert (stopped.epochs, stopped.stopped) == (first.epochs + 5, "enough")
    assert run(regressor(), tmp_path, noise(0), noise(1), epochs=62) == stopped
    assert run(regressor(), tmp_path, noise(0), noise(1), epochs=63).epochs == 63


def test_settings_may_be_numbers_of_numpy(tmp_path):
    """Whatever of a call ends up in a checkpoint, the run goes on bit for bit."""

    def call(model, directory, epochs):
        optimizer = Adam(
            model, np.float32(0.02), betas=(np.float32(0.5), np.float64(0.9)), weight_decay=np.float16(0.5)
        )
        return fit(
            model, data(), noise(1), epochs=np.int64(epochs), batch_size=np.int32(8), optimizer=optimizer,
            schedule=Plateau(np.float32(0.3), np.int64(0)), clip_norm=np.float32(0.3), clip=np.float32(0.1),
            patience=np.int8(9), seed=np.uint8(3), progress=False, checkpoint=directory,
            checkpoint_seconds=np.float32(0), callbacks=[lambda run: setattr(run, "stop", np.str_(""))],
        )  # fmt: skip

    whole, parts = regressor(), regressor()
    want = call(whole, tmp_path / "a", 5)
    assert want.learning_rate[-1] < want.learning_rate[0]
    call(parts, tmp_path / "b", 3)
    parts = regressor()
    assert call(parts, tmp_path / "b", 5) == want and same(parts.state_dict(), whole.state_dict())


def test_what_could_not_be_saved_is_refused_before_the_first_step(tmp_path):
    class Odd(Plateau):
        def state_dict(self):
            return {"when": object()}

    model = regressor()
    before = model.state_dict()
    with pytest.raises(ValueError, match=r"schedule\['when'\]: expected what JSON can hold .* got object"):
        run(model, tmp_path / "a", schedule=Odd())
    model.notes["names"] = {0: "a"}
    with pytest.raises(ValueError, match=r"notes\['names'\]: expected text as keys, got 0"):
        fit(model, data(), progress=False)
    assert same(model.state_dict(), before) and not (tmp_path / "a").exists()
