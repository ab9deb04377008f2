"""A pass over a stack, of arrays on a GPU."""

from __future__ import annotations

import functools
import os
from collections.abc import Collection, Sequence
from typing import Any

from ..cells import Feed
from ..spec import StackSpec, Weights
from . import find
from .library import Library
from .plan import Plan
from .tape import Tape


@functools.lru_cache(1024)
def schedule_for(scans: Any, library: Library, *task: Any) -> Any:
    """The cheapest of a thousand, which takes as long as a call."""
    with library.current():
        return scans.schedules(*task)[0]


class Pass:
    """As stack.passes.Pass says.

    Args:
        library: of all arrays. They are C-contiguous, on its device and of its type.
        plans: one for each direction.
        x: [.., I].
        initial: each initial state [L*D, B, H]; none, or None, for zeros.
        dropout: for each layer but the last factors of its results; or none.
    """

    dscalars = None  # the scans have no cells with scalars

    def __init__(
        self,
        library: Library,
        spec: StackSpec,
        plans: Sequence[Plan],
        x: Any,
        initial: Sequence[Any] = (),
        dropout: Sequence[Any] = (),
    ):
        self.spec, self.plans, self._library, self._scans = spec, plans, library, find()[0]
        self._lead, self._x = x.shape[:-1], _rows(x)
        self._initial = [state for state in initial if state is not None]
        self._dropout = [*map(_rows, dropout)]

    @property
    def holes(self) -> bool:
        """Whether there are rows that no step computes. Their results are zeros."""
        return any(plan.has_holes for plan in self.plans)

    def new_tape(self, memory: Any = None, checkpoint_every: int | None = None) -> Tape:
        """Of all steps: device_of refuses `checkpoint_every`."""
        return Tape(self._library, self.spec, len(self._x), self.holes, memory)

    def forward(self, weights: Weights, tape: Tape | None = None) -> tuple[Any, list[Any]]:
        """The tape gets what backward needs, y itself included."""
        library, spec, x = self._library, self.spec, self._x
        final = self._new_states(all(plan.finishes_all for plan in self.plans))
        new_y = library.zeros if self.holes else library.empty
        for k in range(spec.L):
            y = new_y(len(x), spec.width) if tape is None else tape.y[k]
            self._layer_forward(weights[k], k, self._dropped(x, k), y, final, tape)
            x = y
        return (x if tape is None else library.copy(x)).reshape(*self._lead, spec.width), final

    def backward(
        self,
        weights: Weights,
        tape: Tape,
        dy: Any,
        dfinal: Sequence[Any],
        want_dx: bool = True,
        want_dinitial: bool = True,
        names: Collection[str] | None = None,
    ) -> tuple[Any, list[Any], Weights]:
        dinitial = self._new_states(all(plan.starts_all for plan in self.plans))
        grads: Weights = []
        wanted = self.spec.wanted(names)
        first = self.spec.first(wanted, want_dx or want_dinitial)
        d, ys = None if dy is None else _rows(dy), [self._x, *tape.y]
        for k in reversed(range(first, self.spec.L)):
            y, slots, states = ys.pop(), tape.slots.pop(), tape.states.pop()
            self._scan_backward(weights[k], k, y, slots, states, d, dfinal, dinitial)
            x, want_d = self._dropped(ys[-1], k), want_dx or k > first
            d, of_layer = self._products(weights[k], k, x, y, slots, want_d, wanted[k])
            d = None if d is None else self._dropped(d, k)
            grads.insert(0, of_layer)
        grads[:0] = [[[] for _ in self.plans] for _ in range(first)]
        return (None if d is None else d.reshape(*self._lead, self.spec.I)), dinitial, grads

    def _dropped(self, x: Any, k: int) -> Any:
        """What dropout leaves of layer k's input, or of its gradient."""
        return x * self._dropout[k - 1] if k and self._dropout else x

    def _new_states(self, all_written: bool) -> list[Any]:
        new = self._library.empty if all_written else self._library.zeros
        return [new(*shape) for shape in self.spec.state_shapes(self.plans[0].B)]

    def _layer_forward(
        self, weights: list[list[Any]], k: int, x: Any, y: Any, final: list[Any], tape: Tape | None
    ) -> None:
        library, spec = self._library, self.spec
        sides, held = [], []
        for d, (plan, (w_ih, w_hh, bias_ih, bias_hh)) in enumerate(zip(self.plans, weights, strict=True)):
            held.append(library.affine(x, w_ih, bias_ih))
            side = {
                "plan": plan.view, "products": library.address(held[-1]), "weight": library.address(w_hh),
                "y": library.address(y) + d * spec.H * library.itemsize,
                "final": self._addresses(final, k, d), "initial": self._addresses(self._initial, k, d),
            }  # fmt: skip
            if bias_hh is not None:
                side["bias"] = library.address(bias_hh)
            if tape is not None:
                side["slots"] = library.address(tape.slots[k][d])
                side["states"] = [library.address(state) for state in tape.states[k][d]]
            if self._initial:
                self._pass_on(plan, k * spec.D + d, self._initial, final)
            sides.append(side)
        self._scan(False, sides)

    @staticmethod
    def _pass_on(plan: Plan, row: int, of: Sequence[Any], to: Sequence[Any]) -> None:
        """The state of sequences without a step, or its gradient, from one end to the other."""
        if plan.passed is not None:
            for target, source in zip(to, of, strict=True):
                if source is not None:
                    target[row, plan.passed] = source[row, plan.passed]

    def _scan_backward(
        self, weights: list[list[Any]], k: int, y: Any, slots: list[Any], states: list[list[Any]], dy: Any,
        dfinal: Sequence[Any], dinitial: list[Any],
    ) -> None:  # fmt: skip
        """The scan of layer k, backward. It writes the gradients of the slots over the slots."""
        library, spec = self._library, self.spec
        sides = []
        for d, (plan, (_, w_hh, *_)) in enumerate(zip(self.plans, weights, strict=True)):
            skip = d * spec.H * library.itemsize
            side = {
                "plan": plan.view, "weight": library.address(w_hh), "y": library.address(y) + skip,
                "initial": self._addresses(self._initial, k, d), "dfinal": self._addresses(dfinal, k, d),
                "dinitial": self._addresses(dinitial, k, d), "slots": library.address(slots[d]),
                "states": [library.address(state) for state in states[d]],
            }  # fmt: skip
            if dy is not None:
                side["dy"] = library.address(dy) + skip
            self._pass_on(plan, k * spec.D + d, dfinal, dinitial)
            sides.append(side)
        self._scan(True, sides)

    def _products(
        self,
        weights: list[list[Any]],
        k: int,
        x: Any,
        y: Any,
        slots: list[Any],
        want_dx: bool,
        wanted: list[bool],
    ) -> tuple[Any, list[list[Any]]]:
        """The gradients of layer k's input and weights, from those of its slots. `wanted`: those of which directions
        are."""
        cell, dx, grads = self.spec.facts, None, []
        for d, (plan, (w_ih, _, bias_ih, _)) in enumerate(zip(self.plans, weights, strict=True)):
            da_x, da_h = self._fed(slots[d], cell.x), self._fed(slots[d], cell.h)
            of_direction: list[Any] = []
            if wanted[d]:
                h = self._previous_h(k, d, y, plan)
                of_direction = [self._by_gate(da_x.T @ x, cell.x), self._by_gate(da_h.T @ h, cell.h)]
                if bias_ih is None:
                    of_direction += [None, None]
                else:
                    of_direction += [self._by_gate(da_x.sum(0), cell.x), self._by_gate(da_h.sum(0), cell.h)]
            grads.append(of_direction)
            if want_dx:
                part = da_x @ self._by_slot(w_ih)
                dx = part if dx is None else dx + part
        return dx, grads

    def _scan(self, backward: bool, sides: list[dict[str, Any]]) -> None:
        library, spec = self._library, self.spec
        segments = max(plan.segments for plan in self.plans)
        if segments == 0:
            return
        forced = os.environ.get("ELMAN_CUDA_SCHEDULE", "")
        schedule = schedule_for(
            self._scans, library, spec.cell, backward, library.dtype, spec.H, segments, spec.D, forced
        )
        self._launch(schedule, backward, sides)

    def _launch(self, schedule: Any, backward: bool, sides: list[dict[str, Any]]) -> None:
        library, spec = self._library, self.spec
        held = []  # until the kernels are in the stream: from then on the library keeps the memory for them
        if schedule.kind == "launch":
            for side, plan in zip(sides, self.plans, strict=True):
                held.append(library.empty(spec.states, plan.segments, spec.H, dtype="float32"))
                side["carry"] = library.address(held[-1])
        held.append(library.empty(2 * schedule.words, dtype="int32"))
        make = self._scans.BackwardSide if backward else self._scans.ForwardSide
        with library.current():
            self._scans.scan(
                schedule, [make(**side) for side in sides], library.address(held[-1]), library.stream()
            )

    def _addresses(self, states: Sequence[Any], k: int, d: int) -> list[int]:
        return [0 if s is None else self._library.address(s[k * self.spec.D + d]) for s in states]

    def _fed(self, slots: Any, fed: Feed) -> Any:
        H = self.spec.H
        return slots[:, fed.begin * H : (fed.begin + len(fed.gates)) * H]

    def _by_gate(self, by_slot: Any, fed: Feed) -> Any:
        """The H rows of each gate in the order of the weights, from the order of the slots."""
        return self._arranged(by_slot, [fed.gates.index(gate) for gate in range(len(fed.gates))])

    def _by_slot(self, weight: Any) -> Any:
        return self._arranged(weight, self.spec.facts.x.gates)

    def _arranged(self, matrix: Any, order: Sequence[int]) -> Any:
        if list(order) == sorted(order):
            return matrix
        H = self.spec.H
        return self._library.concatenate([matrix[i * H : (i + 1) * H] for i in order])

    def _previous_h(self, k: int, d: int, y: Any, plan: Plan) -> Any:
        """[rows, H]: what the recurrent product of each row read."""
        library, H = self._library, self.spec.H
        h = library.take(y[:, d * H : (d + 1) * H], plan.previous)
        rows, b = plan.first
        if self._initial:
            h[rows] = library.take(self._initial[0][k * self.spec.D + d], b)
        else:
            library.clear(h, rows)
        if plan.reset is not None:
            library.clear(h, plan.reset)
        return h


def _rows(array: Any) -> Any:
    return array.reshape(-1, array.shape[-1])
