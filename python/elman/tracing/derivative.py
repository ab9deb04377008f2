"""Reverse mode over a trace: what the gradients of the new states make of those of all that the cell was given.

A choice is a choice on the way back, too: what was not chosen gets 0, whatever the gradient is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .graph import Graph
from .operations import INPUTS, STATISTICS, Node


def differentiate(
    graph: Graph, results: Sequence[int], stages: Mapping[int, int]
) -> dict[tuple[str, int], int]:
    """Adds the nodes of the way back to the graph.

    Args:
        graph: of the cell's function.
        results: the nodes of the new states.
        stages: of each matrix.

    Returns:
        The gradient of each input and product that has one: ("slot", 0) and so on.
    """
    backward = _Backward(graph)
    for k, n in enumerate(results):
        backward.give(n, graph.node("gradient", number=k))
    inputs: dict[tuple[str, int], int] = {}
    passed: set[int] = set()
    for n in reversed(range(max(results) + 1)):
        if n in backward.adjoint:
            node = graph.nodes[n]
            if node.op not in (*INPUTS, "product"):
                backward.through(n, node, backward.adjoint[n])
                continue
            inputs[node.op, node.which] = backward.adjoint[n]
            if node.op == "product" and stages[node.which] not in passed:
                passed.add(stages[node.which])  # one gradient comes of all products with a row
                backward.give(node.args[0], graph.node("passed", number=stages[node.which]))
    return inputs


class _Backward:
    def __init__(self, graph: Graph):
        self.graph = graph
        self.adjoint: dict[int, int] = {}
        self._zero = graph.constant(0.0)

    def give(self, n: int, d: int) -> None:
        """Adds d to the gradient of n."""
        if self.graph.nodes[n].op != "constant":
            self.adjoint[n] = self.graph.add(self.adjoint[n], d) if n in self.adjoint else d

    def _choose(self, op: str, a: int, b: int, then: int, otherwise: int, d: int) -> None:
        """d goes to `then` where the choice holds, else to `otherwise`."""
        for to, choice in ((then, (d, self._zero)), (otherwise, (self._zero, d))):
            if self.graph.value(to) is None:
                self.give(to, self.graph.where(op, a, b, *choice))

    def through(self, n: int, node: Node, d: int) -> None:
        """From the gradient d of node n to those of its arguments."""
        if node.op == "chance":
            return  # it depends on nothing that has a gradient
        if node.op in STATISTICS:
            self._statistic(n, node, d)
        elif node.op in ("add", "sub", "mul", "fma", "fnma", "div"):
            self._arithmetic(n, node, d)
        elif node.op in ("add_number", "from_number", "mul_number"):
            factor = {"add_number": 1.0, "from_number": -1.0}.get(node.op, node.number)
            self.give(node.args[0], self.graph.mul(d, self.graph.constant(factor)))
        elif len(node.args) == 1 and not node.op.endswith("_number"):
            self.give(node.args[0], self._function(n, node, d))
        else:
            self._choice(n, node, d)

    def _statistic(self, n: int, node: Node, d: int) -> None:
        """Each unit of each of k values has a share of the sum of d over the units: mean(d) / k; of a variance
        2 (v - mean) times that, of y, an inverse deviation, -y^3 (v - mean) times that."""
        graph = self.graph
        values = node.args if node.op == "mean" else node.args[1:]
        share = graph.mul(graph.mean([d]), graph.constant(1 / len(values)))
        if node.op == "variance":
            share = graph.mul(share, graph.constant(2.0))
        elif node.op == "inverse_deviation":
            share = graph.negate(graph.mul(share, graph.mul(n, graph.mul(n, n))))
        for v in values:
            self.give(v, share if node.op == "mean" else graph.mul(graph.sub(v, node.args[0]), share))

    def _arithmetic(self, n: int, node: Node, d: int) -> None:
        graph, (a, b) = self.graph, node.args[:2]
        if node.op in ("add", "sub"):
            self.give(a, d)
            self.give(b, d if node.op == "add" else graph.negate(d))
        elif node.op == "div":
            share = graph.div(d, b)
            self.give(a, share)
            if graph.value(b) is None:
                self.give(b, graph.negate(graph.mul(share, n)))
        else:
            signed = graph.negate(d) if node.op == "fnma" else d
            self.give(a, graph.mul(signed, b))
            self.give(b, graph.mul(signed, a))
            for c in node.args[2:]:
                self.give(c, d)

    def _function(self, n: int, node: Node, d: int) -> int:
        """The gradient of the argument of a function of one."""
        graph, op, x = self.graph, node.op, node.args[0]
        if op in ("sigmoid", "tanh"):  # with y = n: d y (1 - y) and d (1 - y^2)
            if graph.is_mul(d):
                return graph.node(f"d{op}3", *graph.nodes[d].args, n)
            return graph.node(f"d{op}", d, n)
        if op == "exp":
            return graph.mul(d, n)
        if op == "log":
            return graph.div(d, x)
        if op == "softplus":
            return graph.mul(d, graph.apply("sigmoid", x))
        if op == "sqrt":
            return graph.mul(graph.div(d, n), graph.constant(0.5))
        negative = graph.where("where_greater", self._zero, x, graph.negate(d), self._zero)
        return graph.where("where_greater", x, self._zero, d, negative)  # of abs

    def _choice(self, n: int, node: Node, d: int) -> None:
        graph, a = self.graph, node.args[0]
        if node.op == "spike":
            steep = graph.mul(graph.apply("abs", a), graph.constant(node.number))
            root = graph.add(steep, graph.constant(1.0))
            self.give(a, graph.div(d, graph.mul(root, root)))
        elif node.op.endswith("_number"):
            self._limit(n, node, d)
        elif node.op in ("max", "min"):
            b = node.args[1]
            pair = (a, b) if node.op == "max" else (b, a)
            self._choose("where_greater", *pair, a, b, d)
        else:
            _, b, then, otherwise = node.args
            self._choose(node.op, a, b, then, otherwise, d)

    def _limit(self, n: int, node: Node, d: int) -> None:
        """Of y = max(x, k): y > k is x > k, and y is often at hand. So it is with both limits of
        y = clip(x, low, high), which need no value between x and y.
        """
        x, inner = node.args[0], self.graph.nodes[node.args[0]]
        limits = [node]
        if {node.op, inner.op} == {"max_number", "min_number"}:
            low, high = sorted((node, inner))  # by name
            if low.number < high.number:
                limits.append(inner)
                x = inner.args[0]
        for op, _, number in limits:
            k = self.graph.constant(number)
            pair = (k, n) if op == "max_number" else (n, k)
            d = self.graph.where("where_at_least", *pair, self._zero, d)  # a NaN is not at the limit
        self.give(x, d)
