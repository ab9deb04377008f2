"""A graph as files and pickles hold it: layers by name, nodes that refer to earlier nodes, outputs."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from ..data import Batch
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
    tokens: dict[str, int | None]

    def _dtype(self) -> np.dtype: ...
    def flow(self, batch: Batch) -> tuple[Any, Any, Any]: ...


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


def unlinked(order: list[Node], outputs: Mapping[str, Output]) -> dict[str, Any]:
    """The nodes and outputs of a graph, which refer to nodes by their places: pickle and `copy.deepcopy` go from one
    object into the next, and a long chain of nodes is too deep for that."""
    place = {id(node): i for i, node in enumerate(order)}
    nodes: list[Any] = [copy.copy(node) for node in order]
    ends: dict[str, Any] = {name: copy.copy(output) for name, output in outputs.items()}
    for node in nodes:
        node.sources = tuple(place[id(source)] for source in node.sources)
    for end in ends.values():
        end.node = place[id(end.node)]
    return {"order": nodes, "outputs": ends}


def link(nodes: list[Any], outputs: Mapping[str, Any]) -> None:
    """The reverse of `unlinked`, in place."""
    for node in nodes:
        node.sources = tuple(nodes[i] for i in node.sources)
    for output in outputs.values():
        output.node = nodes[output.node]
