"""Models: layers joined, with a forward pass that returns its backward pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..layers import Linear
from ..layers.recurrent import Recurrent


class Forecaster:
    """Reads a window of a series and predicts several values from the last layer's final h.

    Args:
        recurrent: a forward RNN, LSTM or GRU that reads [T, B, I].
        outputs: how many values to predict.
        seed: of the head's initial weights.
    """

    def __init__(self, recurrent: Recurrent, outputs: int, seed=None):
        if recurrent.bidirectional or recurrent.reverse:
            raise ValueError("recurrent: expected a layer that runs forward in time, got one that does not")
        self.recurrent = recurrent
        self.head = Linear(recurrent.hidden_size, outputs, dtype=recurrent.dtype, seed=seed)

    @property
    def layers(self) -> list[Recurrent | Linear]:
        return [self.recurrent, self.head]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """[B, outputs] for x [T, B, I]."""
        _, state = self.recurrent(x)
        return self.head(self._top(state))

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], None]]:
        """The prediction, and `backward(d_prediction)`, which adds to the gradients of both layers."""
        _, state, through_time = self.recurrent.forward(x)
        prediction, through_head = self.head.forward(self._top(state))

        def backward(d_prediction: np.ndarray) -> None:
            h = state[0] if isinstance(state, tuple) else state
            dh = np.zeros_like(h)
            dh[-1] = through_head(d_prediction)
            through_time(None, (dh, None) if isinstance(state, tuple) else dh)

        return prediction, backward

    @staticmethod
    def _top(state: np.ndarray | tuple[np.ndarray, ...]) -> np.ndarray:
        return (state[0] if isinstance(state, tuple) else state)[-1]
