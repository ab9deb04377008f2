"""What the docstrings of public names lack, found in the sources."""

from __future__ import annotations

import importlib.util
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import griffe

ROOT = pathlib.Path(__file__).parents[2]
# What says of an argument of any type which it may be, where that is no array: those have a shape in letters.
KINDS = re.compile(
    r"""\[|"|float32|float64|number|object|anything|None|True|False|text|time|generator|function"""
    "|layer|model|state|column|frame|shaped|those of|Sequences|`fit`"
)


def load(name: str) -> Any:
    """A file of docs/site as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/site/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def public_things() -> Iterator[tuple[str, Any]]:
    """Each public name where the reference shows it, and what it is."""
    hooks = load("hooks")
    modules = hooks.public_modules(griffe.load_extensions(load("docstrings").Docstrings()))
    yield from modules.items()
    for name, home in hooks.homes(modules).items():
        module, _, last = name.rpartition(".")
        if name == home and not last.startswith("__"):
            thing = hooks.member(modules[module], last)
            yield name, thing.final_target if thing.is_alias else thing


def lacks(name: str, thing: Any) -> Iterator[str]:
    """What is missing, each with the name that it is missing from."""
    if thing.docstring is None:
        yield f"{name}: a docstring"
    elif is_cell(thing):
        return  # its function is never called: tests/cells asks what its docstring must say
    elif thing.is_function:
        yield from lacks_of_function(name, thing, thing.docstring.value, strict=True)
    elif thing.is_class:
        yield from lacks_of_class(name, thing)


def is_cell(thing: Any) -> bool:
    """Whether `elman.cell` makes a definition of the function."""
    return thing.is_function and any(str(one.value).startswith("cell(") for one in thing.decorators)


def lacks_of_class(name: str, thing: Any) -> Iterator[str]:
    init = thing.all_members.get("__init__")
    if init is not None and "made by `" not in thing.docstring.value:
        init = init.final_target if init.is_alias else init
        text = thing.docstring.value + "\n\n" + (init.docstring.value if init.docstring else "")
        yield from lacks_of_function(name, init, text, strict=True)
    for member_name, member in thing.members.items():
        if member_name.startswith("_") and member_name != "__call__":
            continue
        if member.is_function or (member.is_attribute and "property" in member.labels):
            text = "\n\n".join(docstrings(thing, member_name))
            if not text:
                yield f"{name}.{member_name}: a docstring"
            elif member.is_function:
                strict = section(text, griffe.DocstringSectionKind.parameters) is not None
                yield from lacks_of_function(f"{name}.{member_name}", member, text, strict)


def docstrings(thing: Any, name: str) -> Iterator[str]:
    """Those of a method in a class and its bases, as help() looks for them."""
    for one in (thing, *thing.mro()):
        member = one.members.get(name)
        if member is not None and member.docstring is not None:
            yield member.docstring.value


def section(text: str, kind: griffe.DocstringSectionKind) -> Any:
    return next(
        (s.value for s in griffe.Docstring(text).parse("google", warnings=False) if s.kind == kind), None
    )


def lacks_of_function(name: str, function: Any, text: str, strict: bool) -> Iterator[str]:
    """If strict, an entry for each argument and for the result; otherwise the text names the arguments."""
    kinds = griffe.DocstringSectionKind
    entries = [*(section(text, kinds.parameters) or []), *(section(text, kinds.attributes) or [])]
    described = {entry.name.lstrip("*"): entry.description for entry in entries}
    for parameter in function.parameters:
        if parameter.name in ("self", "cls") or parameter.name.startswith("_"):
            continue
        said = described.get(parameter.name)
        if said is None:
            if strict or not re.search(rf"\b{parameter.name}\b", text):
                yield f"{name}: `{parameter.name}` among its Args"
        elif str(parameter.annotation) == "Any" and not said.startswith("see `") and not KINDS.search(said):
            yield f"{name}: a shape or kind of `{parameter.name}`"
    gives = function.name != "__init__" and str(function.returns) != "None"
    if strict and gives and section(text, kinds.returns) is None and section(text, kinds.yields) is None:
        yield f"{name}: Returns"
    if refuses(function) and section(text, kinds.raises) is None:
        yield f"{name}: Raises"


def refuses(function: Any) -> bool:
    code = function.source if hasattr(function, "source") else ""
    body = re.sub(r'""".*?"""', "", code, flags=re.DOTALL)
    return bool(re.search(r"\braise [A-Z]\w*Error|\b_check\.(?!describe|shape_text)\w+\(|\bneed\(", body))
