"""Checkpoints: what a power cut, a damaged disk, another run or another call can do to them."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest

from elman.layers import Dropout
from elman.models import SequenceClassifier, SequenceRegressor
from elman.train import SGD, Adam, Cosine, Plateau, Sequences, Stream, fit
from elman.train.checkpoint import Checkpoint, flatten, unflatten
from elman.train.fingerprint import fingerprint

ROOT = pathlib.Path(__file__).parent.parent


def data(seed=0, n=24):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 5, 2)).astype(np.float32)
    return x, x[:, :3].sum(axis=(1, 2))[:, None]


def regressor(**options):
    return SequenceRegressor(1, **{"input_size": 2, "hidden_size": 4, "seed": 0} | options)


def run(model, directory, train=None, validation=None, **options):
    options = {"epochs": 3, "seed": 0, "batch_size": 8, "checkpoint_seconds": 0.0} | options
    return fit(model, train or data(), validation, progress=False, checkpoint=directory, **options)


def same(a, b):
    return all(np.array_equal(value, b[name]) for name, value in a.items())


# The disk


def test_on_the_disk_before_it_is_named_and_named_before_old_ones_go(tmp_path, monkeypatch):
    """The order of the system's calls in a save, each with the file it is about."""
    calls = []

    def record(name, of):
        function = getattr(os, name)

        def recorded(*args, **options):
            calls.append((name, of(*args)))
            return function(*args, **options)

        monkeypatch.setattr(os, name, recorded)

    def of_file(file):
        return pathlib.Path(os.readlink(f"/proc/self/fd/{file}")).name

    checkpoint = Checkpoint(tmp_path / "a" / "b")
    checkpoint.load()
    for number in range(2):
        checkpoint.save({"n": number}, {"a": np.zeros(3)})
    record("fsync", of_file)
    record("replace", lambda old, new: (pathlib.Path(old).name, pathlib.Path(new).name))
    record("unlink", lambda path: pathlib.Path(path).name)
    checkpoint.save({"n": 2}, {"a": np.ones(3)})
    new = calls[0][1]
    assert re.fullmatch(r"\.checkpoint-2\.safetensors\.[0-9a-f]{8}\.new", new)
    checkpoint.close()
    assert calls == [
        ("fsync", new),
        ("replace", (new, "checkpoint-2.safetensors")),
        ("fsync", "b"),
        ("unlink", "checkpoint-0.safetensors"),
    ]
    assert sorted(os.listdir(tmp_path / "a" / "b")) == [
        "checkpoint-1.safetensors", "checkpoint-2.safetensors", "checkpoint.lock",
    ]  # fmt: skip


def test_a_new_directory_is_on_the_disk_too(tmp_path, monkeypatch):
    flushed, fsync = [], os.fsync

    def recorded(file):
        flushed.append(os.readlink(f"/proc/self/fd/{file}"))
        fsync(file)

    monkeypatch.setattr(os, "fsync", recorded)
    Checkpoint(tmp_path / "a" / "b").close()
    assert flushed == [str(tmp_path), str(tmp_path / "a")]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A directory with two checkpoints of a run, and the run's states at both."""
    directory = tmp_path_factory.mktemp("two")
    states = []
    model = regressor(hidden_size=2)
    run(
        model,
        directory,
        epochs=2,
        batch_size=24,
        callbacks=[lambda run: states.append(run.model.state_dict())],
    )
    assert len(list(directory.glob("checkpoint-*"))) == 2
    return directory, states


def resumed(directory):
    """The parameters from which a run in this directory goes on."""
    model = regressor(hidden_size=2, seed=None)
    run(model, directory, epochs=1, batch_size=24)  # nothing is left to do
    return model.state_dict()


def test_every_flipped_bit_is_seen(two, tmp_path):
    """One bit of the last checkpoint, anywhere: the run goes on from the one before, with a warning, or the bit says
    nothing (white space of the header)."""
    directory, (before, last) = two
    whole = (directory / "checkpoint-1.safetensors").read_bytes()
    header = int.from_bytes(whole[:8], "little") + 8
    rng = np.random.default_rng(0)
    bits = {
        *rng.integers(0, header * 8, 150).tolist(),
        *rng.integers(header * 8, len(whole) * 8, 100).tolist(),
    }
    shutil.copy(directory / "checkpoint-0.safetensors", tmp_path)
    silent = 0
    for bit in sorted(bits):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        (tmp_path / "checkpoint-1.safetensors").write_bytes(changed)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found = resumed(tmp_path)
        if told:
            assert re.search(
                r"checkpoint-1\.safetensors \(.*\) cannot be used; going on from checkpoint-0",
                str(told[0].message),
            )
            assert same(found, before)
        else:
            silent += 1
            assert same(found, last)
    assert silent < 5


