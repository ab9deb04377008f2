"""How good predicted distributions are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def pinball(truth: np.ndarray, quantiles: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """[..., Q]: max(q e, (q - 1) e) of e = truth - quantile, for quantiles [..., Q] (Koenker & Bassett 1978)."""
    q, error = np.asarray(levels), truth[..., None] - quantiles
    return np.maximum(q * error, (q - 1) * error)


def crps(truth: np.ndarray, quantiles: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """[...]: the continuous ranked probability score, twice the integral of the pinball loss over all levels (Laio &
    Tamea 2007). Each level stands for all that are nearest to it, so many levels are needed for the true integral."""
    q = np.asarray(levels)
    edges = np.concatenate([[0.0], (q[1:] + q[:-1]) / 2, [1.0]])
    return 2 * (pinball(truth, quantiles, levels) * np.diff(edges)).sum(axis=-1)


def crps_of_normal(truth: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """[...]: that of a normal distribution, s (z (2 cdf(z) - 1) + 2 pdf(z) - 1 / sqrt(pi)) with z = (truth - mean) / s
    and the standard normal cdf and pdf (Gneiting & Raftery 2007)."""
    z = (truth - mean) / deviation
    cdf = np.asarray(np.frompyfunc(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)), 1, 1)(z), float)
    density = np.exp(-np.square(z) / 2) / np.sqrt(2 * np.pi)
    return deviation * (z * (2 * cdf - 1) + 2 * density - 1 / np.sqrt(np.pi))
