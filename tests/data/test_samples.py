"""Samples of a source: every one once, in windows, the same for the same seed, from any place on."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data import Blocks, NamedSequences, Ragged, Samples, Sequences, Vocabulary
from elman.data.batch import size_of
from elman.data.fingerprint import fingerprint
from tests.support.runs import data


def samples(n, seed=0):
    rng = np.random.default_rng(seed)
    return [
        (np.full((t, 2), i + 0.5, np.float32), np.full(t, i)) for i, t in enumerate(rng.integers(1, 9, n))
    ]


class Shards:
    """A source of one's own."""

    def __init__(self, sizes, known):
        ends = np.cumsum(sizes)
        self.parts = [samples(ends[-1])[end - size : end] for end, size in zip(ends, sizes, strict=True)]
        self.sizes = [size if know else None for size, know in zip(sizes, known, strict=True)]
        self.reads = []

    def read(self, shard, seed, begin):
        for i, sample in enumerate(self.parts[shard][begin:]):
            self.reads.append((shard, begin + i))
            yield sample

    def fingerprint(self):
        return "shards"


def numbers(batches):
    """The number of each sequence, which its values say."""
    return [int(batch.x[0, b, 0]) for batch in batches for b in range(batch.size)]


@settings(max_examples=40, deadline=None)
@given(
    shards=st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=6),
    window=st.integers(1, 12),
    batch_size=st.integers(1, 5),
    seed=st.none() | st.integers(0, 9) | st.lists(st.integers(0, 9), min_size=1, max_size=2),
    truncate=st.none() | st.integers(1, 4),
    skip=st.integers(0, 9),
    ahead=st.integers(0, 2),
    count=st.none() | st.integers(1, 40),
)
def test_every_sequence_once(shards, window, batch_size, seed, truncate, skip, ahead, count):
    source = Shards(*zip(*shards, strict=True))
    n = whole = sum(size for size, _ in shards)
    if count is not None:
        n = min(n, count)
    given = Samples(source, window, truncate=truncate, ahead=ahead, count=count)
    batches = list(given.batches(batch_size, seed))
    assert batches[-1].done == n and all(batch.size <= batch_size for batch in batches)
    if truncate is None:
        assert len({*numbers(batches)}) == len(numbers(batches)) == n
        if n == whole or seed is None:
            assert sorted(numbers(batches)) == list(range(n))
        assert sorted(np.concatenate([batch.index for batch in batches])) == list(range(n))
    skip = min(skip, len(batches))
    for batch, other in zip(given.batches(batch_size, seed, skip=skip), batches[skip:], strict=True):
        np.testing.assert_array_equal(batch.x, other.x)
        np.testing.assert_array_equal(batch.y, other.y)
        assert batch.done == other.done and batch.continues == other.continues


def test_a_window_as_large_as_all_is_sequences_of_all():
    parts = samples(30)
    got = Samples(lambda: iter(parts), window=30).batches(4, [3, 1])
    want = Sequences([x for x, _ in parts], [y for _, y in parts]).batches(4, [3, 1, 0])
    for batch, other in zip(got, want, strict=True):
        np.testing.assert_array_equal(batch.x, other.x)
        np.testing.assert_array_equal(batch.index, other.index)


def test_windows_hold_whole_batches_of_similar_length():
    batches = list(Samples(lambda: iter(samples(64)), window=15).batches(8, 0))
    assert [batch.size for batch in batches] == [8] * 8
    for first in range(0, 8, 2):
        assert sorted(numbers(batches[first : first + 2])) == list(range(8 * first, 8 * first + 16))
        one, other = (batch.lengths for batch in batches[first : first + 2])
        assert one.min() >= other.max() or other.min() >= one.max()