@pytest.mark.parametrize("change", ["zeros", "half", "empty", "another"])
def test_a_damaged_file_gives_way_to_the_one_before(two, tmp_path, change):
    directory, (before, _) = two
    shutil.copytree(directory, tmp_path / "run")
    last, one_before = (tmp_path / "run" / f"checkpoint-{i}.safetensors" for i in (1, 0))
    whole = last.read_bytes()
    page = len(whole) // 2
    changed = {"zeros": whole[:page] + bytes(len(whole) - page), "half": whole[:page], "empty": b"",
               "another": one_before.read_bytes()}  # fmt: skip
    last.write_bytes(changed[change])
    with pytest.warns(UserWarning, match="going on from checkpoint-0"):
        assert same(resumed(tmp_path / "run"), before)
    one_before.write_bytes(b"no checkpoint")
    with pytest.raises(
        ValueError, match=r"checkpoint: expected a whole one in '.*run', got checkpoint-1.*checkpoint-0"
    ):
        resumed(tmp_path / "run")
    assert last.read_bytes() == changed[change]  # what is not known to be a checkpoint is nobody's to remove


def test_after_damage_new_ones_take_its_place(two, tmp_path):
    directory, _ = two
    shutil.copytree(directory, tmp_path / "run")
    (tmp_path / "run" / "checkpoint-1.safetensors").write_bytes(b"?")
    whole, model = regressor(hidden_size=2), regressor(hidden_size=2)
    history = run(whole, tmp_path / "whole", epochs=4, batch_size=24)
    with pytest.warns(UserWarning, match="cannot be used"):
        assert run(model, tmp_path / "run", epochs=4, batch_size=24) == history
    assert same(model.state_dict(), whole.state_dict())
    again = regressor(hidden_size=2)
    assert run(again, tmp_path / "run", epochs=4, batch_size=24) == history  # and no word of the old damage


def test_only_its_own_files_are_removed(tmp_path):
    own = [
        "arrays-7.safetensors",
        "arrays-mine.safetensors",
        "checkpoint-best.safetensors",
        "notes.new",
        ".tmp1",
        "a.new",
    ]
    for name in own:
        (tmp_path / name).write_bytes(b"mine")
    (tmp_path / ".checkpoint-3.safetensors.0123abcd.new").write_bytes(b"left by a run that was killed")
    run(regressor(), tmp_path, epochs=5)
    assert {path.name for path in tmp_path.iterdir()} - set(own) == {
        "checkpoint-13.safetensors", "checkpoint-14.safetensors", "checkpoint.lock",
    }  # fmt: skip
    assert all((tmp_path / name).read_bytes() == b"mine" for name in own)


def test_a_checkpoint_that_cannot_be_written_leaves_the_last(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path)
    checkpoint.save({"n": 0}, {"a": np.zeros(3)})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save({"n": 1}, {"a": np.zeros(3)})
    checkpoint.close()
    monkeypatch.undo()
    assert sorted(os.listdir(tmp_path)) == ["checkpoint-0.safetensors", "checkpoint.lock"]
    with contextlib.closing(Checkpoint(tmp_path)) as checkpoint:
        assert checkpoint.load()[0] == {"n": 0}


# Two runs


def test_two_runs_in_one_directory(tmp_path):
    def other(run_):
        with pytest.raises(
            ValueError,
            match=r"checkpoint: expected a directory that no other run uses, got '.*', in use by "
            rf"process {os.getpid()} on .+ since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d",
        ):
            run(regressor(), tmp_path)

    run(regressor(), tmp_path, callbacks=[other])
    run(regressor(), tmp_path)  # it ends with the run


