"""A stack's forward and backward pass over arrays on a GPU."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from . import find
from .library import Library
from .plan import Plan


class Kept(NamedTuple):
    """Of one layer, for its backward pass."""

    x: Any  # [rows, I]
    y: Any  # [rows, D * H]; None for the last layer's, which is the call's result
    slots: list[Any]  # [rows, slots * H] for each direction
    memory: list[Any]


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
        self._cell = self._scans.cells()[cell]
        self.L, self.D, self.H, self.B = len(layers), len(plans), layers[0][0][1].shape[1], plans[0].B
        self._state, self._dropout = state, dropout

    def forward(self, x: Any, tape: list[Kept] | None = None) -> tuple[Any, list[Any]]:
        """y [rows, D*H] of x [rows, I], and each final state; the tape gets what backward needs."""
        final = self._states()
        for k, layer in enumerate(self._layers):
            if k and self._dropout:
                x = x * self._dropout[k - 1]
            x = self._layer_forward(k, layer, x, final, tape)
        return x, final

    def backward(
        self, tape: list[Kept], y: Any, dy: Any, dfinal: Sequence[Any], want_dx: bool = True
    ) -> tuple[Any, list[Any], list[list[Any]]]:
        """The gradients of x (None unless wanted), of each initial state and, for each layer and direction, of the
        weights. dy and those of the final states may be None. Uses the tape up."""
        tape[-1] = tape[-1]._replace(y=y)
        dinitial = self._states()
        grads: list[list[Any]] = []
        d = dy
        for k in reversed(range(self.L)):
            d, of_layer = self._layer_backward(k, tape.pop(), d, dfinal, dinitial, want_dx or k > 0)
            if k and self._dropout and d is not None:
                d = d * self._dropout[k - 1]
            grads = of_layer + grads
        return d, dinitial, grads

    def _states(self) -> list[Any]:
        return [self._library.zeros(self.L * self.D, self.B, self.H) for _ in range(self._cell["states"])]

    def _layer_forward(self, k: int, layer: Any, x: Any, final: list[Any], tape: list[Kept] | None) -> Any:
        library, cell, H, rows = self._library, self._cell, self.H, len(x)
        y = self._rows(rows, self.D * H)
        sides, slots, memory, held = [], [], [], []
        for d, (plan, (w_ih, w_hh, *bias)) in enumerate(zip(self.plans, layer, strict=True)):
            held.append(library.affine(x, w_ih, bias[0] if bias else None))
            side = {
                "plan": plan.view, "products": library.address(held[-1]), "weight": library.address(w_hh),
                "y": library.address(y) + d * H * library.itemsize, "final": self._addresses(final, k, d),
                "initial": self._addresses(self._state, k, d),
            }  # fmt: skip
            if bias:
                side["bias"] = library.address(bias[1])
            if tape is not None:
                slots.append(self._rows(rows, cell["slots"] * H))
                memory.append(library.empty(rows if cell["states"] > 1 else 0, H, dtype="float32"))
                side |= {"slots": library.address(slots[-1]), "memory": library.address(memory[-1])}
            if plan.passed is not None and self._state:
                for to, start in zip(final, self._state, strict=True):
                    to[k * self.D + d, plan.passed] = start[k * self.D + d, plan.passed]
            sides.append(side)
        self._scan(False, sides)
        if tape is not None:
            tape.append(Kept(x, y if k + 1 < self.L else None, slots, memory))
        return y

    def _layer_backward(
        self, k: int, kept: Kept, dy: Any, dfinal: Sequence[Any], dinitial: list[Any], want_dx: bool
    ) -> tuple[Any, list[list[Any]]]:
        library, H, layer = self._library, self.H, self._layers[k]
        sides = []
        for d, plan in enumerate(self.plans):
            skip = d * H * library.itemsize
            side = {
                "plan": plan.view, "weight": library.address(layer[d][1]), "y": library.address(kept.y) + skip,
                "initial": self._addresses(self._state, k, d), "dfinal": self._addresses(dfinal, k, d),
                "dinitial": self._addresses(dinitial, k, d), "slots": library.address(kept.slots[d]),
                "memory": library.address(kept.memory[d]),
            }  # fmt: skip
            if dy is not None:
                side["dy"] = library.address(dy) + skip
            if plan.passed is not None:
                for to, end in zip(dinitial, dfinal, strict=True):
                    if end is not None:
                        to[k * self.D + d, plan.passed] = end[k * self.D + d, plan.passed]
            sides.append(side)
        self._scan(True, sides)
        dx, grads = None, []
        for d, plan in enumerate(self.plans):
            w_ih, _, *bias = layer[d]
            da_x, da_h = (self._fed(kept.slots[d], feed) for feed in ("x", "h"))
            h = self._previous_h(k, d, kept.y, plan)
            group = [self._by_gate(da_x.T @ kept.x, "x"), self._by_gate(da_h.T @ h, "h")]
            if bias:
                group += [self._by_gate(da.sum(0), feed) for da, feed in ((da_x, "x"), (da_h, "h"))]
            grads.append(group)
            if want_dx:
                part = da_x @ self._by_slot(w_ih)
                dx = part if dx is None else dx + part
        return dx, grads

    def _scan(self, backward: bool, sides: list[dict[str, Any]]) -> None:
        library = self._library
        rows = max(plan.segments for plan in self.plans)
        if rows == 0:
            return
        forced = os.environ.get("ELMAN_CUDA_SCHEDULE", "")
        schedule = _schedule(
            self._scans, library, self._name, backward, library.dtype, self.H, rows, self.D, forced
        )
        addresses = [a for side in sides for v in side.values() for a in (v if isinstance(v, list) else [v])]
        pairs = 2 * library.itemsize
        whole = self.H % 2 == 0 and all(a % pairs == 0 for a in addresses if isinstance(a, int))
        held = []  # until the kernels have their place in the stream: the library then keeps it for this stream
        if schedule.kind == "launch":
            for side, plan in zip(sides, self.plans, strict=True):
                held.append(library.empty(self._cell["states"], plan.segments, self.H, dtype="float32"))
                side["carry"] = library.address(held[-1])
        held.append(library.empty(2 * schedule.words, dtype="int32"))
        with library.current():
            self._scans.scan(
                self._name, library.dtype, backward, self.H, self.D * self.H, whole, sides, schedule,
                library.address(held[-1]), library.stream(),
            )  # fmt: skip

    def _rows(self, rows: int, width: int) -> Any:
        """For results of all rows; zeros where no step computes some."""
        holes = any(plan.has_holes for plan in self.plans)
        return (self._library.zeros if holes else self._library.empty)(rows, width)

    def _addresses(self, states: Sequence[Any], k: int, d: int) -> list[int]:
        return [0 if s is None else self._library.address(s[k * self.D + d]) for s in states]

    def _fed(self, slots: Any, feed: str) -> Any:
        begin, gates = self._cell[feed]["begin"], self._cell[feed]["gates"]
        return slots[:, begin * self.H : (begin + len(gates)) * self.H]

    def _by_gate(self, by_slot: Any, feed: str) -> Any:
        """Blocks of H rows in the order of the weights, from the order of the slots."""
        gates = self._cell[feed]["gates"]
        return self._blocks(by_slot, [gates.index(gate) for gate in range(len(gates))])

    def _by_slot(self, weight: Any) -> Any:
        return self._blocks(weight, self._cell["x"]["gates"])

    def _blocks(self, matrix: Any, order: list[int]) -> Any:
        if order == sorted(order):
            return matrix
        return self._library.concatenate([matrix[i * self.H : (i + 1) * self.H] for i in order])

    def _previous_h(self, k: int, d: int, y: Any, plan: Plan) -> Any:
        """[rows, H]: what the recurrent product of each row read."""
        library = self._library
        initial = self._state[0][k * self.D + d] if self._state else library.zeros(self.B, self.H)
        every = library.concatenate([y[:, d * self.H : (d + 1) * self.H], initial, library.zeros(1, self.H)])
        return library.take(every, plan.previous)