def test_shards_are_shuffled_and_the_seed_says_how():
    source = Samples(Shards([4] * 10, [True] * 10), window=4)
    order = [numbers([batch])[0] // 4 for batch in source.batches(4, [0, 1])]
    assert sorted(order) == list(range(10)) and order != sorted(order)
    assert [numbers([batch])[0] // 4 for batch in source.batches(4, [0, 1])] == order
    assert [numbers([batch])[0] // 4 for batch in source.batches(4, [0, 2])] != order
    assert [numbers([batch])[0] // 4 for batch in source.batches(4)] == list(range(10))


def test_what_is_left_out_is_not_read():
    source = Shards([5, 5, 5, 5], [True] * 4)
    list(Samples(source, window=4, ahead=0).batches(2, skip=6))  # three windows of two batches
    assert source.reads[0] == (2, 2) and len(source.reads) == 8


def test_a_function_is_told_the_seed_and_where_to_begin():
    told = []

    def draw(seed, begin):
        told.append((seed, begin))
        yield from samples(20, seed[-1])[begin:]

    given = Samples(draw, window=4, ahead=0)
    first, second, again = (numbers_of(given.batches(4, [7, epoch])) for epoch in (0, 1, 0))
    assert first == again != second
    list(given.batches(4, [7, 1], skip=3))
    list(given.batches(4))
    assert told == [([7, 0], 0), ([7, 1], 0), ([7, 0], 0), ([7, 1], 12), ([0], 0)]


def numbers_of(batches):
    return [batch.x.tolist() for batch in batches]


class Letters:
    """A dataset of items, as torch's."""

    def __len__(self):
        return 40

    def __getitem__(self, i):
        return {"x": np.full((2, 2), i + 0.5, np.float32), "y": np.full(2, i)}


class IterableDataset:
    """A torch IterableDataset without torch: it has a __getitem__ that refuses."""

    def __iter__(self):
        return iter(samples(40))

    def __getitem__(self, i):
        raise NotImplementedError

    def __len__(self):
        return 40


def test_what_is_a_source():
    x, y = np.arange(40.0)[:, None, None] + np.full((40, 3, 2), 0.5), np.zeros(40)
    given = {
        "function": lambda: iter(samples(40)),
        "functions": [lambda i=i: iter(samples(40)[i::4]) for i in range(4)],
        "items": Letters(),
        "iterable": IterableDataset(),
        "list": samples(40),
        "arrays": (x, y),
        "blocks": Blocks(x, y, block=7),
        "own": Shards([20, 20], [True, False]),
    }
    for name, source in given.items():
        one = Samples(source, window=16)
        assert sorted(numbers(one.batches(4, 0))) == list(range(40)), name
        known = name in ("items", "list", "arrays", "blocks")
        assert size_of(one) == (40 if known else None), name
        assert (
            fingerprint(one)
            == fingerprint(Samples(source, window=16))
            != fingerprint(Samples(source, window=17))
        )
        assert size_of(Samples(source, window=16, count=24)) == 24
        assert len(numbers(Samples(source, count=24).batches(5, 0))) == 24


def test_items_are_shuffled_one_by_one():
    first = numbers(Samples(Letters(), window=4).batches(4, 1))[:4]
    assert max(first) - min(first) > 8


def test_an_endless_source_ends_by_count():
    def endless():
        while True:
            yield from samples(7)

    batches = list(Samples(endless, window=4, count=10).batches(3))
    assert batches[-1].done == sum(batch.size for batch in batches) == 10


def test_transform():
    source = Samples(lambda: iter(range(9)), transform=lambda i: (np.full((2, 1), i), i % 2), window=4)
    assert sorted(numbers(source.batches(2, 0))) == list(range(9))


def test_functions_are_known_by_their_arguments_too():
    def part(i):
        return iter(samples(8)[i::2])

    one, same, other = (
        fingerprint(Samples([functools.partial(part, i) for i in order]))
        for order in ((0, 1), (0, 1), (1, 0))
    )
    assert one == same != other


def test_texts():
    words = Vocabulary(["a", "b", "?"], unknown="?")
    source = Samples(lambda: zip(["a b", "b", "c a a"], [0, 1, 0], strict=True), vocabulary=words)
    (batch,) = source.batches(3)
    assert batch.x.T.tolist() == [[2, 0, 0], [0, 1, 0], [1, 0, 0]] and batch.y.tolist() == [0, 0, 1]


def test_masks_and_weights():
    x, y = data(n=12)
    mask, weights = np.ones((12, 5), bool), np.arange(12.0)
    mask[:, 2] = False
    parts = [{"x": x[i], "y": y[i], "mask": mask[i], "weights": weights[i]} for i in range(12)]
    got = Samples(parts, window=12).batches(5)
    for batch, other in zip(got, Sequences(x, y, mask=mask, weights=weights).batches(5), strict=True):
        for name in ("x", "y", "mask", "weights"):
            np.testing.assert_array_equal(getattr(batch, name), getattr(other, name))


def test_named_inputs():
    x, y = data(n=12)
    parts = [{"x": {"a": x[i], "b": x[i, 0]}, "y": {"t": y[i]}} for i in range(12)]
    want = NamedSequences({"a": x, "b": x[:, 0]}, {"t": y}).batches(5)
    for batch, other in zip(Samples(parts, window=12).batches(5), want, strict=True):
        for name in "ab":
            np.testing.assert_array_equal(batch.x[name], other.x[name])
        np.testing.assert_array_equal(batch.y["t"], other.y["t"])


def test_blocks_of_hdf5(tmp_path, rng):
    """Of variable length, of whole arrays, and ragged by an index."""
    import h5py

    lengths = rng.integers(1, 6, 30)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    with h5py.File(tmp_path / "a.h5", "w") as file:
        vlen = file.create_dataset("vlen", 30, h5py.vlen_dtype(np.int64))
        for i, t in enumerate(lengths):
            vlen[i] = np.full(t, i)
        flat = file.create_dataset("flat", data=np.repeat(np.arange(30), lengths), chunks=(7,))
        y = file.create_dataset("y", data=np.arange(30), compression="gzip")
        for x in (vlen, Ragged(flat, offsets)):
            source = Samples(Blocks(x, y, block=4), window=12)
            assert len(source) == 30
            seen = []
            for batch in source.batches(4, 0):
                for b in range(batch.size):
                    assert (batch.x[: batch.lengths[b], b] == batch.y[b]).all()
                    assert batch.lengths[b] == lengths[batch.y[b]]
                seen += batch.y.tolist()
            assert sorted(seen) == list(range(30))
            assert fingerprint(source) == fingerprint(Samples(Blocks(x, y, block=4), window=12))


REFUSALS = {
    "source: expected what can be read again in each epoch, got generator, which can be read once":
        lambda: Samples(x for x in samples(2)),
    "source: expected a source, a function that gives an iterator of samples, or a dataset, got 3":
        lambda: Samples(3),
    "source: expected at least one shard, got none": lambda: Samples([]),
    "source: expected at least one sequence, got none": lambda: list(Samples(lambda: iter(())).batches(2)),
    "window: expected a whole number of at least 1, got 0": lambda: Samples(samples(2), 0),
    "count: expected a whole number of at least 1, got 0": lambda: Samples(samples(2), count=0),
    "ahead: expected a whole number of at least 0, got -1": lambda: Samples(samples(2), ahead=-1),
    "transform: expected a function of a sample, got 3": lambda: Samples(samples(2), transform=3),
    r"samples: expected \(x, y\), \(x, y, future\) or a dict, got 5": lambda: list(Samples([5, 6]).batches(2)),
    "samples: expected x, y as in others, got x":
        lambda: list(Samples([{"x": np.ones((2, 1)), "y": 1}, {"x": np.ones((2, 1))}]).batches(2)),
    "truncate: expected None with x that are dicts, got 2":
        lambda: next(Samples([({"a": np.ones((3, 1))}, {"b": 1.0})], truncate=2).batches(1)),
    "vocabulary: expected a dict of Vocabulary by name, got Vocabulary":
        lambda: next(Samples([({"a": ["w"]}, {"b": 1.0})], vocabulary=Vocabulary(["w"])).batches(1)),
    "block: expected a whole number of at least 1, got 0": lambda: Blocks(np.zeros((2, 1, 1)), block=0),
    "y: expected one for each of 2 sequences, got 3": lambda: Blocks(np.zeros((2, 1, 1)), np.zeros(3)),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    with pytest.raises(ValueError, match=message):
        REFUSALS[message]()
