"""What a cell's function computes with while it is traced: values, conditions and matrices
that write down what is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from .._check import describe
from .refusals import Symbol, Trace, operators

_MOST_POWER = 16
_DEEPEST = 100  # conditions within each other


class Value(Symbol):
    """A number of each unit and row, of which only how it is computed is known."""

    __slots__ = ("node",)

    def __init__(self, trace: Trace, node: int):
        super().__init__(trace)
        self.node = node

    def __repr__(self) -> str:
        return f"<{self.trace.graph.nodes[self.node].op} of cell {self.trace.name}>"

    def as_node(self) -> int:
        return self.node

    def _of(self, make: Callable[[int, int], int], first: Any, second: Any) -> Value:
        return Value(self.trace, make(self.trace.node(first), self.trace.node(second)))

    def __add__(self, other: Any) -> Value:
        return self._of(self.trace.graph.add, self, other)

    def __radd__(self, other: Any) -> Value:
        return self._of(self.trace.graph.add, other, self)

    def __sub__(self, other: Any) -> Value:
        return self._of(self.trace.graph.sub, self, other)

    def __rsub__(self, other: Any) -> Value:
        return self._of(self.trace.graph.sub, other, self)

    def __mul__(self, other: Any) -> Value:
        return self._of(self.trace.graph.mul, self, other)

    def __rmul__(self, other: Any) -> Value:
        return self._of(self.trace.graph.mul, other, self)

    def __truediv__(self, other: Any) -> Value:
        if not isinstance(other, Symbol) and self.trace.number(other) == 0:
            self.trace.refuse("expected a divisor that is not 0")
        return self._of(self.trace.graph.div, self, other)

    def __rtruediv__(self, other: Any) -> Value:
        return self._of(self.trace.graph.div, other, self)

    def __neg__(self) -> Value:
        return Value(self.trace, self.trace.graph.negate(self.node))

    def __pos__(self) -> Value:
        return self

    def __abs__(self) -> Value:
        return Value(self.trace, self.trace.graph.apply("abs", self.node))

    def __pow__(self, power: Any) -> Value:
        number = isinstance(power, (int, float, np.number)) and not isinstance(power, bool)
        if not number or power != power // 1 or not 1 <= power <= _MOST_POWER:
            what = "a symbol" if isinstance(power, Symbol) else describe(power)
            self.trace.refuse(
                f"expected a whole power from 1 to {_MOST_POWER}, got {what}; use sqrt(x), 1 / x ** 2, or "
                "exp(log(x) * power)"
            )
        power = int(power)
        half = self if power == 1 else self ** (power // 2)
        return half if power == 1 else half * half * self if power % 2 else half * half

    def __rpow__(self, base: Any) -> Value:
        self.trace.refuse("expected no symbol as a power; use exp(x * number)")

    def __gt__(self, other: Any) -> Condition:
        return Condition(self.trace, "where_greater", self.node, self.trace.node(other))

    def __ge__(self, other: Any) -> Condition:
        return Condition(self.trace, "where_at_least", self.node, self.trace.node(other))

    def __lt__(self, other: Any) -> Condition:
        return Condition(self.trace, "where_greater", self.trace.node(other), self.node)

    def __le__(self, other: Any) -> Condition:
        return Condition(self.trace, "where_at_least", self.trace.node(other), self.node)

    def __eq__(self, other: Any) -> Condition:  # type: ignore[override]
        return Condition(self.trace, "where_equal", self.node, self.trace.node(other))

    def __ne__(self, other: Any) -> Condition:  # type: ignore[override]
        return Condition(self.trace, "not", self == other)

    __hash__ = Symbol.__hash__


class Condition(Symbol):
    """A comparison of two nodes, or conditions put together: `and`, `or`, `not`."""

    __slots__ = ("_chosen", "_depth", "kind", "parts")
    _NO_IF = f"{Symbol._NO_IF}, and & | ~ for `and`, `or`, `not`"

    def __init__(self, trace: Trace, kind: str, *parts: Any):
        super().__init__(trace)
        self.kind = kind
        self.parts = parts
        self._depth: int = 1 + max((part._depth for part in parts if isinstance(part, Condition)), default=0)
        if self._depth > _DEEPEST:
            trace.refuse(f"expected conditions of at most {_DEEPEST} parts within each other")
        # What has been asked before: a part may be one of several conditions.
        self._chosen: dict[tuple[int, int], int] = {}

    def __repr__(self) -> str:
        return f"<condition of cell {self.trace.name}>"

    def _with(self, kind: str, other: Any) -> Condition:
        if not isinstance(other, Condition):
            self.trace.refuse(
                f"expected a condition beside a condition, got {describe(other)}; put (...) around each"
            )
        if other.trace is not self.trace:
            self.trace.node(other)  # refuses it
        return Condition(self.trace, kind, self, other)

    def __and__(self, other: Any) -> Condition:
        return self._with("and", other)

    def __or__(self, other: Any) -> Condition:
        return self._with("or", other)

    __rand__, __ror__ = __and__, __or__

    def __invert__(self) -> Condition:
        return Condition(self.trace, "not", self)

    def choose(self, then: int, otherwise: int) -> int:
        """The node that is `then` where this holds. A comparison with NaN does not hold."""
        found = self._chosen.get((then, otherwise))
        if found is None:
            found = self._chosen[then, otherwise] = self._choose(then, otherwise)
        return found

    def _choose(self, then: int, otherwise: int) -> int:
        if self.kind == "not":
            return int(self.parts[0].choose(otherwise, then))
        if self.kind == "and":
            return int(self.parts[0].choose(self.parts[1].choose(then, otherwise), otherwise))
        if self.kind == "or":
            return int(self.parts[0].choose(then, self.parts[1].choose(then, otherwise)))
        first, second = self.parts
        return self.trace.graph.where(self.kind, first, second, then, otherwise)


class Matrix(Symbol):
    """What multiplies a value of all units within the step: `u(r * h)`."""

    __slots__ = ("name", "number")

    def __init__(self, trace: Trace, name: str, number: int):
        super().__init__(trace)
        self.name = name
        self.number = number

    def __repr__(self) -> str:
        return f"<matrix {self.name} of cell {self.trace.name}>"

    def as_node(self) -> NoReturn:
        self.trace.refuse(f"expected a value, got the matrix {self.name}; {self.name}(value) is its product")

    def __call__(self, *values: Any, **named: Any) -> Value:
        if len(values) != 1 or named:
            self.trace.refuse(
                f"expected one value for the matrix {self.name}, got {len(values) + len(named)}"
            )
        row, graph = self.trace.node(values[0]), self.trace.graph
        for node in graph.nodes:
            if node.op == "product" and node.which == self.number and node.args != (row,):
                self.trace.refuse(
                    f"expected one product of the matrix {self.name}, got a second; matrices='...' may name more"
                )
        return Value(self.trace, graph.node("product", row, number=self.number))


def _refuse(self: Matrix, *_: Any) -> NoReturn:
    self.as_node()


for _name in operators():
    setattr(Matrix, _name, _refuse)
