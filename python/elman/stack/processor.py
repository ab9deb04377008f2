"""Passes over arrays in main memory: each is one call of the engine, with all layers and directions."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import Any

import numpy as np

from .. import _core
from .._arrays import to_numpy
from .spec import StackSpec, Weights
from .steps import Steps

States = Sequence[np.ndarray | None]  # one for each state, each [L * D, B, H]; None for zeros


def tape_size(spec: StackSpec, steps: int, rows: int) -> int:
    """How many numbers are enough for a tape of `rows` rows of x and at most `steps` entries in each direction, without
    recurrent dropout. It uses only plain arithmetic, because torch.compile may know the sizes by name alone."""
    of_step, of_row, numbers, rest = _core.tape_room(spec.cell, spec.L, spec.D, False)
    return spec.H * (of_step * steps + of_row * rows) + numbers * steps + rest


class Pass:
    """As passes.Pass says, in main memory. Who has arrays for the results calls `forward_into` and `backward_into`."""

    __slots__ = ("_dropout", "_factors", "_initial", "_scalars", "_seed", "dscalars", "plans", "spec", "x")

    def __init__(
        self,
        spec: StackSpec,
        plans: Sequence[_core.Plan],
        x: np.ndarray,
        initial: States,
        dropout: Sequence[np.ndarray] = (),
        factors: np.ndarray | None = None,
        scalars: np.ndarray | None = None,
        seed: int | None = None,
    ):
        self.spec, self.plans, self.x = spec, plans, x
        self._initial, self._dropout, self._factors = initial, dropout, factors
        self._scalars, self._seed = scalars, seed
        self.dscalars = None if scalars is None else np.zeros_like(scalars)

    def new_tape(self, memory: np.ndarray | None = None, checkpoint_every: int | None = None) -> _core.Tape:
        """`memory`: an array of the caller's, of at least `tape_size` numbers; a new one if None."""
        spec, every = self.spec, min(checkpoint_every or 0, 2**31 - 1)  # the engine's int
        return _core.Tape(spec.cell, spec.H, spec.L, self.plans, spec.dtype, memory, self._factors, every)

    def forward(self, weights: Any, tape: _core.Tape | None = None) -> tuple[np.ndarray, list[np.ndarray]]:
        spec = self.spec
        final = [np.empty(shape, spec.dtype) for shape in spec.state_shapes(self.plans[0].B)]
        y = _core.empty((*self.x.shape[:-1], spec.width), spec.dtype)
        self.forward_into(weights, tape, y, final)
        return y, final

    def forward_into(
        self, weights: Any, tape: _core.Tape | None, y: np.ndarray | None, final: Sequence[np.ndarray]
    ) -> None:
        """y may be None where there is a tape, which has it too."""
        _core.forward(
            weights,
            self.plans,
            self.x,
            y,
            self._initial,
            final,
            self._dropout,
            tape,
            self._scalars,
            self._seed,
        )

    def backward(
        self,
        weights: Any,
        tape: _core.Tape,
        dy: np.ndarray | None,
        dfinal: States,
        want_dx: bool = True,
        want_dinitial: bool = True,
        names: Collection[str] | None = None,
    ) -> tuple[np.ndarray | None, list[np.ndarray], Weights]:
        spec, x = self.spec, self.x
        dinitial = [np.empty(shape, spec.dtype) for shape in spec.state_shapes(self.plans[0].B)]
        dx = _core.empty(x.shape, spec.dtype) if want_dx else None
        wanted = spec.wanted(names)
        grads = _core.zeros(spec.wanted_shapes(wanted), spec.dtype)
        first = spec.first(wanted, want_dx or want_dinitial or self._scalars is not None)
        self.backward_into(weights, tape, dy, dfinal, dx, dinitial, grads, first)
        return dx, dinitial, grads

    def backward_into(
        self,
        weights: Any,
        tape: _core.Tape,
        dy: np.ndarray | None,
        dfinal: States,
        dx: np.ndarray | None,
        dinitial: Sequence[np.ndarray],
        grads: Weights,
        first: int = 0,
    ) -> None:
        """Writes dx, unless it is None, and `dinitial`; adds to `grads`, in which a part may be empty. `first`: the
        first layer that gradients must reach."""
        given = self._initial, dfinal, dinitial, self._dropout
        more = self._scalars, self.dscalars, self._seed
        _core.backward(weights, self.plans, tape, grads, self.x, dy, dx, *given, first, *more)


class Processor:
    """As passes.Device says, of arrays in main memory."""

    def new_pass(
        self,
        spec: StackSpec,
        steps: Steps,
        x: np.ndarray,
        initial: States,
        dropout: Sequence[np.ndarray] = (),
        factors: np.ndarray | None = None,
        scalars: np.ndarray | None = None,
        seed: int | None = None,
    ) -> Pass:
        return Pass(spec, steps.plans(spec.backwards), x, initial, dropout, factors, scalars, seed)

    def weights(self, spec: StackSpec, nest: Weights, back: bool) -> Any:
        return (_core.pack_back if back else _core.pack)(spec.cell, nest)

    def weights_key(self, back: bool) -> tuple[str, Hashable]:
        return "packed back" if back else "packed", _core.isa()

    take = staticmethod(to_numpy)

    def put(self, array: np.ndarray) -> np.ndarray:
        return array

    def host(self, value: Any) -> Any:
        return value


PROCESSOR = Processor()