HOLD = """
import sys, time
from elman.train.checkpoint import Checkpoint
held = Checkpoint(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""


def test_a_lock_is_seen_by_other_processes_and_dies_with_its_own(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    with pytest.raises(ValueError, match=f"in use by process {process.pid} on"):
        run(regressor(), tmp_path)
    process.kill()
    process.communicate()
    run(regressor(), tmp_path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_does_not_hold_the_lock_on(tmp_path):
    held = Checkpoint(tmp_path)
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, b"?")
        signal.pause()
    os.read(read, 1)  # the child lives, and has had the time to let go
    held.close()
    Checkpoint(tmp_path).close()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(read)
    os.close(write)


def test_a_refused_run_lets_go_of_the_directory(tmp_path):
    run(regressor(), tmp_path)
    with pytest.raises(ValueError, match=r"seed: expected 0, that of the run in '.*', got 1"):
        run(regressor(), tmp_path, seed=1)
    run(regressor(), tmp_path)


# Another call


def changed_data():
    x, y = data()
    x[7, 1, 1] += 1e-3
    return x, y


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
    r"model: expected class SequenceRegressor, as in .*, got class SequenceClassifier;":
        lambda d: run(SequenceClassifier(2, input_size=2, hidden_size=4), d, None, data(1)),
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
            run.base_rate, run.optimizer.weight_decay, run.clip_norm, run.clip = 1e-3, 0.1, 0.2, 0.05
            run.schedule = Cosine(4)

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
    run(model, tmp_path / "b", train, noise, callbacks=[lambda run: states.append(run.schedule.state_dict())],
        **options | {"schedule": Plateau(factor=0.5, patience=0)})  # fmt: skip
    other = Plateau(factor=0.5, patience=0)
    for loss in run(regressor(), tmp_path / "b", train, noise, epochs=5).validation_loss:
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


@pytest.mark.parametrize("rate", [1e6, 1.0])
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
    assert history.train_loss[-1] < 100 * history.train_loss[0]


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


def noise(seed):
    rng = np.random.default_rng(seed)
    return data(seed)[0], rng.standard_normal((24, 1)).astype(np.float32)


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


# What is in a checkpoint


def test_states_of_any_nest(tmp_path):
    arrays = {}
    state = (np.zeros((2, 3)), [None, 1, 2.5, "a", True], {"h": np.ones(2, np.int64), "n": ()})
    back = unflatten(flatten("state", state, arrays), arrays)
    assert (
        type(back) is tuple and back[1:2] == state[1:2] and back[2]["n"] == () and arrays["1"] is back[2]["h"]
    )
    with pytest.raises(ValueError, match=r"state\[1\]: expected what JSON can hold .* got Generator"):
        flatten("state", (0, np.random.default_rng()), arrays)


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


class Own:
    """Data of a class of one's own."""

    unit = "sequences"

    def __init__(self, x, y, **more):
        self._parts = {"all": [Sequences(x, y)]}
        self.rng, self.more, self.me = np.random.default_rng(), more, self

    def __len__(self):
        return len(self._parts["all"][0])

    def batches(self, batch_size, seed=None):
        return self._parts["all"][0].batches(batch_size, seed)


def test_fingerprints_tell_data_apart():
    x, y = data()
    tokens = np.arange(50) % 7
    changed = tokens.copy()
    changed[49] = 5
    wide = np.zeros((24, 5, 4), np.float32)
    wide[..., ::2] = x
    objects = np.empty(3, object)
    objects[:] = [np.zeros(2), "a", None]
    different = [
        Sequences(x, y), Sequences(x, y, truncate=None, future=x), Sequences(list(x), y), Sequences(x * 2, y),
        Sequences(x.astype(float), y), Sequences(x[:-1], y[:-1]), Sequences(x.reshape(24, 10, 1), y),
        Stream(tokens, steps=5), Stream(tokens, steps=6), Stream(changed, steps=5), Own(x, y), Own(x + 1, y),
        Own(x, y, a=1), Own(x, y, a=1.0), Own(x, y, a={"b": "c"}), Own(x, y, a=pathlib.Path("c")), Own(x, y, a={3, 4}),
        Own(x, y, a=objects), Own(x, y, a=print), Own(x, y, a=Plateau(patience=3)), Own(x, y, a=Plateau(patience=4)),
    ]  # fmt: skip
    found = [fingerprint(one) for one in different]
    assert len(set(found)) == len(found)
    assert (
        found[0]
        == fingerprint(Sequences(wide[..., ::2], y.copy()))
        == fingerprint(Sequences(np.asfortranarray(x), y))
    )
    assert found[10] == fingerprint(Own(x.copy(), y))  # its generator does not count, and it may hold itself
    assert fingerprint(Own(x, y, a=Dropout(0.5, seed=0))) == fingerprint(Own(x, y, a=Dropout(0.5, seed=1)))


def test_data_may_say_itself_what_it_is():
    class Named(Own):
        def fingerprint(self):
            return "version 3"

    assert fingerprint(Named(*data())) == fingerprint(Named(*data(1))) == "version 3"
