"""The weights that a recurrent layer begins with."""

from __future__ import annotations

import numpy as np

from .. import init
from ..stack.spec import StackSpec


def uniform(spec: StackSpec, I: int, rng: np.random.Generator) -> list[np.ndarray]:  # noqa: E741
    """The weights of one layer and direction that reads I features: all within 1/sqrt(H), as torch.nn has them. The
    biases are drawn also where they are not used."""
    rows, limit = len(spec.facts.gates) * spec.H, float(1 / np.sqrt(spec.H))
    shapes: list[tuple[int, ...]] = [(rows, I), (rows, spec.H), (rows,), (rows,)]
    return [init.uniform(rng, shape, limit, spec.dtype) for shape in shapes]


def orthogonal(spec: StackSpec, I: int, rng: np.random.Generator) -> list[np.ndarray]:  # noqa: E741
    """The same with Glorot and orthogonal weights, and with the biases that the cell begins with."""
    facts, H, dtype = spec.facts, spec.H, spec.dtype
    weight_ih = np.concatenate([init.glorot(rng, (H, I), dtype) for _ in facts.gates])
    weight_hh = np.concatenate([init.orthogonal(rng, H, dtype) for _ in facts.gates])
    bias = np.repeat(facts.bias, H).astype(dtype)
    return [weight_ih, weight_hh, bias, np.zeros_like(bias)]
