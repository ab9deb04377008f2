"""Layers and models of what their files say of them."""

from __future__ import annotations

from typing import Any

from .kinds import find
from .parameters import Parameters
from .recurrent import Recurrent

# elman's own recurrent layers by the names that models have for them: the classes that stand beside Recurrent.
RECURRENT: dict[str, type[Recurrent]] = {
    kind.__name__.lower(): kind
    for kind in Recurrent.__subclasses__()
    if kind.__module__ == Recurrent.__module__
}


def make_layer(content: dict[str, Any]) -> Parameters:
    """The layer that a file describes, without its parameters."""
    content = dict(content)
    kind = find(content.pop("layer"), "elman.layers")
    config = content.get("config", content)  # earlier files have the arguments beside the class
    return kind._from_config(config)  # type: ignore[attr-defined]


def make_model(content: dict[str, Any]) -> Parameters:
    """The model that a file describes, with its notes and without its parameters."""
    config, notes = content.get("config"), content.get("notes")
    if not isinstance(config, dict) or not isinstance(notes, dict):
        raise ValueError("it does not say with which arguments the model was made")
    model = find(content["model"], "elman.models")._from_config(config)  # type: ignore[attr-defined]
    model.notes = notes
    return model
