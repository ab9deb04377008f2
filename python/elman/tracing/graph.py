"""Nodes of a trace, each written once, and constructors that fold what is known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from .numeric import NUMPY
from .operations import LARGEST, MOST_NODES, Node

# Powers of two within these have an exact reciprocal in float32, too.
_LARGEST_EXPONENT = 100
# Of nodes before those that no result needs are left out.
_MOST = 10 * MOST_NODES


class Graph:
    """Nodes whose arguments stand before them; equal nodes are one.

    Folding changes no result but the sign of a zero. So x * 0 stays, as it is NaN where x is, and so does x - x.
    """

    def __init__(self, nodes: Iterable[Node] = ()):
        self.nodes: list[Node] = list(nodes)
        self._known: dict[tuple[str, tuple[int, ...], str], int] = {}
        for n, (op, args, number) in enumerate(self.nodes):
            self._known.setdefault((op, args, number.hex()), n)

    def node(self, op: str, *args: int, number: float = 0.0) -> int:
        """The node as it stands here, without folding."""
        key = op, args, float(number).hex()  # 0.0 == -0.0, which are two numbers
        if key not in self._known:
            if len(self.nodes) == _MOST:
                raise ValueError(f"nodes: expected at most {MOST_NODES}, got more than {_MOST}")
            self._known[key] = len(self.nodes)
            self.nodes.append(Node(op, args, float(number)))
        return self._known[key]

    def find(self, op: str, index: int) -> int | None:
        """That leaf, if anything made it."""
        return self._known.get((op, (), float(index).hex()))

    def constant(self, number: float) -> int:
        return self.node("constant", number=number)

    def value(self, n: int) -> float | None:
        """The number of a constant, None for anything else."""
        node = self.nodes[n]
        return node.number if node.op == "constant" else None

    def is_mul(self, n: int) -> bool:
        return self.nodes[n].op == "mul"

    def _folded(self, op: str, *args: int) -> int | None:
        """The constant that comes of constants, if float32 holds it."""
        values = [value for value in map(self.value, args) if value is not None]
        if len(values) < len(args):
            return None
        with np.errstate(all="ignore"):
            result = float(NUMPY[op](*map(np.float64, values)))
        return self.constant(result) if abs(result) <= LARGEST else None

    def _negated(self, n: int) -> int | None:
        """x, where n is -x."""
        node = self.nodes[n]
        return node.args[0] if node.op == "mul_number" and node.number == -1 else None

    def add(self, a: int, b: int) -> int:
        folded = self._folded("add", a, b)
        if folded is not None:
            return folded
        if self.value(a) is not None:
            a, b = b, a
        number = self.value(b)
        if number is not None:
            return self.node("add_number", a, number=number) if number else a
        for one, other in ((a, b), (b, a)):
            minus = self._negated(other)
            if minus is not None:
                return self.sub(one, minus)
        for one, other in ((a, b), (b, a)):  # of two products the left one is fused
            if self.is_mul(one):
                return self.node("fma", *self.nodes[one].args, other)
        return self.node("add", *sorted((a, b)))

    def sub(self, a: int, b: int) -> int:
        folded = self._folded("sub", a, b)
        if folded is not None:
            return folded
        if a == b:  # 0, or NaN; of a product that is fused with its own rounded value the rest would be left
            return self.node("sub", a, b)
        first, second = self.value(a), self.value(b)
        if second is not None:
            return self.add(a, self.constant(-second))
        if first is not None:
            return self.node("from_number", b, number=first)
        minus = self._negated(b)
        if minus is not None:
            return self.add(a, minus)
        if self.is_mul(b):
            return self.node("fnma", *self.nodes[b].args, a)
        return self.node("sub", a, b)

    def mul(self, a: int, b: int) -> int:
        folded = self._folded("mul", a, b)
        if folded is not None:
            return folded
        if self.value(a) is not None:
            a, b = b, a
        number = self.value(b)
        if number is None:
            return self.node("mul", *sorted((a, b)))
        if number == 1:
            return a
        node = self.nodes[a]
        if number == -1 and node.op == "mul_number":
            return self.mul(node.args[0], self.constant(-node.number))
        return self.node("mul_number", a, number=number)

    def negate(self, a: int) -> int:
        return self.mul(a, self.constant(-1.0))

    def div(self, a: int, b: int) -> int:
        folded = self._folded("div", a, b)
        if folded is not None:
            return folded
        number = self.value(b)
        if number:
            half, exponent = math.frexp(abs(number))
            if half == 0.5 and abs(exponent) <= _LARGEST_EXPONENT:
                return self.mul(a, self.constant(1 / number))
        return self.node("div", a, b)

    def extreme(self, op: str, a: int, b: int) -> int:
        """`max` or `min` of two. They keep their order: where both are equal the gradient goes to the second. A number
        is always the second."""
        folded = self._folded(op, a, b)
        if folded is not None:
            return folded
        if a == b:
            return a
        if self.value(a) is not None:
            a, b = b, a
        number = self.value(b)
        return self.node(op, a, b) if number is None else self.node(f"{op}_number", a, number=number)

    def where(self, op: str, a: int, b: int, then: int, otherwise: int) -> int:
        """`op` is one of the choices; it compares a and b."""
        if then == otherwise:
            return then
        one, two = self.constant(1.0), self.constant(0.0)
        known = self._folded(op, a, b, one, two)
        if known is not None:
            return then if known == one else otherwise
        return self.node(op, a, b, then, otherwise)

    def apply(self, op: str, a: int) -> int:
        """A function of one argument."""
        folded = self._folded(op, a)
        return self.node(op, a) if folded is None else folded

    def mean(self, values: Sequence[int]) -> int:
        """Over all units of these values together."""
        numbers = [self.value(n) for n in values]
        if None not in numbers:
            return self.constant(float(np.mean(np.array(numbers, float))))
        return self.node("mean", *values)

    def variance(self, values: Sequence[int]) -> int:
        """Of all units of these values from their mean."""
        mean = self.mean(values)
        if self.value(mean) is not None:
            numbers = [self.value(n) for n in values]
            return self.constant(float(np.var(np.array(numbers, float))))
        return self.node("variance", mean, *values)

    def inverse_deviation(self, values: Sequence[int], epsilon: float) -> int:
        """1 / sqrt(variance + epsilon)."""
        variance = self.value(self.variance(values))
        if variance is not None:
            return self.constant((variance + epsilon) ** -0.5)
        return self.node("inverse_deviation", self.mean(values), *values, number=epsilon)

    def chance(self, p: float) -> int:
        """1 with probability p, else 0, drawn anew for each call of this, unit and step; outside training p."""
        drawn = sum(node.op == "random" for node in self.nodes)
        return self.node("chance", self.node("random", number=drawn), number=p)

    def spike(self, x: int, slope: float) -> int:
        zero = self.constant(0.0)
        return self.node("spike", x, zero, self.constant(1.0), zero, number=slope)


def pruned(nodes: list[Node], results: list[int]) -> tuple[list[Node], list[int]]:
    """Only what the results need, in the same order, and the results' new places. Random leaves are counted anew."""
    needed = set(results)
    for n in reversed(range(len(nodes))):
        if n in needed:
            needed.update(nodes[n].args)
    place = {n: at for at, n in enumerate(sorted(needed))}
    kept = [nodes[n]._replace(args=tuple(place[a] for a in nodes[n].args)) for n in sorted(needed)]
    drawn = (n for n, node in enumerate(kept) if node.op == "random")
    for count, n in enumerate(list(drawn)):
        kept[n] = kept[n]._replace(number=float(count))
    return kept, [place[n] for n in results]
