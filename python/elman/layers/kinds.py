"""The classes of layers and models by their names in files."""

from __future__ import annotations

import contextlib
import sys
from importlib import import_module
from typing import Any

from ..files import NotImportedError

_PACKAGE = __package__.partition(".")[0]

# By module and name. Every class is here from its definition on.
_kinds: dict[str, type] = {}


def register(kind: type) -> None:
    """Let `elman.load` find this class. The last one of a name counts, as when a cell of a notebook runs again."""
    _kinds[name_of(kind)] = kind


def is_ours(kind: type) -> bool:
    return kind.__module__.startswith(f"{_PACKAGE}.")


def is_known(kind: type) -> bool:
    return _kinds.get(name_of(kind)) is kind


def name_of(kind: type) -> str:
    """The name of a class in files: `module:Class`. For elman's own classes the module is their room's."""
    module = ".".join(kind.__module__.split(".")[:2]) if is_ours(kind) else kind.__module__
    return f"{module}:{kind.__qualname__}"


def find(name: Any, home: str) -> type:
    """The class of this name.

    A script's module is __main__ while the script runs, and has a name of its own when it is imported. So __main__ in a
    name, or in the name of a known class, stands for any module. A name without a module is of a file from before
    modules were written: it is the class of that name in the room `home`, or else the only one there is.

    Raises:
        NotImportedError: there is no such class.
        ValueError: there is more than one.
    """
    if not isinstance(name, str):
        raise ValueError("it does not say of which class it is")
    module, _, own = name.rpartition(":")
    # A file may ask for elman's rooms, and for nobody else's modules.
    if (module or home).startswith(f"{_PACKAGE}."):
        with contextlib.suppress(ImportError):
            import_module(module or home)
    at_home = f"{module or home}:{own}"
    if at_home in _kinds:
        return _kinds[at_home]
    alike = {}
    for known, kind in _kinds.copy().items():  # another thread may define a class meanwhile
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
    if module in sys.modules:
        return f"a {own} of {module}, which is imported and has no such class"
    return f"a {own} of a module that is not imported; import {module} before elman.load"
