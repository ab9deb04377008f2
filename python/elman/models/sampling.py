"""Drawing tokens from logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check


class Sampler:
    """Draws a token from each row of logits.

    Args:
        temperature: logits are divided by it; 0 takes the likeliest.
        top_k, top_p: choose among so many likeliest tokens, or among those that together have this probability.
        seed: of the draws.
    """

    def __init__(
        self, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None, seed: Any = None
    ):
        self.temperature = _check.not_negative("temperature", temperature)
        self.top_k = None if top_k is None else _check.whole_number("top_k", top_k, 1)
        self.top_p = None if top_p is None else _check.positive("top_p", top_p)
        self._rng = np.random.default_rng(seed)

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """Tokens [B] for logits [B, V].

        Raises:
            ValueError: a row's largest logit is not a finite number, so that it says nothing.
        """
        largest = logits.max(axis=1)
        if not np.isfinite(largest).all():
            wrong = largest[~np.isfinite(largest)][0]
            raise ValueError(f"logits: expected a finite number as the largest of a row, got {wrong}")
        if self.temperature == 0:
            return logits.argmax(axis=1)
        p = self.probabilities(logits)
        # The inverse of the distribution function at a uniform number.
        below = p.cumsum(axis=1) <= self._rng.random((len(p), 1)) * p.sum(axis=1, keepdims=True)
        return np.minimum(below.sum(axis=1), logits.shape[1] - 1)

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """[B, V] float64: 0 for tokens that are not chosen among."""
        scaled = logits.astype(np.float64) / self.temperature
        p = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        order = np.argsort(-p, axis=1, kind="stable")
        ranked = np.take_along_axis(p, order, axis=1)
        kept = np.ones(p.shape, bool)
        if self.top_k is not None:
            kept[:, self.top_k :] = False
        if self.top_p is not None:
            ranked /= ranked.sum(axis=1, keepdims=True)
            # Up to the token with which the sum reaches top_p.
            kept &= ranked.cumsum(axis=1) - ranked < self.top_p
        np.put_along_axis(p, order, np.where(kept, np.take_along_axis(p, order, axis=1), 0), axis=1)
        return p / p.sum(axis=1, keepdims=True)
