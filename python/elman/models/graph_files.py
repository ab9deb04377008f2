"""A graph as its file holds it: layers by name, nodes that refer to earlier nodes, outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ..layers import Parameters, arguments
from .joins import Attention, Concatenation, Repetition
from .nodes import Activation, Input, Node, Sum, Through
from .outputs import Output

_NODES = {
    kind.__name__: kind for kind in (Input, Through, Sum, Concatenation, Attention, Repetition, Activation)
}


class Drawn(Protocol):
    """A graph."""

    parts: dict[str, Parameters]
    order: list[Node]
    part_of: dict[int, str]
    outputs: dict[str, Output]


def described(graph: Drawn) -> dict[str, Any]:
    """A graph as JSON can hold it.

    Raises:
        ValueError: a loss, or an argument of a layer, cannot be held.
    """
    place = {id(node): i for i, node in enumerate(graph.order)}
    nodes = []
    for i, node in enumerate(graph.order):
        layer = {"layer": graph.part_of[i]} if i in graph.part_of else {}
        sources = [place[id(source)] for source in node.sources]
        nodes.append({"kind": type(node).__name__, "sources": sources, **layer, **node.facts()})
    outputs = {
        name: {"node": place[id(output.node)], **output.facts(name)} for name, output in graph.outputs.items()
    }
    return {"layers": arguments.described(graph.parts), "nodes": nodes, "outputs": outputs}


def outputs_of(config: Mapping[str, Any]) -> dict[str, Output]:
    """The outputs of which a graph like that one can be made."""
    layers, nodes = arguments.made_of(config["layers"]), list[Node]()
    for facts in config["nodes"]:
        facts = dict(facts)
        kind: Any = _NODES[facts.pop("kind")]
        sources = [nodes[i] for i in facts.pop("sources")]
        if kind is Through:
            name = facts.pop("layer")
            nodes.append(Through(layers[name], sources[0], name))
        else:
            nodes.append(kind(*sources, **facts))
    return {
        name: Output(**{**facts, "node": nodes[facts["node"]]}) for name, facts in config["outputs"].items()
    }
