"""Features to mean 0 and standard deviation 1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import _check
from .._arrays import returner, to_numpy
from .marks import known_steps

BLOCK = 2**20  # numbers that are looked at at once: rows may lie in a file that is larger than memory


class Standardizer:
    """(x - mean_) / scale_ for each feature, the last axis of x.

    Padding does not count (`lengths` or `mask`), nor does NaN, which stays NaN. A constant feature has scale 1;
    constant is also one whose deviation is no more than the rounding of its values.

    Attributes after `fit`: `mean_` and `scale_`, float64 [F].
    """

    def fit(self, x: Any, lengths: Any = None, mask: Any = None) -> Standardizer:
        """Learn mean and scale.

        Args:
            x: [..., F]; with lengths or mask [T, B, F].
            lengths: [B], the steps of each sequence that count.
            mask: [T, B] bool, True for steps that count.

        Returns:
            This object, which now has `mean_` and `scale_`. A memory map is read part by part.

        Raises:
            ValueError: a shape does not fit, a feature has no value at all, or one too large to be squared.
        """
        x = to_numpy("x", x)
        if x.ndim < 1 or x.dtype.kind not in "fiu":
            raise ValueError(f"x: expected [..., F] numbers, got {_check.describe(x)}")
        rows = x.reshape(-1, x.shape[-1])
        if lengths is not None or mask is not None:
            if x.ndim != 3:
                raise ValueError(f"x: expected [T, B, F] with lengths or mask, got {_check.describe(x)}")
            rows = x[known_steps(x.shape[0], x.shape[1], lengths, mask)]
        known, largest, some = np.zeros(x.shape[-1], np.int64), 0.0, np.zeros(x.shape[-1])
        for block in _blocks(rows):
            there = ~np.isnan(block)
            new = (known == 0) & there.any(axis=0)
            some = np.where(new, block[there.argmax(axis=0), np.arange(len(some))], some)
            known += there.sum(axis=0)
            largest = max(largest, np.abs(block).max(initial=0, where=there))
        if not known.all():
            missing = np.flatnonzero(known == 0).tolist()
            raise ValueError(f"x: expected a value for every feature, got none for features {missing}")
        if largest > 1e150:
            raise ValueError(f"x: expected numbers up to 1e150 in size, got {largest}")
        # Measured from a value of the feature itself, a constant feature deviates by exactly 0, however long it is:
        # the sum of n equal numbers is rounded n times, and so would their mean be.
        mean = sum(np.nansum(block - some, axis=0) for block in _blocks(rows)) / known
        scale = np.sqrt(sum(np.nansum((block - some - mean) ** 2, axis=0) for block in _blocks(rows)) / known)
        self.mean_ = some + mean
        # What is left then is the rounding of the values as they came.
        kind = x.dtype if x.dtype.kind == "f" and x.dtype.itemsize < 8 else np.dtype(np.float64)
        self.scale_ = np.where(scale > np.finfo(kind).eps * np.abs(self.mean_), scale, 1.0)
        return self

    def as_plain(self) -> list[list[float]]:
        """[mean_, scale_] as JSON holds them.

        Raises:
            AttributeError: `fit` was not called.
        """
        return [self.mean_.tolist(), self.scale_.tolist()]

    @classmethod
    def from_plain(cls, values: Any, features: int | None = None) -> Standardizer:
        """One that has learnt what `as_plain` gave.

        Args:
            values: the pair [mean_, scale_], each a list of F numbers.
            features: F; None: any.

        Returns:
            A Standardizer.

        Raises:
            ValueError: they are no such pair, or a number is not finite, or a scale not above 0.
        """
        made, F = cls(), "F" if features is None else features
        try:
            made.mean_, made.scale_ = (np.array(one, np.float64) for one in values)
            fits = made.mean_.shape == made.scale_.shape == (len(made.mean_) if F == "F" else F,)
        except (ValueError, TypeError):
            fits = False
        if not fits or not np.isfinite([made.mean_, made.scale_]).all() or not (made.scale_ > 0).all():
            want = f"a pair of [{F}] finite numbers, the second above 0"
            raise ValueError(f"values: expected {want}, got {str(values)[:80]}")
        return made

    def transform(self, x: Any) -> Any:
        """Scaled x [..., F], of its kind, in its own dtype if that is a float type, else float64.

        Raises:
            ValueError: `fit` was not called, or the last axis of x is not F.
        """
        wrap, x = returner(x), self._checked(x)
        return wrap(((x - self.mean_) / self.scale_).astype(x.dtype if x.dtype.kind == "f" else np.float64))

    def inverse_transform(self, x: Any) -> Any:
        """The reverse of `transform`: x [..., F] in the features' own units, of its kind.

        Raises:
            ValueError: `fit` was not called, or the last axis of x is not F.
        """
        wrap, x = returner(x), self._checked(x)
        return wrap((x * self.scale_ + self.mean_).astype(x.dtype if x.dtype.kind == "f" else np.float64))

    def _checked(self, x: Any) -> np.ndarray:
        if not hasattr(self, "mean_"):
            raise ValueError("Standardizer: expected fit() before transform()")
        x = to_numpy("x", x)
        if x.ndim < 1 or x.shape[-1] != len(self.mean_) or x.dtype.kind not in "fiubO":
            raise ValueError(f"x: expected [..., {len(self.mean_)}] numbers, got {_check.describe(x)}")
        return x


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    """These rows [N, F] in float64, so many at a time."""
    size = max(1, BLOCK // max(1, rows.shape[1]))
    for begin in range(0, len(rows), size):
        yield rows[begin : begin + size].astype(np.float64, order="C")
