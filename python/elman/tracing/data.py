"""A cell as lists, strings and numbers, which JSON and so a file can hold; and back, with every word looked at."""

from __future__ import annotations

from typing import Any

from .._check import describe
from . import checks
from .operations import Node

_FIELDS = ("name", "doc", "slots", "states", "params", "scalars", "bias", "nodes", "results")


def as_data(cell: Any) -> dict[str, Any]:
    """A CellDefinition without its function. Slots, params and biases are pairs, since their order counts.

    Only a cell with matrices has that field, so that others are the same as before there were any.
    """
    starts = [(name, list(s) if isinstance(s, tuple) else s) for name, s in cell.params.items()]
    return {
        "name": cell.name,
        "doc": cell.doc,
        "slots": [list(pair) for pair in cell.slots.items()],
        "states": list(cell.states),
        "params": [[name] if start is None else [name, start] for name, start in starts],
        "scalars": list(cell.scalars),
        "bias": [list(pair) for pair in cell.bias.items()],
        "nodes": [[node.op, list(node.args), node.number] for node in cell.nodes],
        "results": list(cell.results),
        **({"matrices": list(cell.matrices)} if cell.matrices else {}),
    }


def fields(data: Any) -> dict[str, Any]:
    """The fields of a definition, from what `as_data` made.

    Raises:
        ValueError: it is something else; the message says what was expected.
    """
    if not isinstance(data, dict) or {*map(str, data)} - {"matrices"} != {*_FIELDS}:
        got = ", ".join(map(str, data)) if isinstance(data, dict) else describe(data)
        raise ValueError(f"cell: expected the fields {', '.join(_FIELDS)}, got {got}")
    if not isinstance(data["doc"], str):
        raise ValueError(f"doc: expected text, got {describe(data['doc'])}")
    params = _pairs("params", data["params"], 1, 2)
    return {
        "name": checks.identifier("name", data["name"]),
        "doc": data["doc"],
        "slots": {name: checks.feed(name, feed) for name, feed in _pairs("slots", data["slots"])},
        "states": tuple(checks.identifier("states", name) for name in _list("states", data["states"])),
        "params": {name: checks.start(f"params, {name}", *(rest or [None])) for name, *rest in params},
        "scalars": tuple(checks.identifier("scalars", name) for name in _list("scalars", data["scalars"])),
        "bias": {name: checks.finite(f"bias, {name}", b) for name, b in _pairs("bias", data["bias"])},
        "nodes": tuple(_node(n, given) for n, given in enumerate(_list("nodes", data["nodes"]))),
        "results": tuple(_whole("results", n) for n in _list("results", data["results"])),
        "matrices": tuple(
            checks.identifier("matrices", name) for name in _list("matrices", data.get("matrices", []))
        ),
    }


def _list(what: str, given: Any) -> list[Any]:
    if not isinstance(given, (list, tuple)):
        raise ValueError(f"{what}: expected a list, got {describe(given)}")
    return list(given)


def _whole(what: str, given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or abs(given) > 2**31:
        raise ValueError(f"{what}: expected whole numbers of nodes, got {describe(given)}")
    return given


def _pairs(what: str, given: Any, least: int = 2, most: int = 2) -> list[list[Any]]:
    """Lists that start with names, no two alike."""
    pairs = [_list(what, pair) for pair in _list(what, given)]
    for pair in pairs:
        if not least <= len(pair) <= most:
            raise ValueError(f"{what}: expected a name and what belongs to it, got {len(pair)} items")
        checks.identifier(what, pair[0])
    names = [pair[0] for pair in pairs]
    if len(set(names)) < len(names):
        raise ValueError(f"{what}: expected a name of its own for each, got {', '.join(names)}")
    return pairs


def _node(n: int, given: Any) -> Node:
    what = f"node {n}"
    parts = _list(what, given)
    if len(parts) != 3 or not isinstance(parts[0], str):
        raise ValueError(f"{what}: expected an operation, its arguments and a number, got {describe(given)}")
    args = tuple(_whole(what, a) for a in _list(what, parts[1]))
    return Node(parts[0], args, checks.finite(what, parts[2]))
