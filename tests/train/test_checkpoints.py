"""Checkpoints: what a power cut, a damaged disk or another run can do to them."""

import contextlib
import itertools
import os
import pathlib
import re
import shutil
import sys
import warnings

import numpy as np
import pytest

from elman.train.checkpoint import Checkpoint, flatten, unflatten
from tests.support.runs import regressor, run, same

# The disk


linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells which file a number stands for")


@linux
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


class Disk:
    """What a disk may hold if the power goes now: files as they were last flushed (zeros before that), and of the names
    changed since their directory was last flushed any."""

    def __init__(self, monkeypatch):
        self.flushed, self.names, self.pending, self.images = {}, {}, [], []
        fsync, replace, unlink = os.fsync, os.replace, os.unlink

        def flush(file):
            path = pathlib.Path(os.readlink(f"/proc/self/fd/{file}"))
            fsync(file)
            if path.is_dir():
                self.names, self.pending = self._with(self.pending), []
            else:
                self.flushed[path.name] = path.read_bytes()

        def rename(old, new):
            zeros = bytes(pathlib.Path(old).stat().st_size)
            replace(old, new)
            self._change(pathlib.Path(new).name, self.flushed.get(pathlib.Path(old).name, zeros))

        def remove(path):
            unlink(path)
            self._change(pathlib.Path(path).name, None)

        for name, function in (("fsync", flush), ("replace", rename), ("unlink", remove)):
            monkeypatch.setattr(os, name, function)

    def _with(self, changes):
        names = self.names | dict(changes)
        return {name: content for name, content in names.items() if content is not None}

    def _change(self, name, content):
        self.pending.append((name, content))
        for count in range(len(self.pending) + 1):
            for some in itertools.combinations(self.pending, count):
                self.images.append(self._with(some))


@linux
def test_power_cuts(tmp_path, monkeypatch):
    """Whatever of a save has reached the disk, there is a whole checkpoint: the last finished one, or a newer one."""
    disk, images = Disk(monkeypatch), []
    with contextlib.closing(Checkpoint(tmp_path / "run")) as checkpoint:
        for number in range(5):
            checkpoint.save({"n": number}, {"a": np.full(300, number)})
            images += [(number - 1, image) for image in disk.images]
            images.append((number, disk.names))
            disk.images = []
    monkeypatch.undo()
    assert len(images) > 15
    for i, (finished, image) in enumerate(images):
        (tmp_path / f"{i}").mkdir()
        for name, content in image.items():
            (tmp_path / f"{i}" / name).write_bytes(content)
        with contextlib.closing(Checkpoint(tmp_path / f"{i}")) as checkpoint:
            found = checkpoint.load()
        if finished >= 0 or found:
            numbers, arrays = found
            assert numbers["n"] >= finished and (arrays["a"] == numbers["n"]).all()


@linux
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


@pytest.mark.slow
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


def test_states_of_any_nest(tmp_path):
    arrays = {}
    state = (np.zeros((2, 3)), [None, 1, 2.5, "a", True], {"h": np.ones(2, np.int64), "n": ()})
    back = unflatten(flatten("state", state, arrays), arrays)
    assert (
        type(back) is tuple and back[1:2] == state[1:2] and back[2]["n"] == () and arrays["1"] is back[2]["h"]
    )
    with pytest.raises(ValueError, match=r"state\[1\]: expected what JSON can hold .* got Generator"):
        flatten("state", (0, np.random.default_rng()), arrays)
