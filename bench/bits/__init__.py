"""Bits of two trees side by side: `python -m bench.bits OLD NEW`.

A case is a name and a function without arguments, which gives results by name; `recurrent`, `beside` and `torch` hold
them. They ask nothing of elman but public names, since they run with older versions too.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

Case = tuple[str, Callable[[], dict[str, Any]]]
DTYPES = (np.float32, np.float64)


class Setting(NamedTuple):
    """What no bit may depend on, but for the instruction set."""

    isa: str
    threads: int
    schedule: str  # what ELMAN_SCHEDULE says

    def __str__(self) -> str:
        return " ".join([self.isa, f"{self.threads} threads", *([self.schedule] if self.schedule else [])])

    @contextmanager
    def __call__(self, set_threads: Callable[[int], object]) -> Iterator[None]:
        """A block that runs so."""
        import elman

        before = elman.info()["isa"]
        elman.use_isa(self.isa)
        set_threads(self.threads)
        os.environ["ELMAN_SCHEDULE"] = self.schedule
        try:
            yield
        finally:
            elman.use_isa(before)
            os.environ["ELMAN_SCHEDULE"] = ""


ALONE = (1, "")
TEAMS = ((2, ""), (2, "rows"), (2, "units"), (3, ""), (3, "both"))


def settings(draw: random.Random) -> list[Setting]:
    """For every instruction set of the machine a drawn team of threads; half of them are of one, which is faster."""
    import elman

    return [Setting(isa, *(ALONE if draw.random() < 0.5 else draw.choice(TEAMS))) for isa in elman.isas()]


def normal(seed: int, dtype: type, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def flat(name: str, value: Any) -> dict[str, Any]:
    """Results of one value: an array, or a tuple or list or mapping of such, or nothing."""
    if value is None:
        return {}
    if isinstance(value, (tuple, list)):
        value = dict(enumerate(value))
    if not hasattr(value, "items"):
        return {name: np.asarray(value)}
    return {key: one for part, inner in value.items() for key, one in flat(f"{name}.{part}", inner).items()}
