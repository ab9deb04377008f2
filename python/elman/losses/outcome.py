"""What was true and what a model predicted, for metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Outcome:
    """The targets that count of a batch, or of all data, and what was predicted for each.

    Attributes:
        true, predicted: [n]: numbers, or numbers of classes; or [n, C] where several classes may hold at once.
        scores: [n, C], the probabilities of the classes, or None.
        spread: [n, W], what was predicted of a distribution, or None: quantiles of `levels`; without levels a mean and
            a log variance.
        levels: of the quantiles, or None.
        names: the labels of the classes, or None where these are numbers.
        weights: [n], how much each counts, or None where all count alike.
    """

    true: np.ndarray
    predicted: np.ndarray
    scores: np.ndarray | None = None
    spread: np.ndarray | None = None
    levels: tuple[float, ...] | None = None
    names: Sequence[Any] | None = None
    weights: np.ndarray | None = None

    def labels(self) -> tuple[np.ndarray, np.ndarray]:
        """`true` and `predicted` as targets are given and as `predict` gives them."""
        if self.names is None or self.true.ndim > 1:
            return self.true, self.predicted
        kinds = {type(name) for name in self.names}  # NumPy would make texts of [1, "a"]
        names = np.array(self.names, object if len(kinds) > 1 else None)
        return names[self.true], names[self.predicted]


def joined(parts: Sequence[Outcome]) -> Outcome:
    """Several as one."""
    first = parts[0]

    def join(name: str) -> Any:
        if getattr(first, name) is None:
            return None
        return np.concatenate([getattr(part, name) for part in parts])

    arrays = {name: join(name) for name in ("true", "predicted", "scores", "spread", "weights")}
    return replace(first, **arrays)
