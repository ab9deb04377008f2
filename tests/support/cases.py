"""Layers of every cell, one call's arguments, and the check of its results against the oracle."""

from __future__ import annotations

from dataclasses import dataclass
from unittest.mock import patch

import numpy as np

from elman.layers.recurrent import Recurrent
from elman.stack import cells
from tests.support import oracle
from tests.support.public import PUBLIC

CELLS = list(cells.CELLS)  # what the engine has; a test of a cell without an oracle fails and names it

SEQUENCES = {
    "equal": {},
    "ragged": {"lengths": True},
    "masked": {"mask": True},
    "reset": {"reset": True},
    "all": {"lengths": True, "mask": True, "reset": True},
}
DIRECTIONS = {"forward": {}, "reverse": {"reverse": True}, "both": {"bidirectional": True}}
# Largest error of y and of the gradients, relative to the largest value (at least 1). The oracle is exact to
# 1e-15; float32 sums of some tens of terms err by a few 6e-8 (measured: up to 3e-7 and 1.5e-6).
TOLERANCE = {np.float32: (1e-6, 4e-6), np.float64: (1e-14, 1e-13)}


def layer_of(cell):
    """The public class of a cell, or, of one that has none, a class that runs it."""
    if cell not in cells.CELLS:
        raise LookupError(f"cell: expected one of {', '.join(CELLS)}, got {cell!r}")
    return PUBLIC.get(cell) or type(cell, (Recurrent,), {"_cell": cell})


def make_layer(cell, I, H, **options):  # noqa: E741
    return layer_of(cell)(I, H, **{"seed": 0, "init": "uniform"} | options)


@dataclass
class Case:
    """A layer, one call's arguments, and gradients to send back; everything time-first."""

    layer: Recurrent
    x: np.ndarray
    state: list[np.ndarray] | None
    options: dict
    dy: np.ndarray
    dstate: list[np.ndarray]
    factors: np.ndarray | None = None  # of recurrent dropout, [L * D, B, H]

    def packed_state(self, parts):
        return None if parts is None else parts[0] if len(parts) == 1 else tuple(parts)

    def forward(self):
        """layer.forward with the case's factors of recurrent dropout instead of drawn ones."""
        with patch("elman.layers.recurrent.factors_within", lambda *_: self.factors):
            return self.layer.forward(self.x, self.packed_state(self.state), **self.options)

    def run(self):
        """y, final state (a list), dx, initial state's gradient (a list) and the weights' gradients."""
        self.layer.zero_grad()
        y, state, backward = self.forward()
        dx, dstate = backward(self.dy, self.packed_state(self.dstate))
        as_list = lambda s: list(s) if isinstance(s, tuple) else [s]  # noqa: E731
        return np.array(y), as_list(state), dx, as_list(dstate), dict(self.layer.grads)

    def infer(self):
        y, state = self.layer(self.x, self.packed_state(self.state), **self.options)
        return y, list(state) if isinstance(state, tuple) else [state]

    def forward_of(self, stack):
        """What an oracle makes of the case."""
        of_layers = None
        if self.factors is not None:
            L, D = self.layer.num_layers, self.layer.directions
            of_layers = self.factors.reshape(L, D, *self.factors.shape[1:])
        return stack.forward(self.x, self.state, **self.options, factors=of_layers)

    def expected(self):
        stack = oracle.of_layer(self.layer)
        y, state = self.forward_of(stack)
        dx, dstate, grads = stack.backward(self.dy, self.dstate)
        spec = self.layer._spec
        flat = [w for layer in grads for one in layer for w in (one if spec.bias else one[:2])]
        return y, state, dx, dstate, dict(zip(spec.names, flat, strict=True))


def make_case(layer, T, B, seed=0, state=True, lengths=False, mask=False, reset=False, factors=False) -> Case:
    rng = np.random.default_rng(seed)
    normal = lambda *shape: rng.standard_normal(shape).astype(layer.dtype)  # noqa: E731
    rows = layer.num_layers * layer.directions
    count = layer._spec.states
    options = {}
    if lengths:
        options["lengths"] = rng.integers(0, T + 1, B)
    if mask:
        options["mask"] = rng.random((T, B)) < 0.7
    if reset:
        options["reset"] = rng.random((T, B)) < 0.3
    case = Case(
        layer,
        normal(T, B, layer.input_size),
        [normal(rows, B, layer.hidden_size) for _ in range(count)] if state else None,
        options,
        normal(T, B, layer.directions * layer.hidden_size),
        [normal(rows, B, layer.hidden_size) for _ in range(count)],
    )
    if factors:
        kept = rng.random((rows, B, layer.hidden_size)) >= 0.4
        case.factors = kept.astype(layer.dtype) / 0.6
    return case


def assert_close(got, want, tolerance, what=""):
    """Within `tolerance`, relative to the largest value expected (or to 1 where that is less)."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, what
    if want.size:
        error = np.abs(got - want).max() / max(1.0, np.abs(want).max())
        assert error <= tolerance, f"{what}: off by {error:.2e}"


def assert_agrees(case: Case, forward: float, backward: float):
    y, state, dx, dstate, grads = case.run()
    want_y, want_state, want_dx, want_dstate, want_grads = case.expected()
    assert_close(y, want_y, forward, "y")
    assert_close(dx, want_dx, backward, "dx")
    for i, (got, want) in enumerate(zip(state + dstate, want_state + want_dstate, strict=True)):
        assert_close(got, want, forward if i < len(state) else backward, f"state {i}")
    for name, want in want_grads.items():
        assert_close(grads[name], want, backward, name)
    if case.factors is not None:
        return  # a call has no dropout
    inferred, inferred_state = case.infer()
    np.testing.assert_array_equal(inferred, y)  # keeping a tape changes no bit
    for got, want in zip(inferred_state, state, strict=True):
        np.testing.assert_array_equal(got, want)
