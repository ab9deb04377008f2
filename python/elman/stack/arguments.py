"""The arguments of a recurrent layer's call, checked and made ready: shapes, states and plans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _check, _core
from .._arrays import returner, to_numpy

if TYPE_CHECKING:
    from ..layers.recurrent import Recurrent

States = list[np.ndarray | None]  # h, or h and c: each [L * D, B, H]


def split_state(count: int, name: str, state: Any, parts_may_be_none: bool = False) -> list[Any]:
    """h, or (h, c), as a list with one entry for each state; None as a list of None."""
    if state is None:
        return [None] * count
    if count == 1:
        return [state]
    if not isinstance(state, (tuple, list)) or len(state) != count:
        raise ValueError(f"{name}: expected a pair (h, c), got {_check.describe(state)}")
    if not parts_may_be_none and any(part is None for part in state):
        raise ValueError(f"{name}: expected a pair of arrays (h, c), got None in it")
    return list(state)


def join_state(parts: list[Any]) -> Any:
    """The reverse of split_state: h, or the tuple (h, c)."""
    return parts[0] if len(parts) == 1 else tuple(parts)


@dataclass
class Call:
    """A call's arguments with the batch axis always there and every array known to be sound."""

    layer: Recurrent
    x: np.ndarray  # [T, B, I], or [B, T, I] with batch_first; a single sequence is [T, 1, I]
    T: int
    B: int
    batched: bool
    state: States
    plans: list[_core.Plan]  # one for each direction
    wrap: Callable[[np.ndarray], Any]  # makes results the kind of array that x was
    take: Callable[..., Any] = to_numpy  # makes arguments the kind of array that is computed with

    def sequence(self, features: int) -> np.ndarray:
        """A new array for a sequence of `features` in this call's layout."""
        return _core.empty((*self.x.shape[:2], features), self.layer.dtype)

    def states(self, fill: Callable[..., np.ndarray] = np.empty) -> list[np.ndarray]:
        """New arrays [L * D, B, H], one for each state."""
        layer = self.layer
        shape = (layer.num_layers * layer.directions, self.B, layer.hidden_size)
        return [fill(shape, layer.dtype) for _ in range(layer._states)]

    def sequence_out(self, y: np.ndarray) -> Any:
        return self.wrap(y if self.batched else y[:, 0])

    def state_out(self, parts: list[np.ndarray]) -> Any:
        return join_state([self.wrap(part if self.batched else part[:, 0]) for part in parts])

    def check_sequence(self, name: str, value: Any, features: int) -> np.ndarray:
        """A gradient shaped like a result of this call, with the batch axis put in where x had none."""
        shape = (*self.x.shape[:2], features) if self.batched else (self.T, features)
        value = _check.array(name, value, shape, self.layer.dtype, self.take)
        return value if self.batched else value[:, None]

    def check_state(self, name: str, state: Any) -> States:
        return check_state(self.layer, name, state, self.B, self.batched, True, self.take)


def check_state(
    layer: Recurrent,
    name: str,
    state: Any,
    B: int,
    batched: bool,
    parts_may_be_none: bool = False,
    take: Callable[..., Any] = to_numpy,
) -> States:
    parts: States = []
    names = [name] if layer._states == 1 else [f"{name}[0]", f"{name}[1]"]
    for part_name, part in zip(
        names, split_state(layer._states, name, state, parts_may_be_none), strict=True
    ):
        if part is not None:
            rows = layer.num_layers * layer.directions
            shape = (rows, B, layer.hidden_size) if batched else (rows, layer.hidden_size)
            part = _check.array(part_name, part, shape, layer.dtype, take)
            part = part if batched else part[:, None]
        parts.append(part)
    return parts


def check_lengths(lengths: Any, T: int, B: int, batched: bool, name: str = "lengths") -> np.ndarray | None:
    if lengths is None:
        return None
    return _check.lengths(name, lengths, T, (B,) if batched else ()).reshape(B)


def prepare(
    layer: Recurrent,
    x: Any,
    state: Any,
    lengths: Any,
    mask: Any,
    reset: Any,
    take: Callable[..., Any] = to_numpy,
) -> Call:
    """Check every argument of a call; nothing has been computed when one is refused."""
    wrap, given = returner(x), x
    x = take("x", x, layer.dtype)
    batched = x.ndim != 2
    letters = ("B", "T") if layer.batch_first else ("T", "B")
    shape = (*letters, layer.input_size) if batched else ("T", layer.input_size)
    x = _check.array("x", x, shape, layer.dtype, take, given)
    if not batched:
        x = x[:, None]
    batch_first = layer.batch_first and batched
    B, T = x.shape[:2] if batch_first else x.shape[1::-1]
    marks_shape = x.shape[:2] if batched else (T,)
    lengths = check_lengths(lengths, T, B, batched)
    mask = None if mask is None else _check.marks("mask", mask, marks_shape)
    reset = None if reset is None else _check.marks("reset", reset, marks_shape)
    parts = check_state(layer, "state", state, B, batched, take=take)
    plans = [_core.Plan(T, B, batch_first, backwards, lengths, mask, reset) for backwards in layer._backwards]
    return Call(layer, x, T, B, batched, parts, plans, wrap, take)
