"""Sources: samples that are read in order, in shards that can be read apart."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, Protocol, runtime_checkable

import numpy as np

from .. import _check
from .._arrays import to_numpy
from .lazy import Ragged, lazily
from .mapped import memory_map, was_read

# (x, y), (x, y, future), or a dict of arguments of Sequences: those of one sequence.
Sample = Any


@runtime_checkable
class Source(Protocol):
    """Samples in shards: what `Samples` reads.

    A checkpoint knows a source again by its attributes, or by what a method `fingerprint()` returns, if it has one.
    """

    @property
    def sizes(self) -> Any:
        """How many samples each shard has, or None where that is not known before it is read."""
        ...

    def read(self, shard: int, seed: list[int], begin: int) -> Iterable[Sample]:
        """The samples of a shard.

        Args:
            shard: its number, from 0.
            seed: of the epoch, for samples that are drawn.
            begin: samples to leave out at the shard's beginning.

        Returns:
            The samples, in their order.
        """
        ...


class Functions:
    """Each function gives an iterator of samples when it is called: one shard.

    A function may have an argument `seed`, a list of whole numbers that is another one in each epoch, and an argument
    `begin`, how many samples to leave out: one that can seek need not read them when a run resumes.

    Args:
        functions: a list of them.
    """

    def __init__(self, functions: Sequence[Callable[..., Iterable[Sample]]]):
        self.functions = list(functions)
        self.sizes = [None] * len(self.functions)

    def read(self, shard: int, seed: list[int], begin: int) -> Iterator[Sample]:
        """The samples of a shard.

        Args:
            shard: its number.
            seed: of the epoch.
            begin: samples to leave out at the shard's beginning.

        Returns:
            An iterator of samples.
        """
        function = self.functions[shard]
        takes = inspect.signature(function).parameters
        options = {name: value for name, value in (("seed", seed), ("begin", begin)) if name in takes}
        yield from islice(function(**options), 0 if "begin" in takes else begin, None)

    def _known_by(self) -> Any:
        return [_name(one) for one in self.functions]


class Items:
    """Samples by number: anything with `len` and `[i]`, such as a torch Dataset. Each is a shard of its own, so that
    they are shuffled one by one.

    Args:
        values: an object with `len` and `[i]`.
    """

    def __init__(self, values: Any):
        self.values, self.sizes = values, np.ones(len(values), np.int64)

    def read(self, shard: int, seed: list[int], begin: int) -> Iterator[Sample]:
        """The samples of a shard.

        Args:
            shard: its number.
            seed: of the epoch.
            begin: samples to leave out at the shard's beginning.

        Returns:
            An iterator of samples.
        """
        if not begin:
            yield self.values[shard]

    def _known_by(self) -> Any:
        return [type(self.values).__qualname__, len(self.values)]


class Blocks:
    """Arrays in files, in blocks of sequences that lie side by side: each is read at once and is a shard.

    `Sequences` of the same arrays reads sequence by sequence, which shuffles better, and takes long where they are
    compressed in chunks or on a disk that turns.

    Args:
        x, y: as of `Sequences`: memory maps, arrays of h5py (also of variable length) or zarr, `Ragged`, or arrays in
            memory.
        block: sequences in a shard.
        columns: other arguments of `Sequences`, by name, arrays like these.

    Raises:
        ValueError: they are not of the same length.
    """

    def __init__(self, x: Any, y: Any = None, *, block: int = 256, **columns: Any):
        self.block = _check.whole_number("block", block, 1)
        given = {"x": x, "y": y, **columns}
        self.columns = {name: _column(name, value) for name, value in given.items() if value is not None}
        n = len(self.columns["x"])
        for name, value in self.columns.items():
            if len(value) != n:
                raise ValueError(f"{name}: expected one for each of {n} sequences, got {len(value)}")
        self.sizes = np.diff([*range(0, n, self.block), n])

    def read(self, shard: int, seed: list[int], begin: int) -> Iterator[Sample]:
        """The samples of a shard.

        Args:
            shard: its number.
            seed: of the epoch.
            begin: samples to leave out at the shard's beginning.

        Returns:
            An iterator of samples.
        """
        first = shard * self.block
        rows = range(first + begin, first + int(self.sizes[shard]))
        parts = {name: _between(values, rows) for name, values in self.columns.items()}
        for i in range(len(rows)):
            yield {name: part[i] for name, part in parts.items()}


def _name(function: Any) -> Any:
    if isinstance(function, partial):
        return [_name(function.func), function.args, function.keywords]
    return [getattr(function, "__module__", ""), getattr(function, "__qualname__", "")]


def _column(name: str, values: Any) -> Any:
    lazy = lazily(values)
    if lazy is not None:
        return lazy
    return values if isinstance(values, (list, Ragged)) else to_numpy(name, values)


def _between(values: Any, rows: range) -> Any:
    """These rows, in memory."""
    if isinstance(values, Ragged):
        return values.between(rows)
    part = values[rows.start : rows.stop]
    if memory_map(part) is not None:
        part = np.array(part)
        was_read(values, part.nbytes)
    return part


def as_source(name: str, value: Any) -> Source:
    """A source itself, or that of a function, of functions, of a tuple of arrays, of a dataset or of an iterable.

    Raises:
        ValueError: it is none of these, or an iterator, which can be read only once.
    """
    if isinstance(value, Source):
        return value
    if callable(value) and not isinstance(value, type):
        return Functions([value])
    if isinstance(value, list) and value and all(map(callable, value)):
        return Functions(value)
    if isinstance(value, tuple) and len(value) in (2, 3):
        return Blocks(**dict(zip(("x", "y", "future"), value, strict=False)))
    if isinstance(value, Iterator):
        raise ValueError(
            f"{name}: expected what can be read again in each epoch, got {_check.describe(value)}, which can be read "
            "once; pass the function that makes it"
        )
    in_order = any(kind.__name__ == "IterableDataset" for kind in type(value).__mro__)  # torch's has no items
    if hasattr(value, "__getitem__") and hasattr(value, "__len__") and not in_order:
        return Items(value)
    if isinstance(value, Iterable):
        return _Iterable(value)
    raise ValueError(
        f"{name}: expected a source, a function that gives an iterator of samples, or a dataset, got "
        f"{_check.describe(value)}"
    )


class _Iterable(Functions):
    """One shard: what `iter` gives, anew for each epoch."""

    def __init__(self, values: Iterable[Sample]):
        super().__init__([lambda: iter(values)])
        self._kind = type(values).__qualname__

    def _known_by(self) -> Any:
        return [self._kind]
