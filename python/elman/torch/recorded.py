"""Recurrent networks inside programs that were recorded: by TorchScript, torch.export or torch.fx."""

from __future__ import annotations

from collections.abc import Container, Iterator

import torch
from torch import nn

from ..stack.cells import COMPILED

OURS = "elman::rnn"
_OPERATORS = {OURS, *(f"aten::{cell}{end}" for cell in COMPILED for end in ("", "_cell"))}


def inside(module: nn.Module, classes: Container[str]) -> list[str]:
    """The recurrent operators that `module` itself calls, each once, or the name of the class that it was recorded
    from. What its submodules call does not count. `classes`: the names of torch's recurrent ones."""
    if isinstance(module, torch.jit.ScriptModule):
        # A cell that was traced is recorded as its products.
        recorded_from = [getattr(module, "original_name", "")]
        return _known(_of_script(module)) or [name for name in recorded_from if name in classes]
    return _known(_of_graph(module)) if isinstance(module, torch.fx.GraphModule) else []


def _known(operators: Iterator[str]) -> list[str]:
    return sorted(_OPERATORS.intersection(operators))


def _of_script(module: torch.jit.ScriptModule) -> Iterator[str]:
    for name in module._c._method_names():
        graph = module._c._get_method(name).graph
        yield from (kind for kind in _OPERATORS if graph.findAllNodes(kind, recurse=True))


def _of_graph(module: torch.fx.GraphModule) -> Iterator[str]:
    for node in module.graph.nodes:
        if node.op == "call_function":
            space = getattr(node.target, "namespace", "aten")  # torch.lstm has none
            yield f"{space}::{getattr(node.target, '__name__', '').split('.')[0]}"
