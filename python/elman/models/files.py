"""The classes of models by their names in files."""

from __future__ import annotations

import sys
from typing import Any

from ..files import NotImportedError
from ..layers import arguments

# By module and name. Every class of models is here from its definition on.
_kinds: dict[str, type] = {}


def register(kind: type) -> None:
    """Let `elman.load` find this class. The last one of a name counts, as when a cell of a notebook runs again."""
    _kinds[name_of(kind)] = kind


def name_of(kind: type) -> str:
    """The name of a class in files: `module:Class`. For elman's own classes the module is elman.models."""
    ours = kind.__module__.startswith(f"{__package__}.")
    return f"{__package__ if ours else kind.__module__}:{kind.__qualname__}"


def make(content: dict[str, Any]) -> Any:
    """The model that a file describes, with its notes and without its parameters."""
    config, notes = content.get("config"), content.get("notes")
    if not isinstance(config, dict) or not isinstance(notes, dict):
        raise ValueError("it does not say with which arguments the model was made")
    model = arguments.make(_find(content["model"]), config)
    model.notes = notes
    return model


def _find(name: Any) -> type:
    """The class of this name.

    A script's module is __main__ while the script runs, and has a name of its own when it is imported. So __main__ in a
    name, or in the name of a known class, stands for any module. A name without a module is of a file from before
    modules were written: it is elman's class of that name, or else the only one there is.

    Raises:
        NotImportedError: there is no such class.
        ValueError: there is more than one.
    """
    if not isinstance(name, str):
        raise ValueError("it does not say of which class the model is")
    module, _, own = name.rpartition(":")
    at_home = f"{module or __package__}:{own}"
    if at_home in _kinds:
        return _kinds[at_home]
    alike = {}
    for known, kind in _kinds.items():
        known_module, _, known_own = known.rpartition(":")
        of_script = "__main__" in (module, known_module) and known_own == own
        without_module = not module and known_own.rpartition(".")[2] == own
        if of_script or without_module:
            alike[known] = kind
    if len(alike) > 1:
        raise ValueError(f"its class {own} may be any of {', '.join(sorted(alike))}; import one of them only")
    if not alike:
        raise NotImportedError(_where(module, own))
    return next(iter(alike.values()))


def _where(module: str, own: str) -> str:
    """How to come by a class that is not known."""
    if not module:
        return f"a {own}; import the module of this class before elman.load"
    if module == "__main__":
        return f"a {own}, a class of the script or notebook that wrote the file; define or import it before elman.load"
    if module == __package__ or module in sys.modules:
        return f"a {own} of {module}, which is imported and has no such model"
    return f"a {own} of a module that is not imported; import {module} before elman.load"
