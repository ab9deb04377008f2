"""Features to mean 0 and standard deviation 1."""

from __future__ import annotations

import numpy as np

from .. import _check
from .marks import known_steps


class Standardizer:
    """(x - mean_) / scale_ for each feature, the last axis of x.

    Padding does not count (`lengths` or `mask`), nor does NaN, which stays NaN. A constant feature has scale 1.

    Attributes after `fit`: `mean_` and `scale_`, float64 [F].
    """

    def fit(
        self, x: np.ndarray, lengths: np.ndarray | None = None, mask: np.ndarray | None = None
    ) -> Standardizer:
        """Learn mean and scale.

        Args:
            x: [..., F]; with lengths or mask [T, B, F].
            lengths: [B], the steps of each sequence that count.
            mask: [T, B] bool, True for steps that count.

        Raises:
            ValueError: a shape does not fit, or a feature has no value at all.
        """
        x = np.asarray(x)
        if x.ndim < 1 or x.dtype.kind not in "fiu":
            raise ValueError(f"x: expected [..., F] numbers, got {_check.describe(x)}")
        rows = x.reshape(-1, x.shape[-1])
        if lengths is not None or mask is not None:
            if x.ndim != 3:
                raise ValueError(f"x: expected [T, B, F] with lengths or mask, got {_check.describe(x)}")
            rows = x[known_steps(x.shape[0], x.shape[1], lengths, mask)]
        rows = rows.astype(np.float64)
        missing = np.flatnonzero(np.isnan(rows).all(axis=0)) if len(rows) else np.arange(x.shape[-1])
        if missing.size:
            raise ValueError(
                f"x: expected a value for every feature, got none for features {missing.tolist()}"
            )
        self.mean_ = np.nanmean(rows, axis=0)
        scale = np.nanstd(rows, axis=0)
        self.scale_ = np.where(scale > 0, scale, 1.0)
        return self

    def transform(self, x: np.ndarray) -> np.ndarray:
        """Scaled x, in x's own dtype if it is a float type, else float64."""
        x = self._checked(x)
        return ((x - self.mean_) / self.scale_).astype(x.dtype if x.dtype.kind == "f" else np.float64)

    def inverse_transform(self, x: np.ndarray) -> np.ndarray:
        """The reverse of `transform`."""
        x = self._checked(x)
        return (x * self.scale_ + self.mean_).astype(x.dtype if x.dtype.kind == "f" else np.float64)

    def _checked(self, x: np.ndarray) -> np.ndarray:
        if not hasattr(self, "mean_"):
            raise ValueError("Standardizer: expected fit() before transform()")
        x = np.asarray(x)
        if x.ndim < 1 or x.shape[-1] != len(self.mean_):
            raise ValueError(f"x: expected [..., {len(self.mean_)}], got {_check.describe(x)}")
        return x
