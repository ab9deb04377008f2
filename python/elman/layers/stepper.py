"""Streaming: one step per call with the state kept inside."""

from __future__ import annotations

from typing import Any, overload

import numpy as np

from .. import _check, _core
from .._arrays import returner
from ..stack.arguments import check_scalars, check_state, join_state
from ..stack.spec import StackSpec


class Stepper:
    """Runs a stack of forward layers one step at a time over B streams; made by `layer.stepper(B)`.

    The weights are packed once, as they were when it was made; later changes of the layer do not reach it.
    With `out` a step allocates nothing; it holds no GIL while it computes. One call at a time per stepper: a call
    while another thread is inside one (a step, or the state read or set) raises RuntimeError and changes nothing.
    What x holds is not looked at: a NaN stays in the state of its stream until `reset` or another state.
    """

    def __init__(self, spec: StackSpec, packed: Any, batch_size: int):
        self._spec, self._B, self._scalars = spec, batch_size, spec.facts.scalars
        self._engine = _core.stepper(packed, batch_size)
        self._step = self._engine.step

    @overload
    def __call__(
        self, x: np.ndarray, out: np.ndarray | None = ..., mask: Any = ..., **scalars: Any
    ) -> np.ndarray: ...
    @overload
    def __call__(self, x: Any, out: np.ndarray | None = ..., mask: Any = ..., **scalars: Any) -> Any: ...
    def __call__(self, x: Any, out: np.ndarray | None = None, mask: Any = None, **scalars: Any) -> Any:
        """Take one step.

        Args:
            x: [B, I] of the layer's dtype: an array of any library, or lists of numbers. C-contiguous NumPy arrays are
                the fastest.
            out: [B, H], C-contiguous, written to if given.
            mask: [B] bool. Streams where it is False skip the step: their state stays, x may be anything there, and y
                is 0, as for a whole sequence with that mask.
            scalars: those of the cell, by name, [B] each.

        Returns:
            y [B, H], the last layer's h: `out` if given, else a new array of x's kind.

        Raises:
            ValueError: x, out or mask has the wrong shape or type; the state is as before.
            RuntimeError: another thread is inside a call of this stepper; the state is as that call leaves it.
        """
        refused = None
        if mask is not None:
            mask = _check.marks("mask", mask, (self._B,))
        numbers: tuple[Any, ...] = ()
        if scalars or self._scalars:
            numbers = (check_scalars(self._spec, scalars, (self._B,)),)
        if type(x) is np.ndarray:  # and no subclass: one could hide a mask
            try:
                return self._step(x, out, mask, *numbers)
            except ValueError as error:
                refused = error
        # What the engine does not take as it is: only such calls pay for being looked at.
        rows = _check.array("x", x, (self._B, self._spec.I), self._spec.dtype)
        if rows is x and refused is not None:
            raise refused
        y = self._step(rows, out, mask, *numbers)
        return y if out is not None else returner(x)(y)

    @property
    def state(self) -> Any:
        """A copy of h [L, B, H], for an LSTM of the pair (h, c). Assign to set it."""
        return join_state([self._engine.get_state(k) for k in range(self._spec.states)])

    @state.setter
    def state(self, value: Any) -> None:
        if value is None:
            raise ValueError("state: expected arrays, got None; reset() zeroes the state")
        for k, part in enumerate(check_state(self._spec, "state", value, self._B)):
            self._engine.set_state(k, part)

    def reset(self, rows: Any = None) -> None:
        """Zero the state of the streams in `rows`, or of all.

        Args:
            rows: indices from 0 to B - 1, each once, or flags [B] bool (0 and 1 would be indices).

        Raises:
            ValueError: rows are neither; then nothing is changed.
        """
        self._engine.reset_rows(_check.rows("rows", rows, self._B).tolist())
