"""Layers of every cell, one call's arguments, and the check of its results against the oracle."""

from __future__ import annotations

import copy
import functools
import pickle
from dataclasses import dataclass
from unittest.mock import patch

import numpy as np

from elman import Recurrent, Stepper
from elman.cells import gru, usual
from elman.layers.recurrent import RecurrentLayer
from elman.stack import cells
from tests.support import oracle
from tests.support.public import PUBLIC

COMPILED = list(cells.CELLS)  # what the engine has; a test of a cell without an oracle fails and names it
# The cells of elman.cells; the twins of compiled ones have a name of their own here.
_USUAL = {f"traced_{name}" if name in COMPILED else name: cell for name, cell in usual().items()}
_USUAL["gru_before"] = gru(reset_after=False)
_USUAL["gru_before_heads"] = gru(reset_after=False)  # its layers have as few heads as there can be
# Those that draw random numbers give others in training, and have tests of their own.
DRAWING = {name: cell for name, cell in _USUAL.items() if cell.draws}
TRACED = {name: cell for name, cell in _USUAL.items() if name not in DRAWING}
CELLS = [*COMPILED, *TRACED]


def jumps(definition):
    """Whether a small difference can make a large one."""
    return definition is not None and any(node.op == "spike" for node in definition.nodes)


# Those whose results do not jump where two numbers become equal, and those whose slots h feeds.
SMOOTH = [
    cell for cell in CELLS if cell not in TRACED or not any(node.op == "spike" for node in TRACED[cell].nodes)
]
FED_BY_H = [
    cell for cell in CELLS if cell not in TRACED or any("h" in fed for fed in TRACED[cell].slots.values())
]
# Those that have recurrent dropout.
ONE_STAGE = [cell for cell in FED_BY_H if cell not in TRACED or not TRACED[cell].matrices]

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


KEPT = {}  # what the oracle has made of the last cases


def layer_of(cell):
    """What makes layers of a cell."""
    if cell not in CELLS:
        raise LookupError(f"cell: expected one of {', '.join(CELLS)}, got {cell!r}")
    if cell.endswith("_heads"):
        return functools.partial(_headed, TRACED[cell])
    return PUBLIC.get(cell) or functools.partial(Fed if TRACED[cell].scalars else Recurrent, TRACED[cell])


def _headed(definition, input_size, hidden_size, *args, **options):
    """A layer of at least two heads, unless it has one unit."""
    heads = next((k for k in range(2, hidden_size + 1) if hidden_size % k == 0), 1)
    return Recurrent(definition, input_size, hidden_size, *args, heads=heads, **options)


def scalars_from(x, count):
    """Scalars of a cell that follow from x alone [.., I], so that they fit any part of any sequence."""
    x = np.asarray(x)
    return np.stack([np.abs(x[..., k % x.shape[-1]]) + x.dtype.type(0.2) for k in range(count)], -1)


class Fed(Recurrent):
    """A layer of a cell with scalars that need not be given."""

    def _given(self, x, given):
        names = self._spec.facts.scalars
        return dict(zip(names, np.moveaxis(scalars_from(x, len(names)), -1, 0), strict=True)) | given

    def __call__(self, x, *args, **options):
        return super().__call__(x, *args, **self._given(x, options))

    def forward(self, x, *args, **options):
        return super().forward(x, *args, **self._given(x, options))

    def stepper(self, batch_size):
        step = super().stepper(batch_size)
        step.__class__, step.layer = FedStepper, self
        return step


class FedStepper(Stepper):
    def __call__(self, x, *args, **options):
        return super().__call__(x, *args, **self.layer._given(x, options))


def key_of(cell):
    """Its name in the engine."""
    return cells.define(TRACED[cell]) if cell in TRACED else cell


def make_layer(cell, I, H, **options):  # noqa: E741
    return layer_of(cell)(I, H, **{"seed": 0, "init": "uniform"} | options)


