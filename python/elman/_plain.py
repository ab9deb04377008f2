"""Values as JSON holds them, so that what is saved comes back as it was."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def plain(name: str, value: Any, other: Callable[[Any], Any] | None = None) -> Any:
    """`value` as None, bool, int, float, text, or lists and dicts of such, which JSON gives back unchanged.

    NumPy's numbers, and arrays of any library, become numbers and lists of them, tuples lists, paths text, and types of
    numbers their names. What else there is, `other` may turn into such things; NotImplemented where it does not.

    Raises:
        ValueError: something in it is of another kind, or a key of a dict is not text (JSON would make it so).
    """
    if value is None or isinstance(value, bool):
        return value
    for kind in (str, int, float):  # also what is derived from them, as np.float64 is from float
        if isinstance(value, kind):
            return kind(value)
    if hasattr(value, "as_plain"):  # elman's own things say it themselves
        return plain(name, value.as_plain())
    if isinstance(value, (list, tuple)):
        return [plain(f"{name}[{i}]", item, other) for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ValueError(
                    f"{name}: expected text as keys, got {key!r}; str({key!r}), or a list of pairs, can be saved"
                )
        return {str(key): plain(f"{name}[{key!r}]", item, other) for key, item in value.items()}
    if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
        return np.dtype(value).name
    if isinstance(value, os.PathLike) and isinstance(os.fspath(value), str):
        return os.fspath(value)
    found = NotImplemented if other is None else other(value)
    if found is not NotImplemented:
        return found
    if hasattr(value, "columns"):
        raise ValueError(
            f"{name}: expected what JSON can hold, got {type(value).__name__}, whose names would be lost; "
            "to_dict('list') has them"
        )
    if hasattr(value, "__array__") and not isinstance(value, np.ma.MaskedArray):
        array = np.asarray(value)
        if array.dtype.kind == "f":
            return array.astype(np.float64).tolist()
        if array.dtype.kind in "biuU":
            return array.tolist()
        if array.dtype == object and array.ndim:
            return plain(name, array.tolist(), other)
    raise ValueError(
        f"{name}: expected what JSON can hold (numbers, text, None, lists, dicts), got {type(value).__name__}"
    )


def text_of(value: Any) -> str:
    """What tells it from others of its kind; the text that Python has for any object is its address."""
    if isinstance(value, str):
        return value
    kind = type(value)
    return kind.__qualname__ if kind.__repr__ is object.__repr__ else repr(value)
