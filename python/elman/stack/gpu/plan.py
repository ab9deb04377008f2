"""A plan (csrc/recurrent/plan.h) on a GPU."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import _core
from ..._cached import cached
from ..steps import Plans, Steps
from . import find
from .library import Library


class Plan:
    """A plan on the device, in one upload."""

    def __init__(self, plan: _core.Plan, library: Library):
        arrays = plan.arrays()
        self.B, self.rows = plan.B, plan.rows
        self.steps, self.segments = len(arrays["alive"]), len(arrays["start"])
        self._host, self._library = arrays, library
        parts = {"offset": arrays["offset"].view(np.int32)}
        parts |= {name: arrays[name] for name in ("alive", "index", "start", "finish")}
        # Held as long as the plan: kernels read it.
        self._memory = library.upload(np.concatenate(list(parts.values())))
        places, place = {}, library.address(self._memory)
        for name, part in parts.items():
            places[name] = place
            place += part.nbytes
        self.view = find()[0].Plan(steps=self.steps, segments=self.segments, **places)

    @property
    def has_holes(self) -> bool:
        """Whether there are rows that no step computes."""
        return len(self._host["holes"]) > 0

    @cached
    def starts_all(self) -> bool:
        """Whether every sequence's initial state is read by a step."""
        return self._has_all("start")

    @cached
    def finishes_all(self) -> bool:
        """Whether every sequence's final state is written by a step."""
        return self._has_all("finish")

    def _has_all(self, ends: str) -> bool:
        found = self._host[ends]
        return np.count_nonzero(np.bincount(found[found >= 0], minlength=self.B)) == self.B

    @cached
    def passed(self) -> Any:
        """Sequences without a step whose final state is their initial state, or None."""
        passed = self._host["passed"]
        return self._library.upload(passed.astype(np.int64)) if len(passed) else None

    @cached
    def previous(self) -> Any:
        """[rows]: for each row the row whose h it read. The row itself if there is none, or if no step computes it."""
        host, found = self._host, np.arange(self.rows)
        alive, offset, index = (host[name] for name in ("alive", "offset", "index"))
        if self.steps:
            step = np.repeat(np.arange(self.steps), alive)
            later = np.arange(offset[1], offset[-1])
            found[index[later]] = index[later - alive[step[later] - 1]]
        return self._library.upload(found)

    @cached
    def first(self) -> tuple[Any, Any]:
        """Rows that read the initial states, and which of them."""
        start = self._host["start"]
        b = np.flatnonzero(start >= 0)
        return self._upload_rows(b), self._library.upload(start[b].astype(np.int64))

    @cached
    def reset(self) -> Any:
        """Rows that read zeros instead, or None."""
        after = np.flatnonzero(self._host["start"] < 0)
        return self._upload_rows(after) if len(after) else None

    def _upload_rows(self, segments: np.ndarray) -> Any:
        return self._library.upload(self._host["index"][segments].astype(np.int64))


def uploaded(steps: Steps, backwards: tuple[bool, ...], library: Library) -> Sequence[Plan]:
    """One plan for each direction. If the steps are small or whole, plans that were made for equal steps serve
    again."""
    if steps.whole:
        return whole(*steps[:3], backwards, library)
    return (_kept if steps.small else upload)(steps.plans(backwards), library)


@functools.lru_cache(64)
def whole(
    T: int, B: int, batch_first: bool, backwards: tuple[bool, ...], library: Library
) -> tuple[Plan, ...]:
    """Plans of whole sequences: kept, so that a call uploads nothing and a CUDA graph can hold it."""
    return upload(Steps(T, B, batch_first).plans(backwards), library)


def upload(plans: Plans, library: Library) -> tuple[Plan, ...]:
    return tuple(Plan(plan, library) for plan in plans)


_kept = functools.lru_cache(64)(upload)
