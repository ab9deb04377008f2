"""The backward pass of one call of `layer.forward`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from ..stack.arguments import Arguments
from ..stack.passes import Pass
from .store import Made, Store


class Backward:
    """The backward pass of one forward pass; it can run once."""

    told = True  # as wanted.told says
    _dscalars: dict[str, Any] | None = None

    def __init__(
        self,
        call: Arguments,
        run: Pass,
        tape: Any,
        store: Store,
        version: int,
        weights: Callable[[], Made],
        wanted: Collection[str],
    ):
        """`version`: of the parameters in `store` that forward has read; `weights`: theirs for a backward pass;
        `wanted`: the names of those whose gradients are."""
        self._call, self._run, self._tape = call, run, Once(tape)
        self._store, self._version, self._weights, self._wanted = store, version, weights, wanted

    def __call__(
        self, dy: Any, dstate: Any = None, need_dx: bool = True, need_dstate: bool = True
    ) -> tuple[Any, Any]:
        """Add the gradients of every parameter to `layer.grads`: all of them, or none where a signal handler's
        exception ends it early. Several threads may do so at once. Of parameters that `Optimizer.only` has left out
        there are none; where no gradient is needed, nothing runs.

        Args:
            dy: gradient of y, shaped like it; None for zeros.
            dstate: gradient of the final state, shaped like it; None for zeros, in whole or for h or c.
            need_dx: without it dx is None, and its product is left out.
            need_dstate: without it dstate is None.

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
        wanted, needed = self._wanted, (need_dx, need_dstate)
        tape, weights = self._take(bool(wanted) or any(needed) or call.scalars is not None)
        if weights is None:
            return None, None
        # The gradients are new arrays, as an exception may end the pass between two layers or inside one.
        dx, dinitial, grads = self._run.backward(weights, tape, dy, dfinal, *needed, wanted)
        if call.scalars is not None:
            self._dscalars = call.scalars_out(self._run.dscalars)
        found = call.spec.named(grads)
        self._store.add({name: call.device.host(grad) for name, grad in found.items() if name in wanted})
        return (
            None if dx is None else call.sequence_out(dx),
            call.state_out(dinitial) if need_dstate else None,
        )

    @property
    def dscalars(self) -> dict[str, Any]:
        """The gradients of the cell's scalars, by name, once it has run.

        Raises:
            RuntimeError: it has not run yet.
        """
        if self._dscalars is None and self._call.scalars is not None:
            raise RuntimeError("dscalars: expected backward to have run, which makes them, got none yet")
        return self._dscalars or {}

    def _take(self, runs: bool) -> tuple[Any, Any]:
        """The tape, which is used up from then on, and the weights if it runs."""
        with self._store.lock:
            self._tape.expect()
            self._store.expect(self._version)
            weights = self._weights().value if runs else None
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
