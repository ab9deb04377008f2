"""The arguments of a call, checked and made ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._arrays import returner, to_numpy
from .cells import CELLS
from .passes import Device
from .spec import StackSpec
from .steps import Steps

States = list[Any]  # h, then the cell's other states: each [L * D, B, H], or None


def split_state(spec: StackSpec, name: str, state: Any, parts_may_be_none: bool = False) -> States:
    """h, or (h, c), as a list with one entry for each state; None as a list of None."""
    count = spec.states
    if state is None:
        return [None] * count
    if count == 1:
        return [state]
    if not isinstance(state, (tuple, list)) or len(state) != count:
        many = isinstance(state, (tuple, list))
        got = f"a {type(state).__name__} of {len(state)}" if many else _check.describe(state)
        raise ValueError(f"{name}: expected {_wanted(spec, '')}, got {got}")
    if not parts_may_be_none and any(part is None for part in state):
        raise ValueError(f"{name}: expected {_wanted(spec, ' of arrays')}, got None in it")
    return list(state)


def _wanted(spec: StackSpec, of: str) -> str:
    states = spec.facts.states
    return f"a {'pair' if len(states) == 2 else 'tuple'}{of} ({', '.join(states)})"


def join_state(parts: list[Any]) -> Any:
    """The reverse of split_state: h, or the tuple (h, c)."""
    return parts[0] if len(parts) == 1 else tuple(parts)


def check_state(
    spec: StackSpec,
    name: str,
    state: Any,
    B: int,
    batched: bool = True,
    take: Callable[..., Any] = to_numpy,
    parts_may_be_none: bool = False,
) -> States:
    """Each state [L * D, B, H] of an argument, the batch axis put in where there is none."""
    if state is None:
        return [None] * spec.states
    parts = split_state(spec, name, state, parts_may_be_none)
    for i, (part, shape) in enumerate(zip(parts, spec.state_shapes(B), strict=True)):
        if part is not None:
            part_name = name if len(parts) == 1 else f"{name}[{i}]"
            part = _check.array(part_name, part, shape if batched else shape[::2], spec.dtype, take)
            parts[i] = part if batched else part[:, None]
    return parts


@dataclass
class Arguments:
    """A call's arguments with the batch axis always there and every array known to be sound."""

    spec: StackSpec
    device: Device
    steps: Steps
    x: Any  # [T, B, I], or [B, T, I] with batch_first; a single sequence is [T, 1, I]
    state: States
    batched: bool
    wrap: Callable[[Any], Any]  # makes results the kind of array that x was
    scalars: np.ndarray | None = None  # those of the cell, as the first two axes of x and one more

    def sequence_out(self, y: Any) -> Any:
        return self.wrap(y if self.batched else y[:, 0])

    def state_out(self, parts: list[Any]) -> Any:
        return join_state([self.wrap(part if self.batched else part[:, 0]) for part in parts])

    def scalars_out(self, dscalars: np.ndarray) -> dict[str, Any]:
        """The gradients of the cell's scalars, by name."""
        rows = dscalars if self.batched else dscalars[:, 0]
        return {name: self.wrap(rows[..., k]) for k, name in enumerate(self.spec.facts.scalars)}

    def check_dy(self, dy: Any) -> Any:
        """A gradient of y, with the batch axis put in where x had none."""
        shape = (*self.x.shape[:2], self.spec.width) if self.batched else (self.steps.T, self.spec.width)
        dy = _check.array("dy", dy, shape, self.spec.dtype, self.device.take)
        return dy if self.batched else dy[:, None]

    def check_dstate(self, dstate: Any) -> States:
        """A gradient of the final states."""
        return check_state(self.spec, "dstate", dstate, self.steps.B, self.batched, self.device.take, True)


def prepare(
    spec: StackSpec,
    device: Device,
    x: Any,
    state: Any = None,
    lengths: Any = None,
    mask: Any = None,
    reset: Any = None,
    batch_first: bool = False,
    scalars: Mapping[str, Any] | None = None,
) -> Arguments:
    """Check every argument of a call; nothing has been computed when one is refused. `scalars`: those of the cell, by
    name, each as the first two axes of x."""
    wrap, given = returner(x), x
    x = device.take("x", x, spec.dtype)
    batched = x.ndim != 2
    letters = ("B", "T") if batch_first else ("T", "B")
    shape = (*letters, spec.I) if batched else ("T", spec.I)
    x = _check.array("x", x, shape, spec.dtype, device.take, given)
    marks = x.shape[:-1]
    if not batched:
        x, batch_first = x[:, None], False
    B, T = x.shape[:2] if batch_first else x.shape[1::-1]
    if lengths is not None:
        lengths = _check.lengths("lengths", device.host(lengths), T, (B,) if batched else ()).reshape(B)
    if mask is not None:
        mask = _check.marks("mask", device.host(mask), marks)
    if reset is not None:
        reset = _check.marks("reset", device.host(reset), marks)
    parts = check_state(spec, "state", state, B, batched, device.take)
    numbers = check_scalars(spec, scalars or {}, marks)
    if numbers is not None and not batched:
        numbers = numbers[:, None]
    steps = Steps(T, B, batch_first, lengths, mask, reset)
    return Arguments(spec, device, steps, x, parts, batched, wrap, numbers)


def check_scalars(spec: StackSpec, given: Mapping[str, Any], shape: tuple[int, ...]) -> np.ndarray | None:
    """The scalars of the cell as one array [*shape, scalars], a number for an array of it; None where it has none."""
    values = named_scalars(spec.cell, given, lambda: f"{_check.shape_text(shape)} {spec.dtype}")
    if not values:
        return None
    one = lambda v: np.full(shape, v, spec.dtype) if _check.one_number(v) else v  # noqa: E731
    return np.stack([_check.array(name, one(v), shape, spec.dtype) for name, v in values.items()], axis=-1)


def named_scalars(cell: str, given: Mapping[str, Any], wanted: Callable[[], str]) -> dict[str, Any]:
    """The scalars of a cell in its order, none more and none less. `wanted`: what each has to be, in words."""
    names = CELLS[cell].scalars
    for name in given:
        if name not in names:
            known = f"one of the cell's scalars ({', '.join(names)})" if names else "no such argument"
            raise TypeError(f"{name}: expected {known}, got {name}=")
    for name in names:
        if name not in given or given[name] is None:
            raise ValueError(f"{name}: expected {wanted()}, which the cell reads, got none")
    return {name: given[name] for name in names}
