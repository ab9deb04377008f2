"""The processes that train one model together, as one of them sees them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import _core
from ..data import Batch
from ..data.batch import arrays_of
from ..files import add_array, new_hasher
from .communicator import Communicator
from .guard import Guard

# What a process says of itself beside its numbers.
GOES_ON, STOPS, ENDED, EXPLODED = range(4)


class Ranks:
    """Each process has the whole data, takes its share of every batch, and has the same parameters after each update.

    After the start everything between them is `joined`: a sum of some numbers, with a word of each process about
    itself. Only in an update the sum of the gradients follows it, and at the end of an epoch a reason to stop. So a
    process that ends early can say so, whatever the others are about to sum. With one process nothing is done.

    Attributes:
        rank, size: the number of this process, and how many there are.
        stopper: the first process with a reason to stop, as of the last sum; None without one.
    """

    def __init__(self, communicator: Communicator | None = None, guard: Guard | None = None):
        self._communicator, self._guard = communicator, Guard() if guard is None else guard
        self.rank = 0 if communicator is None else communicator.rank
        self.size = 1 if communicator is None else communicator.size
        self.stopper: int | None = None
        self._alone = self.size == 1  # or left by the others
        self._flat = np.empty(0)
        self._seen = 0  # bits of the batches since the last sum

    def share(self, batch: Batch) -> Batch | None:
        """This process's sequences of a batch, or None if there are fewer than processes. Neighbours are about as long
        as each other, so every `size`-th is taken. The next sum compares the batches of all."""
        if self.size == 1:
            return batch
        self._seen = _batch_bits(batch, self._seen)
        return batch.part(slice(self.rank, None, self.size)) if self.rank < batch.size else None

    def draw(self, state: Any, *place: int) -> Any:
        """A model's random state for this process's share of the batch at this place. It depends on the place alone, so
        a checkpoint needs that of no process, and processes draw different numbers."""
        return _fresh(state, np.random.SeedSequence([*place, self.rank]))

    def joined(self, *numbers: float, mark: int = GOES_ON, bits: int = 0) -> list[float]:
        """The sums of up to three numbers over all processes.

        Args:
            mark: what this process says of itself.
            bits: 64 bits that are to be the same in all processes.

        Raises:
            RuntimeError: a process has ended, has gone, or has other bits or batches.
            FloatingPointError: a process has ended so.
        """
        if self._alone:
            self.stopper = self.rank if mark == STOPS else None
            return [*numbers]
        bits, self._seen = bits ^ self._seen, 0
        row = np.zeros(3 + 3 * self.size)
        table = row[3:].reshape(self.size, 3)
        row[: len(numbers)] = numbers
        table[self.rank] = mark, bits >> 32, bits & 0xFFFFFFFF
        self._sum(row)
        ended = np.flatnonzero(table[:, 0] >= ENDED)
        if len(ended):
            self._alone = True
            kind = FloatingPointError if (table[:, 0] == EXPLODED).any() else RuntimeError
            raise kind(
                f"communicator: expected {self.size} processes to go on, but {_named(ended)} ended early"
            )
        other = np.flatnonzero((table[:, 1:] != table[0, 1:]).any(1))
        if len(other):
            self._alone = True
            raise RuntimeError(
                "communicator: expected the same batches and parameters in every process, but those of "
                f"{_named(other)} are not those of process 0; data must be the same, and callbacks that change a run "
                "must do the same, in all of them"
            )
        stops = np.flatnonzero(table[:, 0] == STOPS)
        self.stopper = int(stops[0]) if len(stops) else None
        return row[: len(numbers)].tolist()

    def together(self) -> contextlib.AbstractContextManager[None]:
        """A block in which signals wait: two sums in it are one for the others, if there are any."""
        return contextlib.nullcontext() if self._alone else self._guard.deferring()

    def add_up(self, grads: Mapping[str, np.ndarray]) -> None:
        """Sum gradients over all processes, in one buffer."""
        if self._alone:
            return
        arrays = [*grads.values()]
        size, dtype = sum(array.size for array in arrays), arrays[0].dtype
        if self._flat.size != size or self._flat.dtype != dtype:
            self._flat = np.empty(size, dtype)
        parts = np.split(self._flat, np.cumsum([array.size for array in arrays])[:-1])
        for part, array in zip(parts, arrays, strict=True):
            part[:] = array.reshape(-1)
        self._sum(self._flat)
        for part, array in zip(parts, arrays, strict=True):
            array[...] = part.reshape(array.shape)

    def same(self, value: Any, root: int | None = 0) -> Any:
        """What the process `root` has, in all of them."""
        if self._alone or root is None:
            return value
        assert self._communicator is not None
        return self._communicator.broadcast(value, root)

    def gathered(self, value: Any) -> list[Any]:
        """What each process has, by rank, in all of them. It follows a sum, as an update's gradients do."""
        with self.together():
            return [self.same(value, root) for root in range(self.size)]

    def leave(self, error: BaseException) -> None:
        """Tell the others, who would wait for this process, that it has ended."""
        if not self._alone:
            with contextlib.suppress(Exception):  # the error itself says more
                self.joined(mark=EXPLODED if isinstance(error, FloatingPointError) else ENDED)

    def _sum(self, array: np.ndarray) -> None:
        assert self._communicator is not None
        try:
            with self.together():  # a signal waits: between two sums the others could not be told of it
                self._communicator.sum(array)
        except Exception as error:
            self._alone = True
            raise RuntimeError(
                f"communicator: expected all {self.size} processes to answer process {self.rank}, "
                f"but one of them has gone: {error}"
            ) from error


def _batch_bits(batch: Batch, before: int) -> int:
    """A fingerprint of a batch, and of what was `before` it."""
    hasher = new_hasher()
    hasher.update(f"{before} {batch.done}".encode())
    for name in ("index", "x", "y", "lengths", "y_lengths", "mask", "weights", "future"):
        for array in arrays_of(getattr(batch, name)):
            if array.dtype == object:  # whose bytes are addresses
                hasher.update(repr((name, array.tolist())).encode())
            else:
                add_array(hasher, name, array)
    return int.from_bytes(hasher.digest()[:8], "little")


def parameter_bits(parameters: Mapping[str, np.ndarray]) -> int:
    """A fingerprint of a model's parameters."""
    return _core.fingerprint([np.ascontiguousarray(value) for value in parameters.values()])


def _named(ranks: np.ndarray) -> str:
    return f"process{'es' * (len(ranks) > 1)} {', '.join(map(str, ranks))}"


def _fresh(state: Any, seeds: np.random.SeedSequence) -> Any:
    """A random state of the same streams, begun anew."""
    if not isinstance(state, dict):
        return state
    if "bit_generator" in state:
        return getattr(np.random, state["bit_generator"])(seeds.spawn(1)[0]).state
    return {name: _fresh(value, seeds) for name, value in state.items()}
