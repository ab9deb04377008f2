"""What a stack is: L layers x D directions of one cell, and which weights and states it has."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .cells import CELLS, Cell

# [layer][direction]: weight_ih, weight_hh, bias_ih, bias_hh, None for what there is not, and the cell's vectors
Weights = list[list[list[Any]]]


class StackSpec(NamedTuple):
    """Everything about a stack but its weights and a call's arguments: what every front end describes itself with.

    Weights come in three forms: by name (`names`), flat in torch's order (that of `names`), and as a nest
    [layer][direction] (`nest`), in which what there is not is None. That is what passes take.
    """

    cell: str  # a name in CELLS
    I: int  # noqa: E741
    H: int
    L: int = 1
    backwards: tuple[bool, ...] = (False,)  # for each direction, whether it runs backwards in time
    bias: bool = True
    dtype: np.dtype = np.dtype(np.float32)  # of arrays in main memory; those on a GPU have their library's
    P: int = 0  # torch's proj_size: h is projected to so many features; 0: it is not
    heads: int = (
        1  # recurrent products of a unit read the H / heads units of its own head alone; of traced cells
    )

    @property
    def D(self) -> int:  # noqa: N802
        return len(self.backwards)

    @property
    def facts(self) -> Cell:
        return CELLS[self.cell]

    @property
    def states(self) -> int:
        """How many states the cell has, h included."""
        return len(CELLS[self.cell].states)

    @property
    def width(self) -> int:
        """Features of y at each step."""
        return len(self.backwards) * (self.P or self.H)

    def state_shapes(self, B: int) -> list[tuple[int, int, int]]:
        """Of h, then of the other states."""
        rows, beyond_h = self.L * len(self.backwards), len(CELLS[self.cell].states) - 1
        return [(rows, B, self.P or self.H), *[(rows, B, self.H)] * beyond_h]

    @property
    def names(self) -> tuple[str, ...]:
        """Of all weights: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_ih_l0_reverse and so on."""
        return _names(self)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of all weights, in the same order."""
        return _shapes(self)

    @property
    def own(self) -> tuple[int, ...]:
        """Which of weight_ih, weight_hh, bias_ih, bias_hh and the cell's vectors each layer and direction has."""
        return tuple(i for i, place in enumerate(_places(self)) if place is not None)

    @property
    def nested_shapes(self) -> Weights:
        """The same as a nest."""
        return _nested_shapes(self)

    def nest(self, flat: Sequence[Any]) -> Weights:
        """[layer][direction] from the flat order."""
        D, places = self.D, _places(self)
        n = len(flat) // (self.L * D)
        groups = [[None if p is None else flat[i + p] for p in places] for i in range(0, len(flat), n)]
        return [groups[i : i + D] for i in range(0, len(groups), D)]

    def nest_of(self, named: Mapping[str, Any]) -> Weights:
        """[layer][direction] from weights by name."""
        return self.nest([named[name] for name in self.names])

    def named(self, nest: Weights) -> dict[str, Any]:
        """The weights, or their gradients, by name: those of `nest`, in which a part may be empty."""
        return {
            name: value
            for layer, names in zip(nest, _nested_names(self), strict=True)
            for one, own in zip(layer, names, strict=True)
            if one
            for name, value in zip(own, one, strict=True)
            if name
        }

    def wanted(self, names: Collection[str] | None) -> list[list[bool]]:
        """For each layer and direction, whether one of its weights is among these; None: all are."""
        return [
            [names is None or not set(own).isdisjoint(names) for own in layer]
            for layer in _nested_names(self)
        ]

    def wanted_shapes(self, wanted: list[list[bool]]) -> Weights:
        """The shapes of all weights as a nest, in which a part is empty unless it is wanted."""
        return [
            [shapes if own else [] for shapes, own in zip(layer, of_layer, strict=True)]
            for layer, of_layer in zip(self.nested_shapes, wanted, strict=True)
        ]

    def gradients(self, wanted: list[list[bool]], zeros: Callable[[tuple[int, ...]], Any]) -> Weights:
        """A nest of what `zeros` makes of each shape, in which a part is empty unless it is wanted."""
        return [
            [[None if shape is None else zeros(shape) for shape in shapes] for shapes in layer]
            for layer in self.wanted_shapes(wanted)
        ]

    @staticmethod
    def first(wanted: list[list[bool]], want_states: bool) -> int:
        """The first layer that gradients must reach."""
        return 0 if want_states else [*map(any, wanted), True].index(True)


def _parts(spec: StackSpec) -> list[tuple[str, bool]]:
    """The weights that one layer and direction may have, and whether it does."""
    cell, fed = spec.facts, spec.facts.h_gates > 0
    return [
        ("weight_ih", True),
        ("weight_hh", fed),
        ("bias_ih", spec.bias),
        ("bias_hh", spec.bias and fed),
        *((name, True) for name in cell.vectors),
        *[("weight_hr", True)] * bool(spec.P),
    ]


@functools.lru_cache(256)
def _places(spec: StackSpec) -> list[int | None]:
    """Where each of them lies among those that there are."""
    there = [name for name, has in _parts(spec) if has]
    return [there.index(name) if has else None for name, has in _parts(spec)]


@functools.lru_cache(256)
def _nested_names(spec: StackSpec) -> Weights:
    return spec.nest(spec.names)


@functools.lru_cache(256)
def _nested_shapes(spec: StackSpec) -> Weights:
    return spec.nest(spec.shapes)


@functools.lru_cache(256)
def _names(spec: StackSpec) -> tuple[str, ...]:
    ends = [f"_l{k}" + "_reverse" * d for k in range(spec.L) for d in range(spec.D)]
    return tuple(part + end for end in ends for part, has in _parts(spec) if has)


@functools.lru_cache(256)
def _shapes(spec: StackSpec) -> tuple[tuple[int, ...], ...]:
    H, x_rows, h_rows = spec.H, len(spec.facts.gates) * spec.H, spec.facts.h_gates * spec.H
    shapes: list[tuple[int, ...]] = []
    for k in range(spec.L):
        known = {
            "weight_ih": (x_rows, spec.width if k else spec.I),
            "weight_hh": (h_rows, spec.P or H // spec.heads),
            "bias_ih": (x_rows,),
            "bias_hh": (h_rows,),
            "weight_hr": (spec.P, H),
        }
        shapes += [known.get(part, (H,)) for part, has in _parts(spec) if has] * spec.D
    return tuple(shapes)
