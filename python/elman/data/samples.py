"""Data larger than memory: samples of a source, in windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count as counting
from itertools import islice
from typing import Any

import numpy as np

from .. import _check
from .._arrays import to_numpy
from .ahead import prefetch
from .batch import Batch
from .mapped import memory_map
from .named import NamedSequences
from .sequences import Sequences
from .sources import Sample, as_source

NAMES = ("x", "y", "future")


class Samples:
    """Sequences of a source that is read in order, so many at a time as memory has room for.

    A window of sequences is read, shuffled and parted into batches of similar length, as `Sequences` does it with all
    of them, while the next one is read. Before that the shards of the source are shuffled. With windows that hold many
    shards, or a source that is shuffled already, that is as good as shuffling everything.

    Args:
        source: what gives the samples, anew for each epoch. A function that gives an iterator of samples, such as a
            generator function (see `Functions` for what it may be told), or a list of such functions: a shard each. A
            dataset with `len` and `[i]`, or an iterable (torch's Dataset and IterableDataset, for instance). A tuple
            (x, y) of arrays in files, read as `Blocks`. `Blocks` or `ArrowFiles`. Or a `Source` of your own. A sample
            is (x, y), (x, y, future), or a dict of arguments of `Sequences`, of one sequence.
        window: sequences that are held at once (a few more, to make whole batches; three windows are held in all).
        count: sequences in an epoch, where the source does not know. It ends an epoch of a source that does not end,
            and learning-rate schedules and the progress bar go by it. None: as many as there are, which the first
            epoch counts.
        truncate: as in `Sequences`.
        vocabulary: makes tokens of x, if that holds texts or lists of words; where x are dicts, a dict by name.
        transform: a function of a sample that gives the sample to use (to cut it, to scale it, to turn text into
            tokens). It gets what the source gives, of `Blocks` and `ArrowFiles` a dict: {"x": ..., "y": ...}. It runs
            in the thread that reads.
        ahead: batches to prepare in a thread while the engine works; 0: no thread.

    Raises:
        ValueError: an argument does not fit.
    """

    unit = "sequences"

    def __init__(
        self,
        source: Any,
        window: int = 4096,
        *,
        count: int | None = None,
        truncate: int | None = None,
        vocabulary: Any = None,
        transform: Callable[[Sample], Sample] | None = None,
        ahead: int = 2,
    ):
        self.source = as_source("source", source)
        self.window = _check.whole_number("window", window, 1)
        self.count = None if count is None else _check.whole_number("count", count, 1)
        self.truncate = None if truncate is None else _check.whole_number("truncate", truncate, 1)
        if transform is not None and not callable(transform):
            raise ValueError(f"transform: expected a function of a sample, got {_check.describe(transform)}")
        self.transform, self.vocabulary = transform, vocabulary
        self.ahead = _check.whole_number("ahead", ahead, 0)
        sizes = self.source.sizes
        if not len(sizes):
            raise ValueError("source: expected at least one shard, got none")
        known = isinstance(sizes, np.ndarray) or None not in sizes
        ends = [size for size in (int(np.sum(sizes)) if known else None, self.count) if size is not None]
        self._size = min(ends) if ends else None

    def __len__(self) -> int:
        if self._size is None:
            raise TypeError("source: how many samples it has is not known before it is read")
        return self._size

    def __bool__(self) -> bool:
        return True  # also where the size is not known

    def _known_by(self) -> Any:
        """By its arguments, its source, and the first samples of some shards; of functions by their names alone."""
        source = self.source
        own = getattr(source, "fingerprint", None)
        shards = np.unique(np.linspace(0, len(source.sizes) - 1, 8).astype(int)).tolist()
        some = [_named(sample) for shard in shards for sample in islice(source.read(shard, [0], 0), 2)]
        name = getattr(self.transform, "__qualname__", None)
        settings = [self.count, self.window, self.truncate, self.vocabulary, name]
        return [own() if callable(own) else source, settings, some]

    def batches(self, batch_size: int, seed: Any = None, skip: int = 0) -> Iterator[Batch]:
        """Batches of up to `batch_size` sequences, of similar length within each window; the seed shuffles shards and
        windows, with None the order is fixed. The first `skip` are not made, and not read where the source can do
        without."""
        return prefetch(self._batches(batch_size, seed, skip), self.ahead)

    def _batches(self, batch_size: int, seed: Any, skip: int) -> Iterator[Batch]:
        each = -(-self.window // batch_size)  # batches of a window
        seeds = [] if seed is None else np.atleast_1d(seed).tolist()
        first = 0
        if self.truncate is None:
            first, skip = divmod(skip, each)
        reading = prefetch(
            self._windows(each * batch_size, seeds, first, seed is not None), min(self.ahead, 1)
        )
        for number, samples in reading:
            before = number * each * batch_size
            columns = _columns(samples)
            del samples  # they have been copied
            if isinstance(columns["x"], Mapping):
                if self.truncate is not None:
                    raise ValueError(f"truncate: expected None with x that are dicts, got {self.truncate}")
                window: Any = NamedSequences(**columns, vocabulary=self.vocabulary)
            else:
                window = Sequences(**columns, truncate=self.truncate, vocabulary=self.vocabulary)
            inner = None if seed is None else [*seeds, number]
            for batch in window.batches(batch_size, inner):
                if skip:
                    skip -= 1
                    continue
                yield replace(batch, index=batch.index + before, done=batch.done + before)

    def _windows(
        self, size: int, seed: list[int], first: int, shuffled: bool
    ) -> Iterator[tuple[int, list[Sample]]]:
        """The samples of each window, and its number."""
        begin = first * size
        reading = self._samples(seed, begin, shuffled)
        if self.count is not None:
            reading = islice(reading, max(0, self.count - begin))
        for number in counting(first):
            samples = list(islice(reading, size))
            if not samples:
                if not number:
                    raise ValueError("source: expected at least one sequence, got none")
                return
            yield number, samples

    def _samples(self, seed: list[int], begin: int, shuffled: bool) -> Iterator[Sample]:
        """All samples after the first `begin`, shard after shard."""
        sizes = self.source.sizes
        order = np.arange(len(sizes))
        if shuffled:
            order = np.random.default_rng(seed).permutation(order)
        for number, shard in enumerate(order.tolist(), 1):
            size = sizes[shard]
            if size is not None and size <= begin:
                begin -= int(size)
                continue
            # A shard of unknown size may end before `begin`, so it is counted, unless there is no other to go on with.
            leave = begin if size is not None or number == len(order) else 0
            for sample in self.source.read(shard, seed or [0], leave):
                if begin > leave:
                    begin -= 1
                    continue
                yield sample if self.transform is None else self.transform(sample)
            begin -= leave


def _columns(samples: list[Sample]) -> dict[str, Any]:
    """The arguments of Sequences that these samples make; of NamedSequences, where their x are dicts."""
    named = [_named(sample) for sample in samples]
    for sample in named:
        if sample.keys() != named[0].keys():
            raise ValueError(f"samples: expected {', '.join(named[0])} as in others, got {', '.join(sample)}")
    return {name: _stacked(name, [sample[name] for sample in named]) for name in named[0]}


def _named(sample: Sample) -> dict[str, Any]:
    if isinstance(sample, dict):
        return sample
    if not isinstance(sample, (tuple, list)) or len(sample) not in (2, 3):
        raise ValueError(f"samples: expected (x, y), (x, y, future) or a dict, got {_check.describe(sample)}")
    return dict(zip(NAMES, sample, strict=False))


def _stacked(name: str, values: list[Any]) -> Any:
    """[n, ...] where all are alike, as in memory, or a list; of dicts a dict of these."""
    if isinstance(values[0], Mapping):
        return {key: _stacked(f"{name}[{key!r}]", [value[key] for value in values]) for key in values[0]}
    if not all(hasattr(value, "shape") for value in values):
        return values
    arrays = [to_numpy(name, value) for value in values]
    arrays = [array if memory_map(array) is None else np.array(array) for array in arrays]
    alike = len({(array.shape, array.dtype) for array in arrays}) == 1
    return np.stack(arrays) if alike else arrays
