"""The weights that a recurrent layer begins with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import init
from ..stack.spec import StackSpec


def uniform(spec: StackSpec, I: int, rng: np.random.Generator) -> list[np.ndarray]:  # noqa: E741
    """The arrays of one layer and direction that reads I features: all within 1/sqrt(H), as torch.nn has them, but for
    what a definition says. Those that are not used are drawn too."""
    H, limit = spec.H, float(1 / np.sqrt(spec.H))
    x_rows, h_rows = len(spec.facts.gates) * H, spec.facts.h_gates * H
    shapes: list[tuple[int, ...]] = [(x_rows, I), (h_rows, H // spec.heads), (x_rows,), (h_rows,)]
    drawn = [init.uniform(rng, shape, limit, spec.dtype) for shape in shapes]
    for name, row, start in spec.facts.definition.bias_rows if spec.facts.definition else ():
        drawn[2 + (name == "bias_hh")][row * H : (row + 1) * H] = start
    return drawn + _vectors(spec, rng, lambda: init.uniform(rng, (H,), limit, spec.dtype))


def orthogonal(spec: StackSpec, I: int, rng: np.random.Generator) -> list[np.ndarray]:  # noqa: E741
    """The same with Glorot and orthogonal weights, and with the biases that the cell begins with."""
    facts, H, dtype = spec.facts, spec.H, spec.dtype
    weight_ih = np.concatenate([init.glorot(rng, (H, I), dtype) for _ in facts.gates])
    recurrent = [init.orthogonal(rng, H // spec.heads, dtype) for _ in range(facts.h_gates * spec.heads)]
    weight_hh = np.concatenate(recurrent) if recurrent else np.empty((0, H), dtype)
    biases = [np.repeat(starts, H).astype(dtype) for starts in (facts.bias, facts.bias_h)]
    return [weight_ih, weight_hh, *biases, *_vectors(spec, rng, lambda: np.zeros(H, dtype))]


def _vectors(spec: StackSpec, rng: np.random.Generator, usual: Callable[[], np.ndarray]) -> list[np.ndarray]:
    """The vectors of the cell: each where its definition says that it starts, or `usual`."""
    params = spec.facts.definition.params if spec.facts.definition else {}
    made = []
    for start in params.values():
        if start is None:
            made.append(usual())
        elif isinstance(start, tuple):
            made.append(rng.uniform(*start, spec.H).astype(spec.dtype))
        else:
            made.append(np.full(spec.H, start, spec.dtype))
    return made