@dataclass
class Case:
    """A layer, one call's arguments, and gradients to send back; everything time-first."""

    layer: RecurrentLayer
    x: np.ndarray
    state: list[np.ndarray] | None
    options: dict
    dy: np.ndarray
    dstate: list[np.ndarray]
    factors: np.ndarray | None = None  # of recurrent dropout, [L * D, B, H]
    scalars: np.ndarray | None = None  # of the cell, [T, B, scalars]; None for those that follow from x

    @property
    def all_scalars(self):
        count = len(self.layer._spec.facts.scalars)
        return scalars_from(self.x, count) if count and self.scalars is None else self.scalars

    @property
    def named_scalars(self):
        return {name: self.all_scalars[..., k] for k, name in enumerate(self.layer._spec.facts.scalars)}

    def packed_state(self, parts):
        return None if parts is None else parts[0] if len(parts) == 1 else tuple(parts)

    def forward(self):
        """layer.forward with the case's factors of recurrent dropout instead of drawn ones."""
        with patch("elman.layers.recurrent.factors_within", lambda *_: self.factors):
            return self.layer.forward(
                self.x, self.packed_state(self.state), **self.options, **self.named_scalars
            )

    def run(self):
        """y, final state (a list), dx, initial state's gradient (a list) and the weights' gradients."""
        self.layer.zero_grad()
        y, state, backward = self.forward()
        dx, dstate = backward(self.dy, self.packed_state(self.dstate))
        self.dscalars = getattr(backward, "dscalars", None)
        as_list = lambda s: list(s) if isinstance(s, tuple) else [s]  # noqa: E731
        return np.array(y), as_list(state), dx, as_list(dstate), dict(self.layer.grads)

    def infer(self):
        y, state = self.layer(self.x, self.packed_state(self.state), **self.options, **self.named_scalars)
        return y, list(state) if isinstance(state, tuple) else [state]

    def forward_of(self, stack):
        """What an oracle makes of the case."""
        of_layers = None
        if self.factors is not None:
            L, D = self.layer.num_layers, self.layer.directions
            of_layers = self.factors.reshape(L, D, *self.factors.shape[1:])
        return stack.forward(self.x, self.state, **self.options, factors=of_layers, scalars=self.all_scalars)

    def expected_y(self):
        return self.forward_of(oracle.of_layer(self.layer))[0]

    def expected(self):
        """Kept for the next instruction set, which has the same case."""
        given = self.x, self.state, self.options, self.dy, self.dstate, self.factors, self.scalars
        weights = self.layer.state_dict()
        key = pickle.dumps((self.layer._spec.cell, self.layer._spec.backwards, weights, given))
        if key not in KEPT:
            if len(KEPT) == 4:
                KEPT.pop(next(iter(KEPT)))
            KEPT[key] = self._expected()
        *results, self.expected_dscalars = copy.deepcopy(KEPT[key])
        return results

    def _expected(self):
        stack = oracle.of_layer(self.layer)
        y, state = self.forward_of(stack)
        dx, dstate, grads = stack.backward(self.dy, self.dstate)
        spec = self.layer._spec
        flat = [w for layer in grads for one in layer for w in one]
        return y, state, dx, dstate, dict(zip(spec.names, flat, strict=True)), stack.dscalars


def make_case(layer, T, B, seed=0, state=True, lengths=False, mask=False, reset=False, factors=False) -> Case:
    rng = np.random.default_rng(seed)
    normal = lambda *shape: rng.standard_normal(shape).astype(layer.dtype)  # noqa: E731
    rows = layer.num_layers * layer.directions
    traced = layer._spec.facts.definition is not None
    # A state beyond h may be a divisor, as that of sLSTM.
    start = (lambda *shape: abs(normal(*shape)) + layer.dtype.type(0.3)) if traced else normal
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
        [(start if k else normal)(rows, B, layer.hidden_size) for k in range(count)] if state else None,
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


def normed(definition):
    """Whether it divides by a deviation of all units, which may be small."""
    ops = ("variance", "inverse_deviation")
    return definition is not None and any(node.op in ops for node in definition.nodes)


def assert_agrees(case: Case, forward: float, backward: float):
    if case.layer.dtype == np.float32 and normed(case.layer._spec.facts.definition):
        forward, backward = 4 * forward, 4 * backward  # measured: torch's own float32 errs as much
    y, state, dx, dstate, grads = case.run()
    want_y, want_state, want_dx, want_dstate, want_grads = case.expected()
    if case.layer.dtype == np.float32 and jumps(case.layer._spec.facts.definition):
        assert (np.abs(y - want_y) > 0.5).mean() <= 0.02  # a rounding error decides on which side a number is
        return
    assert_close(y, want_y, forward, "y")
    assert_close(dx, want_dx, backward, "dx")
    for i, (got, want) in enumerate(zip(state + dstate, want_state + want_dstate, strict=True)):
        assert_close(got, want, forward if i < len(state) else backward, f"state {i}")
    for name, want in want_grads.items():
        assert_close(grads[name], want, backward, name)
    for k, name in enumerate(case.layer._spec.facts.scalars):
        assert_close(case.dscalars[name], case.expected_dscalars[..., k], backward, name)
    if case.factors is not None:
        return  # a call has no dropout
    inferred, inferred_state = case.infer()
    np.testing.assert_array_equal(inferred, y)  # keeping a tape changes no bit
    for got, want in zip(inferred_state, state, strict=True):
        np.testing.assert_array_equal(got, want)
