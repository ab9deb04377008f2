"""Optimisers: they change parameters in place, from the gradients beside them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .. import _check
from ..layers.parameters import Parameters


def clip_global_norm(layers: Iterable[Parameters], limit: float) -> float:
    """Scale all gradients together so that their joint norm is at most `limit` (Pascanu et al. 2013).

    Returns:
        The norm before.
    """
    limit = _check.positive("limit", limit)
    grads = [grad for layer in layers for grad in layer.grads.values()]
    norm = float(np.sqrt(sum(np.vdot(grad, grad) for grad in grads)))
    if norm > limit:
        for grad in grads:
            grad *= grad.dtype.type(limit / norm)
    return norm


class Adam:
    """Adam (Kingma & Ba 2015): steps along m / (sqrt(v) + epsilon), both moments corrected for their start.

    Args:
        layers: whose parameters it changes.
        learning_rate: size of a step.
        betas: decay of the first and second moment.
        epsilon: keeps the division from blowing up.
    """

    def __init__(
        self,
        layers: Iterable[Parameters],
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
    ):
        self.layers = list(layers)
        self.learning_rate = _check.positive("learning_rate", learning_rate)
        self.betas = (_check.fraction("betas[0]", betas[0]), _check.fraction("betas[1]", betas[1]))
        self.epsilon = _check.positive("epsilon", epsilon)
        self.steps = 0
        self._moments = [
            {name: (np.zeros_like(value), np.zeros_like(value)) for name, value in layer.parameters.items()}
            for layer in self.layers
        ]

    def step(self) -> None:
        """Change every parameter by its gradient; the gradients stay as they are."""
        self.steps += 1
        first, second = self.betas
        rate = self.learning_rate * np.sqrt(1 - second**self.steps) / (1 - first**self.steps)
        epsilon = self.epsilon * np.sqrt(1 - second**self.steps)
        for layer, moments in zip(self.layers, self._moments, strict=True):
            for name, value in layer.parameters.items():
                grad, (m, v) = layer.grads[name], moments[name]
                m += (1 - first) * (grad - m)
                v += (1 - second) * (grad * grad - v)
                value -= (rate * m / (np.sqrt(v) + epsilon)).astype(value.dtype)
