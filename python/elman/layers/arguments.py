"""The arguments that something was made with, as a file holds them, and the same thing made of them again."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Iterable, Mapping
from inspect import Parameter
from typing import Any

import numpy as np

from .._plain import plain


@functools.lru_cache(256)
def taken_by(kind: type) -> Mapping[str, Parameter]:
    """What the constructor of a class takes, by name, without self."""
    return dict(list(inspect.signature(kind.__init__).parameters.items())[1:])  # type: ignore[misc]


def refuse_unknown(owner: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a keyword argument that is not known, with the name that is nearest to it.

    Raises:
        TypeError: there is one, as for any call in Python.
    """
    known = list(known)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; it takes {', '.join(known)}"
            raise TypeError(f"{name}: expected an argument of {owner}, got an unknown one{hint}")


def bind(kind: type, args: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name, defaults too: those of `*args` as a list under its name, those of `**options`
    beside the others. {} for a call that does not fit: the constructor refuses it in its own words.

    Raises:
        TypeError: there is no such argument.
        ValueError: an argument of `**options` has the name of another one.
    """
    taken, kinds = taken_by(kind), {one.kind for one in taken_by(kind).values()}
    if Parameter.VAR_KEYWORD not in kinds:
        refuse_unknown(kind.__name__, options, taken)
    try:
        bound = inspect.signature(kind.__init__).bind(None, *args, **options)  # type: ignore[misc]
    except TypeError:
        return {}
    bound.apply_defaults()
    found: dict[str, Any] = {}
    for name, one in taken.items():
        value = bound.arguments[name]
        if one.kind is Parameter.VAR_KEYWORD:
            for twice in taken.keys() & value.keys():
                raise ValueError(f"{twice}: expected another name beside the argument {twice}, got it twice")
            found |= value
        elif one.kind is not Parameter.VAR_POSITIONAL or value:
            found[name] = value
    return found


def saved(kind: type, bound: Mapping[str, Any]) -> dict[str, Any]:
    """Those arguments of `bound` that a file keeps, as JSON can hold them.

    Left out are those that the class names in `unsaved`, a seed that the constructor can do without, as the file has
    what was drawn, and defaults that JSON cannot hold.

    Raises:
        ValueError: one of the others cannot be held.
    """
    found, taken = {}, taken_by(kind)
    for name, value in bound.items():
        default = (
            taken[name].default if name in taken else None
        )  # that of one among **options is not known here
        if name in getattr(kind, "unsaved", ()) or (name == "seed" and default is not Parameter.empty):
            continue
        try:
            found[name] = (
                np.dtype(value).name if name == "dtype" and value is not None else plain(name, value)
            )
        except (ValueError, TypeError) as error:
            if value is default:
                continue
            raise ValueError(
                f"{error}; {kind.__name__} keeps its arguments for its file: give something that can be saved and "
                f"make this of it in the constructor, or leave it out of files by unsaved = ({name!r},) in the class, "
                "with a default"
            ) from error
    return found


def make(kind: type, arguments: Mapping[str, Any]) -> Any:
    """The object that these arguments, of `saved`, make."""
    options, args, taken = dict(arguments), [], taken_by(kind)
    rest = [name for name, one in taken.items() if one.kind is Parameter.VAR_POSITIONAL and name in options]
    for name, one in taken.items():
        by_place = one.kind is Parameter.POSITIONAL_ONLY or (
            rest and one.kind is Parameter.POSITIONAL_OR_KEYWORD
        )
        if by_place and (name in options or one.default is not Parameter.empty):
            args.append(options.pop(name, one.default))
    for name in rest:
        args += options.pop(name)
    return kind(*args, **options)
