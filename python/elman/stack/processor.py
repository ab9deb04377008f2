"""The forward and backward pass over a stack: layer by layer, both directions of a layer in one engine call.

Everything here is arrays in, arrays out: the layers of this package and those of elman.torch both run it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _core
from .spec import StackSpec, Weights

States = Sequence[np.ndarray | None]  # h, or h and c: each [L * D, B, H]


def pack(spec: StackSpec, weights: Weights) -> list[list[_core.Packed]]:
    """[layer][direction]: weights in the layout that the engine's kernels read."""
    return [[_core.pack(spec.cell, *one) for one in layer] for layer in weights]


def pack_back(spec: StackSpec, weights: Weights) -> list[list[_core.PackedBack]]:
    """The same for the backward pass."""
    return [[_core.pack_back(spec.cell, *one[:2]) for one in layer] for layer in weights]


def tape_size(spec: StackSpec, steps: int, rows: int, masked: bool = False) -> int:
    """Numbers that a tape holds, for at most `steps` computed per direction and `rows` rows of x; `masked`: with
    recurrent dropout."""
    states = spec.states - 1 + masked
    parts = _line(steps * spec.facts.slots * spec.H) + states * _line(steps * spec.H)
    return spec.L * (spec.D * parts + _line(rows * spec.D * spec.H))


def _of_layer(spec: StackSpec, states: States, k: int) -> list[list[np.ndarray | None]]:
    """[direction][state] arrays [B, H] of layer k."""
    rows = range(k * spec.D, (k + 1) * spec.D)
    return [[None if part is None else part[row] for part in states] for row in rows]


def _line(count: int) -> int:
    """Rounded up, so that what follows begins on a cache line of 64 bytes."""
    return (count + 15) // 16 * 16


class Tape:
    """What a forward pass leaves for the backward pass, in one array: the engine's tape of each layer and
    direction, and the results of each layer. The last layer's are the tape's own too: what the caller gets is a copy,
    which may be written to before the backward pass."""

    def __init__(
        self,
        spec: StackSpec,
        plans: list[_core.Plan],
        shape: tuple[int, ...],
        memory: np.ndarray | None = None,
        factors: np.ndarray | None = None,
    ):
        """`shape`: of x without its last axis. `memory`: at least tape_size numbers; new if None.
        `factors`: recurrent dropout [L * D, B, H], of each h where the recurrent product reads it."""
        totals, rows, masked = [plan.total for plan in plans], plans[0].rows, factors is not None
        if memory is None:
            memory = _core.empty((tape_size(spec, max(totals), rows, masked),), spec.dtype)
        self.memory = memory
        end = 0

        def take(count: int) -> np.ndarray:
            nonlocal end
            begin, end = end, end + _line(count)
            return memory[begin : begin + count]

        slots = spec.facts.slots * spec.H
        self.engine = [
            [
                [
                    take(total * slots),
                    take(total * spec.H) if spec.states > 1 else None,
                    of_direction,
                    take(total * spec.H) if masked else None,
                ]
                for total, (of_direction,) in zip(totals, _of_layer(spec, [factors], k), strict=True)
            ]
            for k in range(spec.L)
        ]
        width = spec.D * spec.H
        self.y = [take(rows * width).reshape(*shape, width) for _ in range(spec.L)]


def forward(
    spec: StackSpec,
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
    for k in range(spec.L):
        if tape:
            out = tape.y[k]
        elif y is not None and k + 1 == spec.L:
            out = y
        else:
            out = _core.empty((*lead, spec.D * spec.H), spec.dtype)
        _core.forward(
            packed[k], plans, x, out, _of_layer(spec, initial, k), _of_layer(spec, final, k),
            tape.engine[k] if tape else None,
        )  # fmt: skip
        x = out * dropout[k] if dropout and k + 1 < spec.L else out


def backward(
    spec: StackSpec,
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
    for k in reversed(range(spec.L)):
        below, dbelow = x, dx
        if k:
            below = tape.y[k - 1] * dropout[k - 1] if dropout else tape.y[k - 1]
            dbelow = _core.empty(below.shape, spec.dtype)
        _core.backward(
            packed[k], plans, tape.engine[k], grads[k], below, tape.y[k], dy,
            _of_layer(spec, initial, k), _of_layer(spec, dfinal, k), _of_layer(spec, dinitial, k), dbelow,
        )  # fmt: skip
        if k:
            dy = dbelow * dropout[k - 1] if dropout else dbelow
