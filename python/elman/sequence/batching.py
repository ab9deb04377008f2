"""Batches of sequences of similar length."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from .._arrays import to_numpy


def bucket_batches(lengths: Any, batch_size: int, seed: Any = None) -> list[np.ndarray]:
    """Part sequences into batches of similar length, to keep padded arrays small.

    elman spends no time on padding, so this saves memory and copying rather than arithmetic.

    Args:
        lengths: [n], of the sequences.
        batch_size: sequences in a batch; the last one of a length range may have fewer.
        seed: a whole number: shuffles sequences of the same length, and the order of the batches. None: longest batch
            first, the same each time.

    Returns:
        int64 arrays of indices into the sequences; each index appears once.

    Raises:
        ValueError: lengths is not a row of whole numbers, or batch_size is not at least 1.
    """
    sizes = to_numpy("lengths", lengths, np.int64)
    if sizes.ndim != 1 or sizes.dtype.kind not in "iu":
        raise ValueError(f"lengths: expected [n] whole numbers, got {_check.describe(sizes)}")
    batch_size = _check.whole_number("batch_size", batch_size, 1)
    order = np.arange(len(sizes))
    if seed is not None:
        rng = np.random.default_rng(seed)
        order = rng.permutation(order)
    order = order[np.argsort(-sizes[order].astype(np.int64), kind="stable")]
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    if seed is not None:
        batches = [batches[i] for i in rng.permutation(len(batches))]
    return batches
