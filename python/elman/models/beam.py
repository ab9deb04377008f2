"""Beam search over a decoder's steps."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np


class Decoding(Protocol):
    """K hypotheses for each of B sequences."""

    def __call__(self, tokens: np.ndarray) -> np.ndarray:
        """Logits [K, B, C] after tokens [K, B]."""
        ...

    def select(self, origin: np.ndarray) -> None:
        """Hypothesis k goes on from what was `origin[k]`, [K, B]."""
        ...


def beam_search(
    step: Decoding, B: int, K: int, boundary: int, max_length: int, length_penalty: float = 0.0
) -> list[Any]:
    """The best hypothesis [s] for each of B sequences.

    A hypothesis begins and ends with the token `boundary`. One that has ended keeps its place in the beam. The best is
    that with the largest log probability / length^length_penalty, where the length counts the end too.
    """
    scores = np.full((K, B), -np.inf)
    scores[0] = 0  # at the beginning all hypotheses are equal, so only one may count
    tokens = np.full((K, B), boundary)
    written = np.empty((K, B, 0), np.int64)
    ended = np.zeros((K, B), bool)
    lengths = np.ones((K, B), int)
    for _ in range(max_length):
        logp = _log_softmax(step(tokens))
        C = logp.shape[-1]
        logp[ended] = -np.inf
        logp[ended, boundary] = 0
        total = (scores[..., None] + logp).swapaxes(0, 1).reshape(B, K * C)
        best = np.argsort(-total, axis=1, kind="stable")[:, :K].T
        scores = np.take_along_axis(total.T, best, axis=0)
        origin, tokens = best // C, best % C
        written = np.concatenate(
            [np.take_along_axis(written, origin[..., None], axis=0), tokens[..., None]], axis=2
        )
        ended = np.take_along_axis(ended, origin, axis=0)
        lengths = np.take_along_axis(lengths, origin, axis=0) + ~ended
        ended |= tokens == boundary
        if ended.all():
            break
        step.select(origin)
    with np.errstate(invalid="ignore"):
        ranked = scores / np.maximum(lengths - 1, 1) ** length_penalty
    chosen = written[ranked.argmax(axis=0), np.arange(B)]
    return [row[: (row == boundary).argmax() if (row == boundary).any() else len(row)] for row in chosen]


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    x = logits.astype(np.float64)
    x -= x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))
