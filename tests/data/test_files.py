"""Data in files (memory maps, HDF5): the bits of the same data in memory, and never read whole."""

import contextlib
import itertools

import numpy as np
import pytest

from elman.data import Blocks, NamedSequences, Ragged, Sequences, Stream, forecast_windows
from elman.data.fingerprint import fingerprint
from elman.data.lazy import Lazy, Stored
from elman.models import Forecaster, LanguageModel, SequenceTagger
from elman.train import fit
from tests.support.filed import Counted, mapped_copy
from tests.support.runs import data, regressor, run, same


@pytest.fixture
def filed(tmp_path):
    """A function that puts an array into a file of each kind."""
    with contextlib.ExitStack() as opened:
        numbers = itertools.count()

        def make(kind, array):
            name = f"{next(numbers)}-{kind}"
            if kind == "h5py":
                import h5py

                file = opened.enter_context(h5py.File(tmp_path / f"{name}.h5", "w"))
                return file.create_dataset(name, data=array, chunks=True)
            if kind == "slices":
                return Counted(array)
            return mapped_copy(tmp_path / f"{name}.npy", array, "c" if kind == "copy" else "r")

        yield make


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


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_of_it_stays_in_the_file(filed, kind, rng):
    x, y = data(n=30)
    index = rng.permutation(30)[:20]
    source = Sequences(filed(kind, x), filed(kind, y))
    got = source.subset(index)
    assert isinstance(got.x, Lazy) and isinstance(got.y, Lazy) and len(got) == 20
    equal(got.batches(4, 0), Sequences(x[index], y[index]).batches(4, 0))
    equal(got.subset([3, 1]).batches(4), Sequences(x[index][[3, 1]], y[index][[3, 1]]).batches(4))
    assert fingerprint(got) == fingerprint(source.subset(index)) != fingerprint(source.subset(index[::-1]))
    ragged = Sequences(Ragged(filed(kind, x.reshape(-1, 2)), np.arange(0, 151, 5)), y).subset(index)
    assert isinstance(ragged.x, Ragged)
    equal(ragged.batches(4, 0), Sequences(list(x[index]), y[index]).batches(4, 0))
    for i, sample in enumerate(Blocks(ragged.x, block=20).read(0, [0], 0)):
        np.testing.assert_array_equal(sample["x"], x[index[i]])


@pytest.mark.parametrize("kind", KINDS)
def test_named_inputs(filed, kind):
    x, y = data(n=30)
    here = NamedSequences({"a": x, "b": x[:, 0]}, {"y": y})
    there = NamedSequences({"a": filed(kind, x), "b": filed(kind, x[:, 0])}, {"y": filed(kind, y)})
    for batch, other in zip(there.batches(4, 0, skip=2), list(here.batches(4, 0))[2:], strict=True):
        np.testing.assert_array_equal(batch.x["a"], other.x["a"])
        np.testing.assert_array_equal(batch.x["b"], other.x["b"])
        np.testing.assert_array_equal(batch.y["y"], other.y["y"])
        assert batch.done == other.done


@pytest.mark.parametrize("kind", KINDS)
def test_the_other_order_of_bytes(filed, kind):
    x, y = data(n=30)
    source = Sequences(filed(kind, x.astype(">f4")), filed(kind, y))
    assert isinstance(source.x, Lazy)  # turned round batch by batch
    equal(source.batches(4, 0), Sequences(x, y).batches(4, 0))
    assert fingerprint(source) == fingerprint(Sequences(source.x, source.y))


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


def test_weights_of_steps_read_no_target(rng):
    """Neither where y is in a file nor where it is `Ragged`."""
    x, y = rng.standard_normal((50, 4, 2)), Counted(np.zeros((50, 4)))
    values = Counted(np.zeros(200))
    Sequences(x, y, weights=np.ones((50, 4)))
    Sequences(x, Ragged(values, range(0, 201, 4)), weights=np.ones((50, 4)))
    assert not y.read and not values.read
    with pytest.raises(
        ValueError, match=r"weights\[0\]: expected \[4\], one for each step of y, got \[3\] float64"
    ):
        Sequences(x, y, weights=np.ones((50, 3)))
