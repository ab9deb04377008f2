"""A stack's forward and backward pass over arrays on a GPU."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import Any

from ..cells import CELLS, Feed
from . import find
from .library import Library
from .plan import Plan
from .tape import Tape


@functools.lru_cache(1024)
def _schedule(scans: Any, library: Library, *task: Any) -> Any:
    """The cheapest of a thousand, which takes as long as a call."""
    with library.current():
        return scans.schedule(*task)


class Stack:
    """One call: made by its forward pass, used by its backward pass.

    Args:
        library: of the arrays.
        cell: "lstm", "gru", "rnn_tanh" or "rnn_relu".
        layers: [layer][direction]: weight_ih, weight_hh, and bias_ih and bias_hh or neither.
        plans: one for each direction.
        state: each initial state [L*D, B, H]; none for zeros.
        dropout: for each layer but the last factors of its results, [rows, D*H]; or none.

    All arrays are C-contiguous, on the library's device and of its type.
    """

    def __init__(
        self,
        library: Library,
        cell: str,
        layers: list[list[list[Any]]],
        plans: list[Plan],
        state: Sequence[Any] = (),
        dropout: Sequence[Any] = (),
    ):
        self._library, self._name, self._layers, self.plans = library, cell, layers, plans
        self._scans = find()[0]
        self._cell = CELLS[cell]
        self.L, self.D, self.H, self.B = len(layers), len(plans), layers[0][0][1].shape[1], plans[0].B
        self._state, self._dropout = state, dropout

    @property
    def holes(self) -> bool:
        """Whether there are rows that no step computes. Their results are zeros."""
        return any(plan.has_holes for plan in self.plans)

    def new_tape(self, rows: int, part_of: Any = None) -> Tape:
        return Tape(self._library, self._cell, self.L, self.D, self.H, rows, self.holes, part_of)

    def forward(self, x: Any, tape: Tape | None = None) -> tuple[Any, list[Any]]:
        """y [rows, D*H] of x [rows, I], and each final state; the tape gets what backward needs, y itself included."""
        final = self._states(all(plan.finishes_all for plan in self.plans))
        for k in range(self.L):
            if tape is not None:
                y = tape.y[k]
            else:
                y = (self._library.zeros if self.holes else self._library.empty)(len(x), self.D * self.H)
            self._layer_forward(k, self._dropped(x, k), y, final, tape)
            x = y
        return x, final

    def backward(
        self, tape: Tape, x: Any, dy: Any, dfinal: Sequence[Any], want_dx: bool = True
    ) -> tuple[Any, list[Any], list[list[Any]]]:
        """The gradients of x (None unless wanted), of each initial state and, for each layer and direction, of the
        weights. x: forward's. dy and those of the final states may be None. Uses the tape up."""
        dinitial = self._states(all(plan.starts_all for plan in self.plans))
        grads: list[list[Any]] = []
        d, ys = dy, [x, *tape.y]
        for k in reversed(range(self.L)):
            y, slots, states = ys.pop(), tape.slots.pop(), tape.states.pop()
            self._scan_backward(k, y, slots, states, d, dfinal, dinitial)
            d, of_layer = self._products(k, self._dropped(ys[-1], k), y, slots, want_dx or k > 0)
            d = self._dropped(d, k)
            grads = of_layer + grads
        return d, dinitial, grads

    def _dropped(self, x: Any, k: int) -> Any:
        """What dropout leaves of layer k's input, or of its gradient."""
        return x * self._dropout[k - 1] if k and self._dropout else x

    def _states(self, all_written: bool) -> list[Any]:
        new = self._library.empty if all_written else self._library.zeros
        return [new(self.L * self.D, self.B, self.H) for _ in self._cell.states]

    def _layer_forward(self, k: int, x: Any, y: Any, final: list[Any], tape: Tape | None) -> None:
        library, H = self._library, self.H
        sides, held = [], []
        for d, (plan, (w_ih, w_hh, *bias)) in enumerate(zip(self.plans, self._layers[k], strict=True)):
            held.append(library.affine(x, w_ih, bias[0] if bias else None))
            side = {
                "plan": plan.view, "products": library.address(held[-1]), "weight": library.address(w_hh),
                "y": library.address(y) + d * H * library.itemsize, "final": self._addresses(final, k, d),
                "initial": self._addresses(self._state, k, d),
            }  # fmt: skip
            if bias:
                side["bias"] = library.address(bias[1])
            if tape is not None:
                side["slots"] = library.address(tape.slots[k][d])
                side["states"] = [library.address(state) for state in tape.states[k][d]]
            if plan.passed is not None and self._state:
                for to, start in zip(final, self._state, strict=True):
                    to[k * self.D + d, plan.passed] = start[k * self.D + d, plan.passed]
            sides.append(side)
        self._scan(False, sides)

    def _scan_backward(
        self,
        k: int,
        y: Any,
        slots: list[Any],
        states: list[list[Any]],
        dy: Any,
        dfinal: Sequence[Any],
        dinitial: list[Any],
    ) -> None:
        """Layer k's: the slots' gradients in their place."""
        library, layer = self._library, self._layers[k]
        sides = []
        for d, plan in enumerate(self.plans):
            skip = d * self.H * library.itemsize
            side = {
                "plan": plan.view, "weight": library.address(layer[d][1]), "y": library.address(y) + skip,
                "initial": self._addresses(self._state, k, d), "dfinal": self._addresses(dfinal, k, d),
                "dinitial": self._addresses(dinitial, k, d), "slots": library.address(slots[d]),
                "states": [library.address(state) for state in states[d]],
            }  # fmt: skip
            if dy is not None:
                side["dy"] = library.address(dy) + skip
            if plan.passed is not None:
                for to, end in zip(dinitial, dfinal, strict=True):
                    if end is not None:
                        to[k * self.D + d, plan.passed] = end[k * self.D + d, plan.passed]
            sides.append(side)
        self._scan(True, sides)

    def _products(
        self, k: int, x: Any, y: Any, slots: list[Any], want_dx: bool
    ) -> tuple[Any, list[list[Any]]]:
        """From the slots' gradients those of layer k's input and weights."""
        dx, grads = None, []
        for d, plan in enumerate(self.plans):
            w_ih, _, *bias = self._layers[k][d]
            cell = self._cell
            da_x, da_h = self._fed(slots[d], cell.x), self._fed(slots[d], cell.h)
            h = self._previous_h(k, d, y, plan)
            group = [self._by_gate(da_x.T @ x, cell.x), self._by_gate(da_h.T @ h, cell.h)]
            if bias:
                group += [self._by_gate(da_x.sum(0), cell.x), self._by_gate(da_h.sum(0), cell.h)]
            grads.append(group)
            if want_dx:
                part = da_x @ self._by_slot(w_ih)
                dx = part if dx is None else dx + part
        return dx, grads

    def _scan(self, backward: bool, sides: list[dict[str, Any]]) -> None:
        library = self._library
        segments = max(plan.segments for plan in self.plans)
        if segments == 0:
            return
        forced = os.environ.get("ELMAN_CUDA_SCHEDULE", "")
        schedule = _schedule(
            self._scans, library, self._name, backward, library.dtype, self.H, segments, self.D, forced
        )
        held = []  # until the kernels have their place in the stream: the library then keeps it for this stream
        if schedule.kind == "launch":
            for side, plan in zip(sides, self.plans, strict=True):
                held.append(library.empty(len(self._cell.states), plan.segments, self.H, dtype="float32"))
                side["carry"] = library.address(held[-1])
        held.append(library.empty(2 * schedule.words, dtype="int32"))
        make = self._scans.BackwardSide if backward else self._scans.ForwardSide
        with library.current():
            self._scans.scan(
                schedule, [make(**side) for side in sides], library.address(held[-1]), library.stream()
            )

    def _addresses(self, states: Sequence[Any], k: int, d: int) -> list[int]:
        return [0 if s is None else self._library.address(s[k * self.D + d]) for s in states]

    def _fed(self, slots: Any, fed: Feed) -> Any:
        return slots[:, fed.begin * self.H : (fed.begin + len(fed.gates)) * self.H]

    def _by_gate(self, by_slot: Any, fed: Feed) -> Any:
        """Blocks of H rows in the order of the weights, from the order of the slots."""
        return self._blocks(by_slot, [fed.gates.index(gate) for gate in range(len(fed.gates))])

    def _by_slot(self, weight: Any) -> Any:
        return self._blocks(weight, self._cell.x.gates)

    def _blocks(self, matrix: Any, order: Sequence[int]) -> Any:
        if list(order) == sorted(order):
            return matrix
        return self._library.concatenate([matrix[i * self.H : (i + 1) * self.H] for i in order])

    def _previous_h(self, k: int, d: int, y: Any, plan: Plan) -> Any:
        """[rows, H]: what the recurrent product of each row read."""
        library, H = self._library, self.H
        h = library.take(y[:, d * H : (d + 1) * H], plan.previous)
        rows, b = plan.first
        h[rows] = library.take(self._state[0][k * self.D + d], b) if self._state else 0
        if plan.reset is not None:
            h[plan.reset] = 0
        return h
