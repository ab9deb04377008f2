"""What the tape keeps is the cheapest that fits, by trying all there is; and no choice on the way back is a product."""

import itertools

import numpy as np
import pytest

from elman.tracing import exp, maximum, minimum, programs, relu, tanh, tape, trace, where
from elman.tracing.operations import OPERATIONS
from elman.tracing.programs import make_programs
from tests.tracing.random_cells import random_cell
from tests.tracing.torch_side import by_programs
from tests.tracing.zoo import ZOO


def work(graph, forward, results, outputs, keep):
    """What the way back computes of the way there, from what is kept; None where it cannot."""
    done, left, total = set(), list(outputs), 0
    while left:
        n = left.pop()
        node = graph.nodes[n]
        if n in done or (node.op in tape.FREE and (n < forward or not node.args)):
            continue
        done.add(n)
        if n < forward:
            if n in results or n in keep:
                total += 1
                continue
            if node.op in ("slot", "product"):
                return None
            total += OPERATIONS[node.op].cost
        left += node.args
    return total


def search(cell, monkeypatch):
    """The arguments of the search for a cell's tape, and what it found."""
    asked = []
    choose = tape.choose

    def spy(*args):
        asked.append((args, choose(*args)))
        return asked[-1][1]

    with monkeypatch.context() as patch:
        patch.setattr(programs.tape, "choose", spy)
        sizes = programs.Sizes(
            *(len(cell.inputs[kind]) for kind in ("slot", "state", "vector", "scalar", "matrix"))
        )
        make_programs(cell.name, cell.nodes, cell.results, sizes)
    return asked[0]


@pytest.mark.parametrize("name", [*ZOO, *range(40)])
def test_the_tape_is_the_cheapest(name, monkeypatch):
    cell = ZOO[name] if name in ZOO else random_cell(name, most=12)[0]
    (graph, forward, results, outputs, most), kept = search(cell, monkeypatch)
    assert len(kept) <= most
    there = [n for n in range(forward) if graph.nodes[n].op not in tape.FREE and n not in results]
    ways = (set(keep) for size in range(most + 1) for keep in itertools.combinations(there, size))
    costs = [work(graph, forward, results, outputs, keep) for keep in ways]
    assert work(graph, forward, results, outputs, set(kept)) == min(c for c in costs if c is not None)


@pytest.mark.parametrize("width", [0, 100])
def test_a_search_cut_short_finds_a_tape_that_is_enough(width, monkeypatch):
    monkeypatch.setattr(tape, "_WIDTH", width)
    for seed in range(30):
        cell = random_cell(seed, most=30)[0]
        (*args, most), kept = search(cell, monkeypatch)
        assert len(kept) <= most and work(*args, set(kept)) is not None


def test_without_a_way_the_slots_are_kept(monkeypatch):
    monkeypatch.setattr(tape, "_steps", lambda *_: [])
    _, kept = search(ZOO["lstm"], monkeypatch)
    assert [ZOO["lstm"].nodes[n].op for n in kept] == ["slot"] * 4


def gradients(function, a, d=1.0):
    cell = trace(function, "a", "h")
    x = np.full((1, 1), a)
    new, got = by_programs(cell, {"a": x, "h": x}, [np.full((1, 1), d)])
    return float(new[0].item()), float(got["a"].item())


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:overflow", "ignore:invalid value")
def test_what_was_not_chosen_gets_no_gradient_whatever_its_numbers_are():
    assert gradients(lambda a: where(a > 0, 1 / a, a), -np.inf) == (-np.inf, 1.0)
    assert gradients(lambda a: where(a < 100, a, 1.0), 2.0) == (2.0, 1.0)
    assert gradients(lambda a: relu(a), -1.0, d=np.inf) == (0.0, 0.0)
    assert gradients(lambda a: relu(a), -1.0, d=np.nan) == (0.0, 0.0)
    assert gradients(lambda a: abs(a), 0.0) == (0.0, 0.0)
    assert gradients(lambda a: abs(a), -3.0) == (3.0, -1.0)
    assert gradients(lambda a: where(a > 1e3, exp(-a), tanh(a)), 0.0) == (0.0, 1.0)


def test_a_relu_needs_no_tape():
    assert not trace(lambda a: relu(a), "a", "h").programs.kept


def test_the_gradient_of_equal_numbers_goes_to_the_second():
    one = np.ones((1, 1))
    for function in (maximum, minimum):
        cell = trace(lambda a, b, f=function: f(a, b), "a b", "h")
        _, got = by_programs(cell, {"a": one, "b": one, "h": one}, [one])
        assert (got["a"].item(), got["b"].item()) == (0, 1)
