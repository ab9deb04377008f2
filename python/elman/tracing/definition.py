"""A cell that was traced: all that the engine and a file need of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from .._cached import cached
from . import checks, data
from .checks import Start
from .evaluate import evaluate
from .numeric import NUMPY, Functions
from .operations import Node
from .programs import Programs, Sizes, make_programs


@dataclass(frozen=True, eq=False, repr=False)
class CellDefinition:
    """A cell's names and the trace of its function. Two with the same content are equal, whatever their functions.

    Attributes:
        name: of the function.
        slots: what feeds each: "x", "xh" or "h".
        states: names; the first one goes out.
        params: where each starts: a number, two ends (low, high) that it is drawn between, or None.
        scalars: names of the numbers that each row and step has.
        bias: where the bias of a slot starts, if not as the layer's do.
        nodes: the trace. A slot's number is its place in `order`.
        results: the nodes of the new states.
        matrices: names of those that multiply rows within a step.
        doc: the docstring of the function, which is no part of the content.
        function: the cell's function, if it did not come from data.
    """

    tag: ClassVar[str] = "elman:cell"  # a cell in a file

    name: str
    slots: Mapping[str, str]
    states: tuple[str, ...]
    params: Mapping[str, Start]
    scalars: tuple[str, ...]
    bias: Mapping[str, float]
    nodes: tuple[Node, ...]
    results: tuple[int, ...]
    matrices: tuple[str, ...] = ()
    doc: str = ""
    function: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        for name in ("slots", "params", "bias"):  # nobody can change what the key was made of
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        checks.identifier("name", self.name)
        checks.names(list(self.slots), self.states, list(self.params), self.scalars, self.matrices)
        checks.fed(self.slots)
        checks.bias(list(self.slots), self.bias)
        checks.trace(self.nodes, self.results, self.inputs)
        if self.doc:  # which editors show
            object.__setattr__(self, "__doc__", self.doc)

    @staticmethod
    def from_data(given: Any) -> CellDefinition:
        """The cell that `as_data` wrote, without its function.

        Args:
            given: anything; nothing in it is taken on trust.

        Returns:
            A cell that equals the one that was written.

        Raises:
            ValueError: the data is not of a cell.
        """
        return CellDefinition(**data.fields(given))

    def as_plain(self) -> dict[str, Any]:
        """What a file holds of a cell among the arguments of something."""
        return {self.tag: self.as_data()}

    def as_data(self) -> dict[str, Any]:
        """Lists, strings and numbers, as JSON holds them."""
        return data.as_data(self)

    @cached
    def order(self) -> tuple[str, ...]:
        """The slots as the engine has them: fed by x alone, by both, by h alone, so that each feeds a range."""
        return in_order(self.slots)

    @property
    def inputs(self) -> dict[str, list[str]]:
        """The names of each kind of leaf, by its numbers."""
        return {
            "slot": list(in_order(self.slots)),
            "state": list(self.states),
            "vector": list(self.params),
            "scalar": list(self.scalars),
            "matrix": list(self.matrices),
        }

    @cached
    def rows(self) -> dict[str, list[str]]:
        """Which slots the H rows of weight_ih ("x") and of weight_hh ("h") feed, one after the other. Behind those of
        h come the matrices."""
        fed = {side: [slot for slot, by in self.slots.items() if side in by] for side in ("x", "h")}
        return {"x": fed["x"], "h": [*fed["h"], *self.matrices]}

    @property
    def bias_rows(self) -> list[tuple[str, int, float]]:
        """Which bias each start of `bias` is of, "bias_ih" or, of a slot that x does not feed, "bias_hh", its place
        among the rows there, and the start."""
        found = []
        for slot, start in self.bias.items():
            side, name = ("x", "bias_ih") if "x" in self.slots[slot] else ("h", "bias_hh")
            found.append((name, self.rows[side].index(slot), start))
        return found

    @property
    def draws(self) -> int:
        """How many random numbers each unit draws in a step, in training."""
        return sum(node.op == "random" for node in self.nodes)

    @cached
    def key(self) -> str:
        """The name and some digits of the content's hash: the cell's identity in the engine."""
        return f"{self.name}-{hashlib.sha256(self._content.encode()).hexdigest()[:16]}"

    @cached
    def _content(self) -> str:
        return json.dumps({**self.as_data(), "doc": ""}, sort_keys=True)

    @cached
    def programs(self) -> Programs:
        """What the engine runs.

        Raises:
            ValueError: it needs more registers than the engine has.
        """
        slots, states, params, scalars, matrices = (
            len(self.inputs[kind]) for kind in ("slot", "state", "vector", "scalar", "matrix")
        )
        h_slots = sum("h" in feed for feed in self.slots.values())
        sizes = Sizes(slots, states, params, scalars, matrices, h_slots)
        return make_programs(self.name, self.nodes, self.results, sizes)

    def evaluate(
        self, values: dict[str, Any], functions: Functions = NUMPY, random: Sequence[Any] = ()
    ) -> list[Any]:
        """The new states, computed from the trace.

        Args:
            values: an array for each slot, state, param and scalar, by name; for each matrix a function from rows
                [.., H] to their products with it.
            functions: of the arrays' library, as `tracing.evaluate` wants them.
            random: in training an array of numbers from 0 to 1 for each that a unit draws; nothing outside it.

        Returns:
            An array for each state, with the shape and the type of the first slot.
        """
        inputs: dict[str, Sequence[Any]] = {
            kind: [values[name] for name in names] for kind, names in self.inputs.items()
        }
        return evaluate(self.nodes, self.results, inputs | ({"random": random} if random else {}), functions)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The cell's function, with numbers.

        Args:
            *args: numbers or arrays, as the function takes them.
            **kwargs: numbers or arrays by name, or what else the function takes.

        Returns:
            What the function returns.

        Raises:
            TypeError: the cell comes from data.
        """
        if not args and not kwargs:
            names = ", ".join(name for names in self.inputs.values() for name in names)
            raise TypeError(
                f"cell {self.name}: expected numbers for {names}, got none; a layer takes the cell as it is, without ()"
            )
        if self.function is None:
            raise TypeError(
                f"cell {self.name}: expected one with a function, got one from data; use evaluate"
            )
        return self.function(*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        return self._content == other._content if isinstance(other, CellDefinition) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._content)

    def __repr__(self) -> str:
        more = "".join(
            f"; {what} {' '.join(names)}"
            for what, names in [(what, getattr(self, what)) for what in ("params", "scalars", "matrices")]
            if names
        )
        return f"<cell {self.name}: slots {' '.join(self.slots)}; states {' '.join(self.states)}{more}>"

    def __copy__(self) -> CellDefinition:
        return self

    def __deepcopy__(self, memo: Any) -> CellDefinition:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Without the function: the decorator has put the cell in its place, so pickle would not find it."""
        return CellDefinition.from_data, (self.as_data(),)


def in_order(slots: Mapping[str, str]) -> tuple[str, ...]:
    """The names of slots, those fed by x alone first, those fed by h alone last."""
    return tuple(sorted(slots, key=lambda name: checks.FEEDS.index(slots[name])))
