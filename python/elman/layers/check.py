"""Whether a cell's gradients are the derivatives of its results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..tracing.definition import CellDefinition
from .cells import Recurrent

_STEP = 1e-4  # of differences


def check_cell(cell: CellDefinition, tolerance: float = 1e-5, seed: int = 0) -> float:
    """Compare the gradients that the engine computes with differences of its results, in float64.

    A layer of the cell with 3 inputs and 5 units runs over 3 sequences of up to 4 steps. Each weight, param, scalar,
    input and initial state is moved a little, one number at a time.

    Args:
        cell: what `elman.cell` made of a function.
        tolerance: how far a gradient may be from the difference, relative to the largest of its array, or to 1.
        seed: of the numbers; another one is worth a try where a function has corners (abs, maximum, where), for a
            difference across a corner is no derivative, or where a state grows so fast that differences say little.

    Returns:
        The largest such distance.

    Raises:
        ValueError: it is larger than `tolerance`, or the cell has a spike, whose gradient is none by design.
    """
    if not isinstance(cell, CellDefinition):
        raise ValueError(f"cell: expected what elman.cell makes of a function, got {type(cell).__name__}")
    if any(node.op == "spike" for node in cell.nodes):
        raise ValueError(
            f"cell: expected one without spike, whose gradient is no derivative, got {cell.name}"
        )
    rng = np.random.default_rng(seed)
    case = _Case(cell, rng)
    worst = 0.0
    for name, gradient, moved in case.gradients():
        difference, doubt = case.differences(gradient, moved)
        scale = max(1.0, np.abs(gradient).max())
        off = np.abs(gradient - difference).max() / scale
        if not off <= tolerance:
            raise ValueError(
                f"cell: expected gradients of {name} that are within {tolerance:g} of differences, got {off:.1e} "
                f"for {cell.name}; the differences themselves are sure to some {doubt.max() / scale:.0e}"
            )
        worst = max(worst, float(off))
    return worst


class _Case:
    """One call of a layer, and what it is given."""

    def __init__(self, cell: CellDefinition, rng: np.random.Generator, T: int = 4, B: int = 3):
        self._layer = Recurrent(cell, 3, 5, dtype=np.float64, seed=rng, init="uniform")
        spec = self._layer._spec
        self._x = rng.standard_normal((T, B, spec.I))
        # Positive, because a state may be a divisor.
        self._state = [rng.uniform(0.3, 1.5, shape) for shape in spec.state_shapes(B)]
        self._scalars = {name: rng.uniform(0.2, 1.5, (T, B)) for name in cell.scalars}
        self._lengths = np.array([T, T - 1, T - 2])[:B]
        self._random = self._layer.random_state()  # of a cell that draws: the same numbers at each call
        self._dy = rng.standard_normal((T, B, spec.width))
        self._dstate = [rng.standard_normal(shape) for shape in spec.state_shapes(B)]

    def _joined(self, parts: list[np.ndarray]) -> Any:
        return parts[0] if len(parts) == 1 else tuple(parts)

    def _forward(self) -> Any:
        self._layer.set_random_state(self._random)
        return self._layer.forward(self._x, self._joined(self._state), self._lengths, **self._scalars)

    def _loss(self) -> np.ndarray:
        """The numbers whose sum it is: their differences lose less to rounding than that of two sums."""
        y, state, _ = self._forward()
        parts = state if isinstance(state, tuple) else (state,)
        pairs = [(y, self._dy), *zip(parts, self._dstate, strict=True)]
        return np.concatenate([(value * d).ravel() for value, d in pairs])

    def gradients(self) -> Iterator[tuple[str, np.ndarray, Callable[[int, float], None]]]:
        """A name, the gradient, and what moves one number of the array that it is of."""
        layer = self._layer
        layer.zero_grad()
        _, _, backward = self._forward()
        dx, dstate = backward(self._dy, self._joined(self._dstate))
        parts = dstate if isinstance(dstate, tuple) else (dstate,)
        yield "x", dx, _mover(self._x)
        for name, d, state in zip(layer._spec.facts.states, parts, self._state, strict=True):
            yield f"state {name}", d, _mover(state)
        for name, scalar in self._scalars.items():
            yield name, backward.dscalars[name], _mover(scalar)
        for name, grad in layer.grads.items():
            yield name, grad, self._parameter_mover(name)

    def _parameter_mover(self, name: str) -> Callable[[int, float], None]:
        def move(i: int, by: float) -> None:
            value = np.array(self._layer.parameters[name])
            value.flat[i] += by
            self._layer.parameters[name] = value

        return move

    def differences(
        self, like: np.ndarray, move: Callable[[int, float], None]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Of the loss, for each number of an array that has this shape; and how far two steps of different lengths are
        apart. From both follows a difference without the error of order two (Richardson 1911)."""
        found, doubt = np.empty(like.shape), np.empty(like.shape)
        for i in range(found.size):
            wide, narrow = (self._difference(i, move, step) for step in (2 * _STEP, _STEP))
            found.flat[i], doubt.flat[i] = (4 * narrow - wide) / 3, abs(narrow - wide)
        return found, doubt

    def _difference(self, i: int, move: Callable[[int, float], None], step: float) -> float:
        move(i, step)
        above = self._loss()
        move(i, -2 * step)
        below = self._loss()
        move(i, step)
        return float(np.sum(above - below)) / (2 * step)


def _mover(array: np.ndarray) -> Callable[[int, float], None]:
    def move(i: int, by: float) -> None:
        array.flat[i] += by

    return move
