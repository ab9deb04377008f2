"""The forward and backward pass over a stack: layer by layer, both directions of a layer in one engine call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _core
from .call import Call


@dataclass
class LayerTape:
    """What one layer of the stack keeps for its backward pass."""

    packed: list[Any]
    tapes: list[Any]
    x: np.ndarray
    y: np.ndarray
    kept: np.ndarray | None  # dropout between this layer and the next: 0, or 1 / (1 - p)


def of_layer(states: list[Any], k: int, directions: int) -> list[list[Any]]:
    """[direction][state] arrays [B, H] of layer k, from arrays [L * D, B, H] (or None)."""
    rows = range(k * directions, (k + 1) * directions)
    return [[None if part is None else part[row] for part in states] for row in rows]


def run_forward(call: Call, keep: bool) -> tuple[np.ndarray, list[np.ndarray], Backward | None]:
    """y, the final states, and with `keep` the backward pass. Dropout works only with `keep`."""
    layer, D = call.layer, call.layer.directions
    final = call.states()
    tape: list[LayerTape] = []
    x = call.x
    for k in range(layer.num_layers):
        packed = layer._pack(k)
        y = call.sequence(D * layer.hidden_size)
        tapes = _core.forward(
            packed, call.plans, x, y, of_layer(call.state, k, D), of_layer(final, k, D), keep
        )
        below, x, kept = x, y, None
        if keep:
            if layer.dropout and k + 1 < layer.num_layers:
                kept = (layer._rng.random(y.shape, np.float32) >= layer.dropout).astype(layer.dtype)
                kept /= 1 - layer.dropout
                x = y * kept
            tape.append(LayerTape(packed, tapes, below, y, kept))
    return x, final, Backward(call, tape) if keep else None


class Backward:
    """The backward pass of one forward pass; it can run once."""

    def __init__(self, call: Call, tape: list[LayerTape]):
        self._call, self._tape = call, tape

    def __call__(self, dy: Any, dstate: Any = None) -> tuple[Any, Any]:
        """Add the gradients of every parameter to `layer.grads`.

        Args:
            dy: gradient of y, shaped like it; None for zeros.
            dstate: gradient of the final state, shaped like it; None for zeros, in whole or for h or c.

        Returns:
            (dx, dstate): the gradients of x and of the initial state.

        Raises:
            ValueError: a shape or type differs from the result's.
            RuntimeError: it has run before (what was kept is used up).
        """
        call = self._call
        layer, D = call.layer, call.layer.directions
        if dy is not None:
            dy = call.check_sequence("dy", dy, D * layer.hidden_size)
        dfinal = call.check_state("dstate", dstate)
        if not self._tape:
            raise RuntimeError("backward: expected one call after each forward, got a second one")
        tape, self._tape = self._tape, []
        dinitial = call.states(np.zeros)
        while tape:
            kept_by_layer = tape.pop()
            k = len(tape)
            if kept_by_layer.kept is not None:
                dy = dy * kept_by_layer.kept
            dx = call.sequence(kept_by_layer.x.shape[2])
            _core.backward(
                kept_by_layer.packed,
                call.plans,
                kept_by_layer.tapes,
                [layer._weights(k, d, layer.parameters) for d in range(D)],
                [layer._weights(k, d, layer.grads) for d in range(D)],
                kept_by_layer.x,
                kept_by_layer.y,
                dy,
                of_layer(call.state, k, D),
                of_layer(dfinal, k, D),
                of_layer(dinitial, k, D),
                dx,
            )
            dy = dx
        return call.sequence_out(dy), call.state_out(dinitial)
