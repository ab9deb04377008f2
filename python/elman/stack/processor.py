"""The forward and backward pass over a stack: layer by layer, both directions of a layer in one engine call.

Everything here is arrays in, arrays out: the layers of this package and those of elman.torch both run it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import _core
from .cells import CELLS

States = Sequence[np.ndarray | None]  # h, or h and c: each [L * D, B, H]
Weights = list[list[list[Any]]]  # [layer][direction]: weight_ih, weight_hh, bias_ih, bias_hh


class Stack(NamedTuple):
    """What the passes need to know of a stack: a cell of H units, L layers, D directions."""

    cell: str
    H: int
    L: int
    D: int
    dtype: np.dtype

    @property
    def states(self) -> int:
        return len(CELLS[self.cell].states)

    def pack(self, weights: Weights) -> list[list[_core.Packed]]:
        """[layer][direction]: weights in the layout that the engine's kernels read."""
        return [[_core.pack(self.cell, *one) for one in layer] for layer in weights]

    def pack_back(self, weights: Weights) -> list[list[_core.PackedBack]]:
        """The same for the backward pass."""
        return [[_core.pack_back(self.cell, *one[:2]) for one in layer] for layer in weights]

    def of_layer(self, states: States, k: int) -> list[list[np.ndarray | None]]:
        """[direction][state] arrays [B, H] of layer k."""
        rows = range(k * self.D, (k + 1) * self.D)
        return [[None if part is None else part[row] for part in states] for row in rows]

    def tape_size(self, steps: int, rows: int, masked: bool = False) -> int:
        """Numbers that a tape holds, for at most `steps` computed per direction and `rows` rows of x; `masked`:
        with recurrent dropout."""
        states = self.states - 1 + masked
        parts = _line(steps * CELLS[self.cell].slots * self.H) + states * _line(steps * self.H)
        return self.L * (self.D * parts + _line(rows * self.D * self.H))


def _line(count: int) -> int:
    """Rounded up, so that what follows begins on a cache line of 64 bytes."""
    return (count + 15) // 16 * 16


class Tape:
    """What a forward pass leaves for the backward pass, in one array: the engine's tape of each layer and
    direction, and the results of each layer. The last layer's are the tape's own too: what the caller gets is a copy,
    which may be written to before the backward pass."""

    def __init__(
        self,
        stack: Stack,
        plans: list[_core.Plan],
        shape: tuple[int, ...],
        memory: np.ndarray | None = None,
        factors: np.ndarray | None = None,
    ):
        """`shape`: of x without its last axis. `memory`: at least tape_size numbers; new if None.
        `factors`: recurrent dropout [L * D, B, H], of each h where the recurrent product reads it."""
        totals, rows, masked = [plan.total for plan in plans], plans[0].rows, factors is not None
        if memory is None:
            memory = _core.empty((stack.tape_size(max(totals), rows, masked),), stack.dtype)
        self.memory = memory
        end = 0

        def take(count: int) -> np.ndarray:
            nonlocal end
            begin, end = end, end + _line(count)
            return memory[begin : begin + count]

        slots = CELLS[stack.cell].slots * stack.H
        self.engine = [
            [
                [
                    take(total * slots),
                    take((stack.states - 1) * total * stack.H) if stack.states > 1 else None,
                    of_direction,
                    take(total * stack.H) if masked else None,
                ]
                for total, (of_direction,) in zip(totals, stack.of_layer([factors], k), strict=True)
            ]
            for k in range(stack.L)
        ]
        width = stack.D * stack.H
        self.y = [take(rows * width).reshape(*shape, width) for _ in range(stack.L)]


def forward(
    stack: Stack,
    packed: list[list[Any]],
    plans: list[_core.Plan],
    x: np.ndarray,
    y: np.ndarray | None,
    initial: States,
    final: States,
    dropout: Sequence[np.ndarray] = (),
    tape: Tape | None = None,
) -> None:
    """Writes y [.., D*H] of x [.., I], and `final`. `dropout`: factors for the results of all layers but the last.
    With a tape y stays there, as the last of tape.y, and the argument is None."""
    lead = x.shape[:-1]
    for k in range(stack.L):
        if tape:
            out = tape.y[k]
        elif y is not None and k + 1 == stack.L:
            out = y
        else:
            out = _core.empty((*lead, stack.D * stack.H), stack.dtype)
        _core.forward(
            packed[k], plans, x, out, stack.of_layer(initial, k), stack.of_layer(final, k),
            tape.engine[k] if tape else None,
        )  # fmt: skip
        x = out * dropout[k] if dropout and k + 1 < stack.L else out


def backward(
    stack: Stack,
    packed: list[list[_core.PackedBack]],
    plans: list[_core.Plan],
    tape: Tape,
    grads: Weights,
    x: np.ndarray,
    dy: np.ndarray | None,
    dx: np.ndarray | None,
    initial: States,
    dfinal: States,
    dinitial: States,
    dropout: Sequence[np.ndarray] = (),
) -> None:
    """Writes dx, unless it is None, and `dinitial`, which begins as zeros; adds to `grads`. Uses the tape up."""
    for k in reversed(range(stack.L)):
        below, dbelow = x, dx
        if k:
            below = tape.y[k - 1] * dropout[k - 1] if dropout else tape.y[k - 1]
            dbelow = _core.empty(below.shape, stack.dtype)
        _core.backward(
            packed[k], plans, tape.engine[k], grads[k], below, tape.y[k], dy,
            stack.of_layer(initial, k), stack.of_layer(dfinal, k), stack.of_layer(dinitial, k), dbelow,
        )  # fmt: skip
        if k:
            dy = dbelow * dropout[k - 1] if dropout else dbelow
