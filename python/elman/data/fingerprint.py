"""What tells one set of training data from another."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..files import add_array, new_hasher
from ..layers.parameters import Parameters

# Modules of locks, loggers, generators and the like. They change when the data do not, as layers do: of such things
# only the type counts.
_OPAQUE = {*sys.stdlib_module_names, "numpy"}


def fingerprint(data: Any) -> str:
    """A digest of all that the data holds: every number of its arrays, at about a second for each gigabyte.

    Data of a class of one's own may have a method `fingerprint()` that returns a text. Without one it is known by its
    class, its length and its attributes: arrays, numbers, texts, paths, lists, dicts and objects of such. Attributes of
    other kinds (open files, connections, random generators) count by their type alone.
    """
    own = getattr(data, "fingerprint", None)
    if callable(own):
        return str(own())
    hasher = new_hasher()
    _add(hasher, len(data), ())
    _add(hasher, data, ())
    return hasher.hexdigest()


def _add(hasher: Any, value: Any, inside: tuple[int, ...]) -> None:
    """Add `value`. `inside`: the ids of what it is part of, as an object may hold itself."""
    if id(value) in inside:
        return
    inside = (*inside, id(value))
    hasher.update(f"<{type(value).__qualname__}>".encode())
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes, range)):
        hasher.update(repr(value).encode(errors="surrogatepass"))
    elif isinstance(value, (list, tuple)):
        hasher.update(f"{len(value)}:".encode())
        for item in value:
            _add(hasher, item, inside)
    elif isinstance(value, Mapping):
        _add(hasher, [pair for pair in value.items()], inside)
    elif isinstance(value, (set, frozenset)):
        _add(hasher, sorted(map(repr, value)), inside)
    elif isinstance(value, os.PathLike):
        hasher.update(repr(os.fspath(value)).encode())
    elif isinstance(value, (type, types.ModuleType, types.FunctionType)):
        hasher.update(value.__name__.encode())
    elif hasattr(value, "__array__"):
        try:
            array = np.asarray(value)
        except Exception:  # whatever another library raises
            return
        if array.dtype.hasobject:
            _add(hasher, [array.shape, array.reshape(-1).tolist()], inside)
        else:
            add_array(hasher, "", array)
    elif not isinstance(value, Parameters) and type(value).__module__.partition(".")[0] not in _OPAQUE:
        slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        own = {name: getattr(value, name) for name in slots if hasattr(value, name)}
        _add(hasher, own | getattr(value, "__dict__", {}), inside)
