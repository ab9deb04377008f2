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
from .batch import size_of
from .lazy import Lazy, file_facts
from .mapped import memory_map

# Modules of locks, loggers, generators and the like. They change when the data do not, as layers do: of such things
# only the type counts.
_OPAQUE = {*sys.stdlib_module_names, "numpy"}
# Memory maps of no more bytes are read whole: a list of many small ones, or a small data set.
WHOLE = 2**20


def fingerprint(data: Any) -> str:
    """A digest of all that the data holds: every number of its arrays, at about a second for each gigabyte. Of arrays
    that are in files (memory maps too) it sees the file's name (not its folder), size and time of writing, the array's
    shape and type, and numbers from 64 places: writing the file again is another fingerprint, moving it is not.

    Data of a class of one's own may have a method `fingerprint()` that returns a text. Without one it is known by its
    class, its length and its attributes: arrays, numbers, texts, paths, lists, dicts and objects of such. Attributes of
    other kinds (open files, connections, random generators) count by their type alone.
    """
    own = getattr(data, "fingerprint", None)
    if callable(own):
        return str(own())
    hasher = new_hasher()
    _add(hasher, size_of(data), ())
    _add(hasher, data, ())
    return hasher.hexdigest()


def _add(hasher: Any, value: Any, inside: tuple[int, ...]) -> None:
    """Add `value`. `inside`: the ids of what it is part of, as an object may hold itself."""
    if id(value) in inside:
        return
    inside = (*inside, id(value))
    hasher.update(f"<{type(value).__qualname__}>".encode())
    if isinstance(value, Lazy):
        _add(hasher, [value.shape, value.dtype.str, value._known_by()], inside)
        _add_sample(hasher, value)
    elif hasattr(value, "_known_by") and not isinstance(value, type):
        _add(hasher, value._known_by(), inside)
    elif value is None or isinstance(value, (bool, int, float, complex, str, bytes, range)):
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
        if (file := memory_map(array)) is not None and array.nbytes > WHOLE:
            _add(hasher, [array.shape, array.dtype.str, file.offset, file_facts(file.filename)], inside)
            _add_sample(hasher, array)
        elif array.dtype.hasobject:
            _add(hasher, [array.shape, array.reshape(-1).tolist()], inside)
        else:
            add_array(hasher, "", array)
    elif not isinstance(value, Parameters) and type(value).__module__.partition(".")[0] not in _OPAQUE:
        slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        own = {name: getattr(value, name) for name in slots if hasattr(value, name)}
        _add(hasher, own | getattr(value, "__dict__", {}), inside)


def _add_sample(hasher: Any, values: Any) -> None:
    """Add the rows at 64 places, as many of them as make a page of memory, and of long rows their beginning."""
    size = max(1, values.dtype.itemsize * int(np.prod(values.shape[1:])))
    rows = max(1, 4096 // size)
    for begin in sorted({*np.linspace(0, max(0, len(values) - rows), 64).astype(int).tolist()}):
        some = np.asarray(values[begin : begin + rows])
        part = some.flat[: 4096 // some.itemsize]
        if some.dtype.hasobject:
            _add(hasher, list(part), ())
        else:
            add_array(hasher, "", part)
