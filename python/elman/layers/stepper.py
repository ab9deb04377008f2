"""Streaming: one step per call with the state kept inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _check, _core
from .call import join_state, split_state

if TYPE_CHECKING:
    from .recurrent import Recurrent


class Stepper:
    """Runs a stack of forward layers one step at a time over B streams; made by `layer.stepper(B)`.

    The weights are packed once, as they were when it was made; later changes of the layer do not reach it.
    With `out` a step allocates nothing; it holds no GIL while it computes. One call at a time per stepper.
    """

    def __init__(self, layer: Recurrent, batch_size: int):
        self._layer_states = layer._states
        self._shape = (layer.num_layers, batch_size, layer.hidden_size)
        self._dtype = layer.dtype
        self._engine = _core.stepper([packed for (packed,) in layer._pack().value], batch_size)
        self._step = self._engine.step

    def __call__(self, x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Take one step.

        Args:
            x: [B, I], C-contiguous, of the layer's dtype.
            out: [B, H], written to if given.

        Returns:
            y [B, H], the last layer's h: `out` if given, else a new array.

        Raises:
            ValueError: x or out has the wrong shape or type; the state is as before.
        """
        return self._step(x, out)

    @property
    def state(self) -> Any:
        """A copy of h [L, B, H], for an LSTM of the pair (h, c). Assign to set it."""
        return join_state([self._engine.get_state(k) for k in range(self._layer_states)])

    @state.setter
    def state(self, value: Any) -> None:
        if value is None:
            raise ValueError("state: expected arrays, got None; reset() zeroes the state")
        names = ["state"] if self._layer_states == 1 else ["state[0]", "state[1]"]
        parts = split_state(self._layer_states, "state", value)
        for name, part in zip(names, parts, strict=True):
            if not isinstance(part, np.ndarray):
                raise ValueError(f"{name}: expected an array, got {_check.describe(part)}")
            _check.array(name, part, self._shape, self._dtype)
        for k, part in enumerate(parts):
            self._engine.set_state(k, part)

    def reset(self, rows: Any = None) -> None:
        """Zero the state of the streams in `rows` (indices below B), or of all.

        Raises:
            ValueError: a row is not a whole number from 0 to B - 1; then nothing is changed.
        """
        B = self._shape[1]
        if rows is None:
            rows = range(B)
        checked = [_check.whole_number("rows", row, 0) for row in np.atleast_1d(np.asarray(rows)).tolist()]
        if any(row >= B for row in checked):
            raise ValueError(f"rows: expected indices 0 to {B - 1}, got {max(checked)}")
        self._engine.reset_rows(checked)
