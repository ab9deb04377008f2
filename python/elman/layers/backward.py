"""The backward pass of one call of `layer.forward`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..stack.arguments import Arguments
from ..stack.passes import Pass
from .store import Made, Store


class Backward:
    """The backward pass of one forward pass; it can run once."""

    def __init__(
        self,
        call: Arguments,
        run: Pass,
        tape: Any,
        store: Store,
        version: int,
        weights: Callable[[], Made],
    ):
        """`version`: of the parameters in `store` that forward has read; `weights`: theirs for a backward pass."""
        self._call, self._run, self._tape = call, run, Once(tape)
        self._store, self._version, self._weights = store, version, weights

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
        if dy is not None:
            dy = call.check_dy(dy)
        dfinal = call.check_dstate(dstate)
        tape, weights = self._take()
        # The gradients are new arrays, as an exception may end the pass between two layers or inside one.
        dx, dinitial, grads = self._run.backward(weights, tape, dy, dfinal, need_dx)
        flat = map(call.device.host, call.spec.flat(grads))
        self._store.add(dict(zip(call.spec.names, flat, strict=True)))
        return (None if dx is None else call.sequence_out(dx)), call.state_out(dinitial)

    def _take(self) -> tuple[Any, Any]:
        """The tape, which is used up from then on, and the weights."""
        with self._store.lock:
            self._tape.expect()
            self._store.expect(self._version)
            weights = self._weights().value
            return self._tape.take(), weights


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
