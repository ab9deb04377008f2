"""What every kind of data gives: batches."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from .. import _check


@dataclass(frozen=True)
class Batch:
    """Some sequences: what a model reads is time-first, the targets are [B, ...].

    Attributes:
        x: [T, B, ...]. Of `NamedSequences` x, y and their lengths are dicts by name, of arrays [B, ...].
        lengths: [B], steps of each sequence, or None where all have T.
        y: the targets, [B, ...]; where they are sequences, [B, S, ...]. `y_steps` has them time-first.
        y_lengths: [B], steps of each sequence of y, or None where all have S (or y is no sequence).
        future: [S, B, C], what is known of the steps to forecast, or None.
        index: [B], which of the data's sequences these are.
        continues: whether these sequences go on from the batch before, whose state they take over.
        done: how much of the data has been read when this batch has, in the data's `unit`.
        mask: [T, B] bool, steps of x that count, or None where all within the lengths do. Of `NamedSequences` a dict
            by input's name, of arrays [B, T].
        weights: [B], or [B, S] for each step of y, how much each target counts; None where all count alike. Of
            `NamedSequences` [B], or a dict by target's name.
    """

    x: Any
    lengths: Any
    y: Any
    y_lengths: Any
    index: np.ndarray
    future: np.ndarray | None = None
    continues: bool = False
    done: int = 0
    mask: Any = None
    weights: Any = None

    @property
    def size(self) -> int:
        """B, how many sequences."""
        return len(self.index)

    @property
    def count(self) -> float:
        """How many sequences count: B, or with weights of theirs the sum of these."""
        alike = self.weights is None or isinstance(self.weights, dict)
        return self.size if alike else float(self.weights.sum())

    def but(self, **values: Any) -> Batch:
        """The same batch with other values: what `dataclasses.replace` does, in a fraction of its time."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, **values)
        return other

    def part(self, rows: slice) -> Batch:
        """Some of the sequences, those of the slice `rows`, in arrays of their own. `done` is that of the whole
        batch."""

        def taken(value: Any, axis: int = 0) -> Any:
            if isinstance(value, dict):
                return {name: taken(array) for name, array in value.items()}
            return None if value is None else np.ascontiguousarray(value[(slice(None),) * axis + (rows,)])

        seconds = {name: taken(getattr(self, name), 1) for name in ("x", "future", "mask")}
        firsts = {
            name: taken(getattr(self, name)) for name in ("lengths", "y", "y_lengths", "index", "weights")
        }
        return replace(self, **seconds, **firsts)

    def targets(self) -> Any:
        """y, which must be there.

        Raises:
            ValueError: it is not.
        """
        if self.y is None:
            raise ValueError("y: expected targets, got None")
        return self.y

    def y_steps(self) -> tuple[np.ndarray, np.ndarray | None]:
        """y as [S, B, ...], beside predictions for each step, and its lengths; None where all have S.

        Raises:
            ValueError: there is no y, or it has no steps.
        """
        y, lengths = self.targets(), self.y_lengths
        if y.ndim < 2:
            raise ValueError(f"y: expected a target for each step, got {_check.describe(y)}")
        whole = lengths is None or (lengths == y.shape[1]).all()
        return np.ascontiguousarray(y.swapaxes(0, 1)), None if whole else lengths

    def step_weights(self) -> np.ndarray | None:
        """weights as [S, B], beside `y_steps`."""
        if self.weights is None:
            return None
        steps = self.targets().shape[1]
        w = (
            self.weights
            if self.weights.ndim == 2
            else np.broadcast_to(self.weights[:, None], (self.size, steps))
        )
        return np.ascontiguousarray(w.T)

    def step_mask(self) -> np.ndarray | None:
        """The mask for targets of steps; None if they are not the steps of x."""
        return self.mask if self.mask is not None and len(self.mask) == self.targets().shape[1] else None


def arrays_of(held: Any) -> list[np.ndarray]:
    """The arrays of a batch's x or y: one, several by name, or none."""
    return [] if held is None else list(held.values()) if isinstance(held, dict) else [held]


class Data(Protocol):
    """What `fit` takes: a number of sequences (or steps: `unit`), and batches of them.

    A checkpoint knows it again by its attributes, or by what a method `fingerprint()` returns, if it has one. If
    `batches` has an argument `skip`, a run that resumes asks for the batches after so many.
    """

    unit: str

    def __len__(self) -> int:
        """How much there is, in units. One that cannot know raises TypeError."""
        ...

    def batches(self, batch_size: int, seed: Any = None) -> Iterator[Batch]:
        """Every sequence once, `batch_size` at a time (the last batches may have fewer), in an order that the seed
        decides; with None in a fixed order."""
        ...


def size_of(data: Data) -> int | None:
    """How much of it there is, or None where it cannot know."""
    try:
        return len(data)
    except TypeError:
        return None


def batches_from(data: Data, batch_size: int, seed: Any, skip: int) -> Generator[Batch, None, None]:
    """The batches after the first `skip`, which are not made where the data can do without."""
    if not skip:
        yield from data.batches(batch_size, seed=seed)
    elif "skip" in inspect.signature(data.batches).parameters:
        yield from data.batches(batch_size, seed=seed, skip=skip)  # type: ignore[call-arg]
    else:
        yield from itertools.islice(data.batches(batch_size, seed=seed), skip, None)
