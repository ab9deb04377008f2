"""The forward and backward pass over a stack in main memory: a call of the engine each, all layers in one.

Everything here is arrays in, arrays out: the layers of this package and those of elman.torch both run it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import _core
from .spec import StackSpec, Weights

States = Sequence[np.ndarray | None]  # h, or h and c: each [L * D, B, H]


def pack(spec: StackSpec, weights: Weights) -> _core.PackedStack:
    """The weights in the layout that the engine's kernels read."""
    return _core.pack(spec.cell, weights)


def pack_back(spec: StackSpec, weights: Weights) -> _core.PackedBackStack:
    """The same for the backward pass."""
    return _core.pack_back(spec.cell, weights)


def tape_size(spec: StackSpec, steps: int, rows: int, masked: bool = False) -> int:
    """Numbers enough for a tape of at most `steps` computed per direction and `rows` rows of x; `masked`: with
    recurrent dropout. Plain arithmetic in the sizes, which torch.compile may know by name alone."""
    of_step, of_row, rest = _core.tape_room(spec.cell, spec.L, spec.D, masked)
    return spec.H * (of_step * steps + of_row * rows) + rest


class Tape:
    """What a forward pass leaves for the backward pass, in one array. The last layer's results are the tape's own:
    what the caller gets is a copy, which may be written to before the backward pass."""

    def __init__(
        self,
        spec: StackSpec,
        plans: Sequence[_core.Plan],
        shape: tuple[int, ...],
        memory: np.ndarray | None = None,
        factors: np.ndarray | None = None,
    ):
        """`shape`: of x without its last axis. `memory`: at least tape_size numbers; new if None.
        `factors`: recurrent dropout [L * D, B, H], of each h where the recurrent product reads it."""
        self.engine = _core.Tape(spec.cell, spec.H, spec.L, plans, spec.dtype, memory, factors)
        self._shape = *shape, spec.D * spec.H

    @property
    def memory(self) -> np.ndarray:
        return self.engine.memory

    @property
    def y(self) -> list[np.ndarray]:
        """The results of the last layer, as the last of a list."""
        return [self.engine.y.reshape(self._shape)]


def forward(
    spec: StackSpec,
    packed: _core.PackedStack,
    plans: Sequence[_core.Plan],
    x: np.ndarray,
    y: np.ndarray | None,
    initial: States,
    final: States,
    dropout: Sequence[np.ndarray] = (),
    tape: Tape | None = None,
) -> None:
    """Writes y [.., D*H] of x [.., I], and `final`. `dropout`: factors for the results of all layers but the last.
    With a tape y may be None: the tape has it."""
    _core.forward(packed, plans, x, y, initial, final, dropout, tape.engine if tape else None)


def backward(
    spec: StackSpec,
    packed: _core.PackedBackStack,
    plans: Sequence[_core.Plan],
    tape: Tape,
    grads: Weights,
    x: np.ndarray,
    dy: np.ndarray | None,
    dx: np.ndarray | None,
    initial: States,
    dfinal: States,
    dinitial: Sequence[np.ndarray],
    dropout: Sequence[np.ndarray] = (),
) -> None:
    """Writes dx, unless it is None, and `dinitial`; adds to `grads`. Uses the tape up."""
    _core.backward(packed, plans, tape.engine, grads, x, dy, dx, initial, dfinal, dinitial, dropout)
