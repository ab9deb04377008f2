"""Data in files (memory maps, HDF5): the bits of the same data in memory, and never read whole."""

import gc
import itertools
import pathlib

import h5py
import numpy as np
import pytest

from elman.data import Ragged, Sequences, Stream, forecast_windows, mapped
from elman.data.fingerprint import fingerprint
from elman.data.lazy import Lazy, Stored
from elman.models import Forecaster, LanguageModel, SequenceTagger
from elman.train import fit
from tests.support.runs import data, regressor, run, same


def mapped_copy(path, array, mode="r"):
    np.save(path, array)
    return np.load(path, mmap_mode=mode)


class Counted:
    """An array of a library for files, as little of one as is needed: it counts what is read."""

    def __init__(self, array):
        self._array, self.shape, self.dtype, self.read = array, array.shape, array.dtype, []

    def __len__(self):
        return len(self._array)

    def __getitem__(self, index):
        assert isinstance(index, slice)
        self.read.append(index.stop - index.start)
        return self._array[index]


@pytest.fixture
def filed(tmp_path):
    """A function that puts an array into a file of each kind."""
    with h5py.File(tmp_path / "a.h5", "w") as file:

        def make(kind, array):
            name = f"{len(file)}-{kind}"
            if kind == "h5py":
                return file.create_dataset(name, data=array, chunks=True)
            file.create_group(name)
            if kind == "slices":
                return Counted(array)
            return mapped_copy(tmp_path / f"{name}.npy", array, "c" if kind == "copy" else "r")

        yield make
    gc.collect()


KINDS = ["memmap", "copy", "h5py", "slices"]


def equal(batches, others):
    for batch, other in zip(batches, others, strict=True):
        for name, value in vars(other).items():
            if isinstance(value, np.ndarray):
                np.testing.assert_array_equal(getattr(batch, name), value, err_msg=name, strict=True)
            else:
                assert getattr(batch, name) == value, name
        assert batch.x.flags.c_contiguous


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("skip", [0, 2, 9])
def test_the_same_batches(filed, kind, skip):
    x, y = data(n=30)
    got = Sequences(filed(kind, x), filed(kind, y)).batches(4, [0, 1], skip=skip)
    equal(got, list(Sequences(x, y).batches(4, [0, 1]))[skip:])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("skip", [0, 3])
def test_pieces_of_long_sequences(filed, kind, skip):
    x, _ = data(n=10)
    y = x[..., 0]
    got = Sequences(filed(kind, x), filed(kind, y), truncate=2).batches(4, 5, skip=skip)
    for batch, other in zip(got, list(Sequences(x, y, truncate=2).batches(4, 5))[skip:], strict=True):
        np.testing.assert_array_equal(batch.x, other.x)
        np.testing.assert_array_equal(batch.y, other.y)
        np.testing.assert_array_equal(batch.lengths, other.lengths)
        assert (batch.continues, batch.done) == (other.continues, other.done)


