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
from ..tracing.definition import CellDefinition
from . import kinds


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
            near = difflib.get_close_matches(name, known, 1, cutoff=0.7)  # input_size is not proj_size
            hint = f"; did you mean {near[0]}?" if near else f"; it takes {', '.join(known)}"
            raise TypeError(f"{name}: expected an argument of {owner}, got an unknown one{hint}")


def bind(kind: type, args: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name, defaults too. {} for a call that does not fit: the constructor refuses it in its
    own words.

    Raises:
        TypeError: there is no such argument.
    """
    taken, kinds = taken_by(kind), {one.kind for one in taken_by(kind).values()}
    if Parameter.VAR_KEYWORD not in kinds:
        refuse_unknown(kind.__name__, options, taken)
    try:
        bound = inspect.signature(kind.__init__).bind(None, *args, **options)  # type: ignore[misc]
    except TypeError:
        return {}
    bound.apply_defaults()
    return bound.arguments


def flat(kind: type, bound: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `bind` side by side: those of `*args` as a list under its name, those of `**options` by theirs.

    Raises:
        ValueError: one of `**options` has the name of another argument.
    """
    found: dict[str, Any] = {}
    taken = taken_by(kind)
    for name in filter(bound.__contains__, taken):
        value = bound[name]
        if taken[name].kind is Parameter.VAR_KEYWORD:
            for twice in taken.keys() & value.keys():
                raise ValueError(f"{twice}: expected another name beside the argument {twice}, got it twice")
            found |= value
        elif taken[name].kind is not Parameter.VAR_POSITIONAL or value:
            found[name] = value
    return found


def saved(kind: type, bound: Mapping[str, Any], without: Iterable[str] = ()) -> dict[str, Any]:
    """Those arguments of `bind` that a file keeps, as JSON can hold them.

    Left out are those of `without` and of `unsaved`, a seed that the constructor can do without, as the file
    has what was drawn, and defaults that JSON cannot hold.

    Raises:
        ValueError: one of the others cannot be held.
    """
    found, taken, describe = {}, taken_by(kind), _Describer()
    for name, value in flat(kind, bound).items():
        default = taken[name].default if name in taken else None  # not known of one among **options
        drawn = name == "seed" and default is not Parameter.empty
        if drawn or name in without or name in getattr(kind, "unsaved", ()):
            continue
        try:
            if name == "dtype" and value is not None and not hasattr(value, "__len__"):
                value = np.dtype(value)
            found[name] = plain(name, value, describe)
        except (ValueError, TypeError) as error:
            if value is default:
                continue
            raise ValueError(
                f"{error}; {kind.__name__} keeps its arguments for its file: give something that can be saved and "
                f"make this of it in the constructor, or leave it out of files by unsaved = ({name!r},) in the class, "
                "with a default"
            ) from error
    return found


# A layer, a class or a traced cell among the arguments, in a file; and one of the layers before it, by its place.
_LAYER, _CLASS, _SAME, _CELL = "elman:layer", "elman:class", "elman:same", CellDefinition.tag


class _Describer:
    """A layer, or the class of one, as JSON can hold it; NotImplemented for anything else. A layer that comes twice is
    one layer again in what `made_of` makes."""

    def __init__(self) -> None:
        self._places: dict[int, int] = {}

    def __call__(self, value: Any) -> Any:
        if isinstance(value, type) and kinds.is_known(value):
            return {_CLASS: kinds.name_of(value)}
        if not kinds.is_known(type(value)):
            return NotImplemented
        if id(value) in self._places:
            return {_SAME: self._places[id(value)]}
        self._places[id(value)] = len(self._places)
        return {_LAYER: kinds.name_of(type(value)), "config": value._config()}


def described(layers: Mapping[str, Any]) -> dict[str, Any]:
    """Layers by name, as JSON can hold them.

    Raises:
        ValueError: the arguments of one cannot be held.
    """
    describe = _Describer()
    return {name: plain(name, layer, describe) for name, layer in layers.items()}


def made_of(value: Any, before: list[Any] | None = None) -> Any:
    """What JSON has held, with the layers and classes in it; `before` are the layers that have been made already."""
    before = [] if before is None else before
    if isinstance(value, list):
        return [made_of(item, before) for item in value]
    if not isinstance(value, dict):
        return value
    if _CELL in value:
        return CellDefinition.from_data(value[_CELL])
    if _CLASS in value:
        return kinds.find(value[_CLASS], "elman.layers")
    if _SAME in value:
        return before[value[_SAME]]
    if _LAYER in value:
        before.append(kinds.find(value[_LAYER], "elman.layers")._from_config(value["config"]))  # type: ignore[attr-defined]
        return before[-1]
    return {name: made_of(item, before) for name, item in value.items()}


def make(kind: type, arguments: Mapping[str, Any]) -> Any:
    """What these arguments, of `saved`, make."""
    options, args, taken = made_of(dict(arguments)), [], taken_by(kind)
    rest = [name for name, one in taken.items() if one.kind is Parameter.VAR_POSITIONAL and name in options]
    for name, one in taken.items():
        may_be = one.kind is Parameter.POSITIONAL_OR_KEYWORD and rest
        by_place = may_be or one.kind is Parameter.POSITIONAL_ONLY
        if by_place and (name in options or one.default is not Parameter.empty):
            args.append(options.pop(name, one.default))
    for name in rest:
        args += options.pop(name)
    return kind(*args, **options)
