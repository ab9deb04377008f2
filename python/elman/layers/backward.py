"""The backward pass of one call of `layer.forward`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..stack import processor
from ..stack.arguments import Call


class Backward:
    """The backward pass of one forward pass; it can run once."""

    def __init__(self, call: Call, tape: processor.Tape, dropout: Sequence[np.ndarray], version: int):
        self._call, self._dropout, self._version = call, dropout, version
        self._tape = Once(tape)

    def __call__(self, dy: Any, dstate: Any = None, need_dx: bool = True) -> tuple[Any, Any]:
        """Add the gradients of every parameter to `layer.grads`: all of them, or none where a signal handler's
        exception ends it early. Several threads may do so at once.

        Args:
            dy: gradient of y, shaped like it; None for zeros.
            dstate: gradient of the final state, shaped like it; None for zeros, in whole or for h or c.
            need_dx: without it dx is None, and its product is left out.

        Returns:
            (dx, dstate): the gradients of x and of the initial state.

        Raises:
            ValueError: a shape or type differs from the result's.
            RuntimeError: it has run before (what was kept is used up), or the parameters have been changed.
        """
        call = self._call
        layer = call.layer
        if dy is not None:
            dy = call.check_sequence("dy", dy, layer.directions * layer.hidden_size)
        dfinal = call.check_state("dstate", dstate)
        dinitial = call.states(np.zeros)
        dx = call.sequence(layer.input_size) if need_dx else None
        # New ones, as an exception may end the pass between two layers or inside one.
        grads = layer._store.zeros()
        tape, packed = self._take()
        processor.backward(
            layer._spec, packed, call.plans, tape, layer._weights(grads),
            call.x, dy, dx, call.state, dfinal, dinitial, self._dropout,
        )  # fmt: skip
        layer._store.add(grads)
        return (None if dx is None else call.sequence_out(dx)), call.state_out(dinitial)

    def _take(self) -> tuple[processor.Tape, Any]:
        """The tape, which is used up from then on, and the packed weights."""
        layer = self._call.layer
        with layer._store.lock:
            self._tape.expect()
            layer._store.expect(self._version)
            packed = layer._pack_back().value
            return self._tape.take(), packed


class Once:
    """What forward kept for one backward pass, which uses it up. Copies of that pass share it."""

    def __init__(self, value: Any):
        self._left = [value]

    def expect(self) -> None:
        """Refuse where it has been taken."""
        if not self._left:
            raise RuntimeError(
                "backward: expected one call after each forward, got a second one; what forward kept is used up"
            )

    def take(self) -> Any:
        return self._left.pop()