@pytest.mark.parametrize("kind", KINDS)
def test_ragged(filed, kind, rng):
    lengths = rng.integers(0, 9, 20)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    values, y = rng.standard_normal((offsets[-1], 3)), rng.integers(0, 4, offsets[-1])
    parts = [values[a:b] for a, b in itertools.pairwise(offsets)]
    tags = [y[a:b] for a, b in itertools.pairwise(offsets)]
    x = Ragged(filed(kind, values), offsets)
    assert x.lengths.tolist() == lengths.tolist() and len(list(x)) == 20
    got = Sequences(x, Ragged(filed(kind, y), offsets)).batches(3, 1)
    equal(got, Sequences(parts, tags).batches(3, 1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("skip", [0, 2])
def test_streams(filed, kind, skip, rng):
    tokens, x, y = np.arange(50), rng.standard_normal((50, 2)), rng.standard_normal((50, 1))
    equal(
        Stream(filed(kind, tokens), steps=4).batches(3, skip=skip),
        list(Stream(tokens, steps=4).batches(3))[skip:],
    )
    equal(
        Stream(filed(kind, x), filed(kind, y), steps=4).batches(3, skip=skip),
        list(Stream(x, y, steps=4).batches(3))[skip:],
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("targets", "stride"), [([2], 1), ([2, 0], 3), (slice(None), 2)])
def test_forecast_windows(filed, kind, targets, stride, rng):
    series = rng.standard_normal((40, 3))
    got = forecast_windows(filed(kind, series), 6, 2, targets, future=[1], stride=stride)
    want = forecast_windows(series, 6, 2, targets, future=[1], stride=stride)
    assert (
        got.x.shape == want.x.shape and got.y.shape == want.y.shape and got.future.shape == (len(want), 2, 1)
    )
    equal(got.batches(4, 7), want.batches(4, 7))
    np.testing.assert_array_equal(got.y[3], want.y[3])
    np.testing.assert_array_equal(got.y[1:4], want.y[1:4])


def trained(model, train, **options):
    fit(model, train, epochs=2, seed=0, progress=False, **options)
    return model.state_dict()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_parameters(filed, kind, rng):
    """Sequences, a stream of tokens and windows of a series train to the bits that they have in memory."""
    x, y = data(n=40)
    tokens, series = rng.integers(0, 7, 300), rng.standard_normal((80, 2)).astype(np.float32)
    pairs = [
        (regressor(dropout=0.1), regressor(dropout=0.1), Sequences(x, y),
         Sequences(filed(kind, x), filed(kind, y))),
        (LanguageModel(7, hidden_size=4, seed=0), LanguageModel(7, hidden_size=4, seed=0),
         Stream(tokens, steps=5), Stream(filed(kind, tokens), steps=5)),
        (Forecaster(2, input_size=2, hidden_size=4, seed=0), Forecaster(2, input_size=2, hidden_size=4, seed=0),
         forecast_windows(series, 5, 2, [1]), forecast_windows(filed(kind, series), 5, 2, [1])),
    ]  # fmt: skip
    for one, other, here, there in pairs:
        assert same(trained(one, here, batch_size=8), trained(other, there, batch_size=8))


@pytest.mark.parametrize("kind", ["memmap", "h5py"])
def test_resumes_in_the_middle_of_an_epoch(filed, kind, tmp_path):
    x, y = data(n=40)
    source = Sequences(filed(kind, x), filed(kind, y))
    whole = regressor(dropout=0.1)
    want = run(whole, None, Sequences(x, y))

    class Stopping(Sequences):
        def batches(self, batch_size, seed=None, skip=0):
            for i, batch in enumerate(super().batches(batch_size, seed, skip)):
                if seed is not None and seed[1] == 1 and i == 3:
                    raise KeyboardInterrupt
                yield batch

        def fingerprint(self):
            return fingerprint(source)

    with pytest.raises(KeyboardInterrupt):
        run(regressor(dropout=0.1), tmp_path, Stopping(source.x, source.y))
    model = regressor(dropout=0.1)
    assert run(model, tmp_path, source) == want and same(model.state_dict(), whole.state_dict())


def test_only_what_is_asked_for_is_read(rng):
    x, y = Counted(rng.standard_normal((100, 5, 2))), Counted(rng.standard_normal((100, 1)))
    source = Sequences(x, y)
    assert x.read == y.read == []
    for _ in source.batches(8, 0, skip=10):
        pass
    assert sum(x.read) == sum(y.read) == 100 - 80
    x.read.clear()
    fingerprint(source)
    assert sum(x.read) <= 64 * 51
    x.read.clear()
    next(source.batches(8, 0)).x  # noqa: B018
    assert sum(x.read) <= 8 * 4  # the one taken, two ahead, and one in the making


def test_rows_that_follow_each_other_are_read_together(rng):
    values = Counted(rng.standard_normal((50, 2)))
    lazy = Stored(values)
    index = np.array([7, 3, 4, 20, 5, 3, 21, 49])
    np.testing.assert_array_equal(lazy[index], values._array[index])
    assert sorted(values.read) == [1, 1, 2, 3]
    np.testing.assert_array_equal(lazy[10:4:-2], values._array[10:4:-2])
    np.testing.assert_array_equal(lazy[-3:], values._array[-3:])
    np.testing.assert_array_equal(lazy[-1], values._array[-1])
    np.testing.assert_array_equal(list(lazy), values._array)
    with pytest.raises(IndexError, match="index: expected numbers below 50"):
        lazy[np.array([3, 50])]
    assert lazy[np.array([], int)].shape == (0, 2) and lazy[5].shape == (2,)
    assert isinstance(lazy, Lazy) and Stored(values).ndim == 2


def test_predictions_from_files(filed, rng):
    x = rng.standard_normal((20, 5, 2)).astype(np.float32)
    model = SequenceTagger(3, input_size=2, hidden_size=4, seed=0)
    for kind in KINDS:
        for got, want in zip(model.predict(filed(kind, x)), model.predict(x), strict=True):
            np.testing.assert_array_equal(got, want)


def test_a_file_is_known_again_without_being_read(tmp_path):
    x = np.zeros((1000, 40, 10), np.float32)
    source = Sequences(mapped_copy(tmp_path / "x.npy", x), np.zeros(1000))
    known = fingerprint(source)
    assert fingerprint(Sequences(np.load(tmp_path / "x.npy", mmap_mode="r"), np.zeros(1000))) == known
    (tmp_path / "other").mkdir()
    (tmp_path / "x.npy").rename(tmp_path / "other/x.npy")  # the folder does not count
    moved = np.load(tmp_path / "other/x.npy", mmap_mode="r")
    assert fingerprint(Sequences(moved, np.zeros(1000))) == known
    assert fingerprint(Sequences(moved[:900], np.zeros(900))) != known
    assert fingerprint(Sequences(moved, np.ones(1000))) != known
    with open(tmp_path / "other/x.npy", "r+b") as file:
        file.seek(-1, 2)
        file.write(b"\1")
    assert fingerprint(Sequences(moved, np.zeros(1000))) != known


def test_the_first_and_the_last_row_count_without_a_file(rng):
    values = rng.standard_normal((100000, 2))
    known = fingerprint(Sequences(Counted(values[:, None]), np.zeros(100000)))
    for i in (0, 99999):
        other = values.copy()
        other[i] += 1
        assert fingerprint(Sequences(Counted(other[:, None]), np.zeros(100000))) != known


@pytest.mark.skipif(not pathlib.Path("/proc/self/smaps_rollup").exists(), reason="of Linux")
@pytest.mark.parametrize("mode", ["r", "c"])
def test_pages_that_were_read_are_given_back(tmp_path, monkeypatch, mode):
    monkeypatch.setattr(mapped, "HELD", 2**22)
    np.save(tmp_path / "x.npy", np.ones((4096, 8, 256), np.float32))  # 32 MiB
    x = np.load(tmp_path / "x.npy", mmap_mode=mode)
    if mode == "c":
        x[:] = 2.0  # pages of the process's own, which the file does not have
    source, largest = Sequences(x, np.zeros(4096)), 0
    for index in np.random.default_rng(0).permutation(4096).reshape(-1, 16):
        assert (source.take(index).x == (2.0 if mode == "c" else 1.0)).all()
        largest = max(largest, resident(x))
    assert (largest < 6 * 2**20) == (mode == "r")


def resident(array):
    """Bytes of a mapped array that count as this process's memory."""
    address = array.__array_interface__["data"][0]
    inside = False
    for line in pathlib.Path("/proc/self/smaps").read_text().splitlines():
        first = line.split()[0]
        if "-" in first and not first.endswith(":"):
            begin, end = (int(part, 16) for part in first.split("-"))
            inside = begin <= address < end
        elif inside and first == "Rss:":
            return int(line.split()[1]) * 1024
    raise LookupError("no such mapping")


REFUSALS = {
    r"x: expected numbers, got \[3\] object": lambda: Sequences(Counted(np.array([None] * 3)), np.zeros(3)),
    r"x: expected \[n, T, ...\], got \[3\] float64": lambda: Sequences(Counted(np.zeros(3)), np.zeros(3)),
    r"offsets: expected \[n \+ 1\] whole numbers, got \[1\] int64": lambda: Ragged(np.zeros(3), [0]),
    "offsets: expected numbers that rise from 0 to at most 3": lambda: Ragged(np.zeros(3), [0, 2, 1]),
    "y: expected one for each of 4 sequences, got 3": lambda: Sequences(Counted(np.zeros((4, 2, 1))), np.zeros(3)),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    with pytest.raises(ValueError, match=message):
        REFUSALS[message]()
