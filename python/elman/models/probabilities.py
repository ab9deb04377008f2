"""Logits as probabilities."""

from __future__ import annotations

import numpy as np

from .. import _core


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits [.., C], which stay as they are; each row sums to 1."""
    rows = np.array(logits, order="C").reshape(-1, logits.shape[-1])
    _core.softmax(rows, rows)
    return rows.reshape(logits.shape)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits, each by itself. By tanh, as exp could overflow."""
    return 0.5 * (1 + np.tanh(0.5 * logits))
