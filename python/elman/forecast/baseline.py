"""Forecasts that need no network, which a network then improves on."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check

KINDS = ("last", "seasonal", "linear")
PENALTIES = 10.0 ** np.arange(-3, 6)


class Baseline:
    """A forecast from a scaled window without a network.

    Args:
        kind: "last", the last value; "seasonal", the value `season` steps before; "linear", ridge regression on the
            context's targets, the last step's inputs and all that is known ahead; None: 0.
        horizon, targets: S and F.
        season: steps after which a season begins again.
    """

    def __init__(self, kind: str | None, horizon: int, targets: int, season: int = 1):
        self.kind = None if kind is None else _check.choice("residual", kind, KINDS)
        self.horizon, self.targets, self.season = horizon, targets, season
        self.weights: np.ndarray | None = None  # [features + 1, S * F]; the last row is the constant

    def __call__(self, x: np.ndarray, future: np.ndarray | None) -> np.ndarray | float:
        """[B, S, F] for x [T, B, I], whose first F columns are the targets, and future [S, B, C]."""
        S, F = self.horizon, self.targets
        if self.kind is None:
            return 0.0
        if self.kind == "last":
            return np.broadcast_to(x[-1, :, None, :F], (x.shape[1], S, F))
        if self.kind == "seasonal":
            steps = len(x) - self.season + np.arange(S) % self.season
            return x[steps, :, :F].swapaxes(0, 1)
        assert self.weights is not None
        flat = _features(x, future, F) @ self.weights[:-1] + self.weights[-1]
        return flat.reshape(-1, S, F).astype(x.dtype)

    def fit(self, x: np.ndarray, future: np.ndarray | None, y: np.ndarray) -> None:
        """Learn the linear map from windows and their targets y [B, S, F]; windows with an unknown target are left out.
        The penalty is that with the least generalised cross-validation (Golub, Heath & Wahba 1979)."""
        known = ~np.isnan(y).any(axis=(1, 2))
        if known.sum() < 2:
            raise ValueError("residual: expected two windows without unknown targets at least for 'linear'")
        features = _features(x, future, self.targets)[known]
        flat = y[known].reshape(known.sum(), -1).astype(np.float64)
        n, centre, middle = len(features), features.mean(axis=0), flat.mean(axis=0)
        features, flat = features - centre, flat - middle
        values, vectors = np.linalg.eigh(features.T @ features)
        values = np.maximum(values, 0)
        along = vectors.T @ (features.T @ flat)  # [features, S * F]
        total = np.square(flat).sum()
        errors = []
        for penalty in PENALTIES:
            shrunk = along / (values + penalty)[:, None]
            left = total - (2 * shrunk * along).sum() + (np.square(shrunk) * values[:, None]).sum()
            freedom = n - 1 - (values / (values + penalty)).sum()
            errors.append(left / freedom**2 if freedom > 0 else np.inf)
        best = PENALTIES[int(np.argmin(errors))]
        slopes = vectors @ (along / (values + best)[:, None])
        self.weights = np.concatenate([slopes, (middle - centre @ slopes)[None]])

    def as_plain(self) -> dict[str, Any]:
        return {"kind": self.kind, "horizon": self.horizon, "targets": self.targets, "season": self.season}


def _features(x: np.ndarray, future: np.ndarray | None, F: int) -> np.ndarray:
    """[B, features], float64."""
    B = x.shape[1]
    parts = [x[:, :, :F].swapaxes(0, 1).reshape(B, -1), x[-1, :, F:]]
    if future is not None:
        parts.append(future.swapaxes(0, 1).reshape(B, -1))
    return np.concatenate(parts, axis=1).astype(np.float64)
