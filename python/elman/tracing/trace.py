"""From a Python function to a cell: it runs once, on symbols."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._check import describe
from . import checks
from .checks import Start
from .definition import CellDefinition, in_order
from .graph import pruned
from .operations import INPUTS, MOST_REGISTERS
from .refusals import Trace
from .symbols import Matrix, Value

Names = str | Sequence[str]


def trace(
    function: Callable[..., Any],
    slots: Names | Mapping[str, str],
    states: Names,
    params: Names | Mapping[str, float | tuple[float, float]] = "",
    scalars: Names = "",
    bias: Mapping[str, float] | None = None,
    matrices: Names = "",
) -> CellDefinition:
    """The cell that a function computes.

    Args:
        function: from slots, states, params and scalars, as many as it names, to the new states.
        slots: names, all fed by x and h, or what feeds each: "x", "h" or "xh".
        states: names; the first one goes out.
        params: names of vectors with one number for each unit, or where each starts: a number, or (low, high).
        scalars: names of what is one number for each row and step.
        bias: where the biases of slots start.
        matrices: names of those that multiply a value of all units within the step, as `u(r * h)`: [H, H], with a bias
            as slots have it. The function calls each once.

    Returns:
        The cell, whose name is the function's.

    Raises:
        TypeError: the function does with a symbol what a program cannot; the message names the line.
        ValueError: names, sizes or results do not fit.
    """
    if not callable(function):
        raise TypeError(f"function: expected a function, got {describe(function)}")
    name = getattr(function, "__name__", type(function).__name__)
    if name == "<lambda>":
        name = "cell"
    fed = _mapping("slots", slots, "xh")
    feeds = {slot: checks.feed(slot, "xh" if feed == "hx" else feed) for slot, feed in fed.items()}
    starts: dict[str, Start] = {
        param: checks.start(f"params, {param}", start)
        for param, start in _mapping("params", params, None).items()
    }
    biases = {slot: checks.finite(f"bias, {slot}", b) for slot, b in dict(bias or {}).items()}
    state_names, scalar_names = _names("states", states), _names("scalars", scalars)
    matrix_names = _names("matrices", matrices)
    checks.names(list(feeds), state_names, list(starts), scalar_names, matrix_names)
    names = dict(zip(INPUTS, (in_order(feeds), state_names, tuple(starts), scalar_names), strict=True))

    run = Trace(name, function)
    leaves: dict[str, Value | Matrix] = {
        leaf: Value(run, run.graph.node(kind, number=i))
        for kind, given in names.items()
        for i, leaf in enumerate(given)
    }
    leaves |= {name: Matrix(run, name, i) for i, name in enumerate(matrix_names)}
    nodes, results = pruned(run.graph.nodes, _results(run, function, leaves, state_names))
    named = {kind: list(given) for kind, given in (names | {"matrix": matrix_names}).items()}
    for word, leaf in checks.unused(nodes, results, named):
        raise ValueError(
            f"cell {name}: expected its function to use {word} {leaf} for a new state{run.definition()}"
        )
    doc = inspect.getdoc(function) or ""
    try:
        made = CellDefinition(
            name,
            feeds,
            state_names,
            starts,
            scalar_names,
            biases,
            tuple(nodes),
            tuple(results),
            matrix_names,
            doc,
            function,
        )
    except ValueError as error:
        raise ValueError(f"cell {name}: {error}{run.definition()}") from None
    if len(nodes) > MOST_REGISTERS:  # it may need more than there are: better refused here than by a layer
        _ = made.programs
    return made


def cell(
    slots: Names | Mapping[str, str],
    states: Names = (),
    params: Names | Mapping[str, float | tuple[float, float]] = "",
    scalars: Names = "",
    bias: Mapping[str, float] | None = None,
    matrices: Names = "",
) -> Callable[[Callable[..., Any]], CellDefinition]:
    """Makes a cell of the function below it.

    Args:
        slots: names, all fed by x and h, or what feeds each: "x", "h" or "xh".
        states: names; the first one goes out.
        params: names of vectors with one number for each unit, or where each starts: a number, or (low, high).
        scalars: names of what is one number for each row and step.
        bias: where the biases of slots start.
        matrices: names of those that multiply a value of all units within the step, as `u(r * h)`: [H, H], with a bias
            as slots have it. The function calls each once.

    Returns:
        A decorator that calls `trace`, so it refuses what that does.

    Raises:
        TypeError: it stands without (slots, states).
    """
    if callable(slots):
        raise TypeError(
            "cell: expected @elman.cell(slots, states), as @elman.cell('i f g o', 'h c'), got no ()"
        )
    return lambda function: trace(function, slots, states, params, scalars, bias, matrices)


def _names(what: str, given: Any) -> tuple[str, ...]:
    if isinstance(given, str):
        return tuple(given.replace(",", " ").split())
    if isinstance(given, (list, tuple)):
        return tuple(checks.identifier(what, name) for name in given)
    raise ValueError(f"{what}: expected names, as 'h c', got {describe(given)}")


def _mapping(what: str, given: Any, default: Any) -> dict[str, Any]:
    if isinstance(given, Mapping):
        return {checks.identifier(what, name): value for name, value in given.items()}
    names = _names(what, given)
    if len(set(names)) < len(names):
        raise ValueError(f"{what}: expected a name of its own for each, got {', '.join(names)}")
    return dict.fromkeys(names, default)


def _results(
    run: Trace, function: Callable[..., Any], leaves: Mapping[str, Value | Matrix], states: Sequence[str]
) -> list[int]:
    """Calls the function with the symbols that its parameters name; the nodes of what it returns."""
    given: list[Any] = []
    named: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ValueError(
                f"cell {run.name}: expected arguments with names, got {parameter}{run.definition()}"
            )
        if name in leaves and isinstance(parameter.default, (int, float)):
            raise ValueError(
                f"cell {run.name}: expected no default of {name}, whose numbers a layer gives, got {parameter.default}"
                f"; where a param starts is params={{'{name}': {parameter.default}}}{run.definition()}"
            )
        if name not in leaves:
            if parameter.default is parameter.empty:
                known = ", ".join(leaves)
                hint = "; a method needs @staticmethod" if name == "self" else ""
                raise ValueError(
                    f"cell {run.name}: expected arguments among {known}, got {name}{hint}{run.definition()}"
                )
            if parameter.kind is parameter.POSITIONAL_ONLY:
                given.append(parameter.default)
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            given.append(leaves[name])
        else:
            named[name] = leaves[name]
    out = function(*given, **named)
    if out is None:
        raise ValueError(f"cell {run.name}: expected a `return`, got None{run.definition()}")
    out = list(out) if isinstance(out, (tuple, list)) else [out]
    if len(out) != len(states):
        raise ValueError(
            f"cell {run.name}: expected one value for each new state, {', '.join(states)}, got {len(out)}"
            f"{run.definition()}"
        )
    return [run.node(one) for one in out]
