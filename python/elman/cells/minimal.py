"""Cells whose gates read x alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _check
from ..tracing import CellDefinition, sigmoid, softplus, trace, where
from ._made import made


def _candidate(given: str) -> Callable[[Any], Any]:
    _check.choice("candidate", given, ("positive", "linear"))
    return (lambda n: n) if given == "linear" else lambda n: where(n >= 0, n + 0.5, sigmoid(n))


@made
def min_gru(candidate: str = "positive") -> CellDefinition:
    """minGRU (Feng et al. 2024), one state h; no slot is fed by h:

    z = sigmoid(W_z x + b_z);  n = g(W_n x + b_n);  h' = (1 - z) h + z n.

    Rows of the weights: z n.

    Args:
        candidate: "positive", g(n) = n + 0.5 where n >= 0, else sigmoid(n), as in the form for log space (B.3); or
            "linear", g(n) = n, the plain form.

    Returns:
        The cell.

    Raises:
        ValueError: candidate is another word.
    """
    g = _candidate(candidate)

    def min_gru(z, n, h):
        return sigmoid(z) * (g(n) - h) + h

    return trace(min_gru, {"z": "x", "n": "x"}, "h")


@made
def min_lstm(candidate: str = "positive") -> CellDefinition:
    """minLSTM (Feng et al. 2024), one state h; no slot is fed by h:

    f = sigmoid(W_f x + b_f);  i = sigmoid(W_i x + b_i);  n = g(W_n x + b_n);  h' = (f h + i n) / (f + i).

    Rows of the weights: f i n. f / (f + i) is computed as one sigmoid, which does not divide 0 by 0.

    Args:
        candidate: "positive", g(n) = n + 0.5 where n >= 0, else sigmoid(n), as in the form for log space (B.3); or
            "linear", g(n) = n, the plain form.

    Returns:
        The cell.

    Raises:
        ValueError: candidate is another word.
    """
    g = _candidate(candidate)

    def min_lstm(f, i, n, h):
        n = g(n)
        return sigmoid(softplus(-i) - softplus(-f)) * (h - n) + n

    return trace(min_lstm, {"f": "x", "i": "x", "n": "x"}, "h")
