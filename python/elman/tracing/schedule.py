"""In which order nodes are computed: few values at a time, and stores behind the loads of what they overwrite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from .graph import Graph


class Output(NamedTuple):
    """What a program stores."""

    op: str
    which: int
    node: int
    once: bool = False  # in a column of one row


class Found(NamedTuple):
    """How a node is loaded that lies among the new states or the rows that stages read."""

    op: str
    which: int


class Step(NamedTuple):
    """An instruction before registers: of a node, or a store of one, which has `node` -1 itself."""

    node: int
    op: str
    args: tuple[int, ...]
    number: float = 0.0
    which: int = 0
    once: bool = False


# Loads from places that a store of the program writes: the store comes later.
_OVERWRITTEN = {"store_state": "load_state", "store_gradient": "load_gradient"}


class Order:
    """The steps that lead to the outputs, starting from what is in registers."""

    def __init__(
        self, graph: Graph, outputs: Iterable[Output], there: Collection[int], found: Mapping[int, Found]
    ):
        self._graph = graph
        self._there = there
        self._found = found  # nodes that an earlier program has stored for good
        self.outputs = list(outputs)

    def step(self, n: int) -> Step:
        """How node n comes about."""
        node = self._graph.nodes[n]
        if n in self._found:
            return Step(n, self._found[n].op, (), which=self._found[n].which)
        if node.op == "constant":
            return Step(n, "constant", (), node.number)
        if not node.args:
            return Step(n, f"load_{node.op}", (), which=node.which)
        if node.op == "spike":
            return Step(n, "where_greater", node.args)
        return Step(n, node.op, node.args, node.number)

    def store(self, output: Output) -> Step:
        """The instruction that stores it."""
        return Step(-1, output.op, (output.node,), which=output.which, once=output.once)

    def needed(self) -> set[int]:
        """All nodes on the way, with those that are there."""
        found, left = set(), [output.node for output in self.outputs]
        while left:
            n = left.pop()
            if n not in found:
                found.add(n)
                left += () if n in self._there else self.step(n).args
        return found

    def sizes(self) -> dict[int, int]:
        """How many registers each node takes to compute, were it alone (Sethi and Ullman)."""
        sizes: dict[int, int] = {}
        for n in _walk([output.node for output in self.outputs], self._args):
            needs = sorted({a: sizes[a] for a in self._args(n)}.values(), reverse=True)
            own = 0 if n in self._there else 1
            sizes[n] = max([own, *(need + i for i, need in enumerate(needs))])
        return sizes

    def _args(self, n: int) -> tuple[int, ...]:
        return () if n in self._there else self.step(n).args

    def steps(self, key: Callable[[int], int], turned: bool) -> list[Step]:
        """One order: arguments by `key`, outputs as given or turned round. Each is stored as soon as it may be."""
        outputs = self.outputs[::-1] if turned else self.outputs
        loads = {(step.op, step.which) for step in map(self.step, self.needed() - set(self._there))}
        waiting = [
            (o, wait if (wait := (_OVERWRITTEN.get(o.op, ""), o.which)) in loads else None) for o in outputs
        ]
        steps: list[Step] = []
        done = set(self._there)
        loaded: set[tuple[str, int] | None] = {None}

        def store() -> None:
            ready = [o for o, wait in waiting if o.node in done and wait in loaded]
            steps.extend(map(self.store, ready))
            waiting[:] = [item for item in waiting if item[0] not in ready]

        store()
        for n in _walk([output.node for output in outputs], lambda n: sorted(self._args(n), key=key)):
            if n not in done:
                step = self.step(n)
                steps.append(step)
                done.add(n)
                loaded.add((step.op, step.which))
                store()
        return steps


def _walk(roots: Iterable[int], args: Callable[[int], Iterable[int]]) -> Iterator[int]:
    """Each node once, behind its arguments."""
    seen: set[int] = set()
    stack: list[tuple[int, Iterator[int]]] = []
    for root in roots:
        stack.append((root, iter(args(root))))
        while stack:
            n, left = stack[-1]
            if n in seen:
                stack.pop()
                continue
            following = next((a for a in left if a not in seen), None)
            if following is None:
                seen.add(n)
                stack.pop()
                yield n
            else:
                stack.append((following, iter(args(following))))


def fewest_alive(steps: Sequence[Step]) -> list[Step]:
    """Another order of these steps: always the one next that leaves the fewest values alive, of those the first."""
    made = {step.node: t for t, step in enumerate(steps) if step.node >= 0}
    loads = {(step.op, step.which): t for t, step in enumerate(steps) if step.op.startswith("load_")}
    before = [{made[a] for a in step.args if a in made} for step in steps]
    for t, step in enumerate(steps):
        load = loads.get((_OVERWRITTEN.get(step.op, ""), step.which))
        if load is not None:
            before[t].add(load)
    behind: dict[int, list[int]] = {}
    for t, earlier in enumerate(before):
        for one in earlier:
            behind.setdefault(one, []).append(t)
    uses = Counter(a for step in steps for a in set(step.args))

    def alive(t: int) -> tuple[int, int]:
        step = steps[t]
        return (step.node >= 0) - sum(uses[a] == 1 for a in set(step.args)), t

    ready = {t for t, earlier in enumerate(before) if not earlier}
    order: list[Step] = []
    while ready:
        t = min(ready, key=alive)
        ready.remove(t)
        order.append(steps[t])
        uses.subtract(set(steps[t].args))
        for later in behind.get(t, ()):
            before[later].remove(t)
            if not before[later]:
                ready.add(later)
    return order
