"""What functions that make cells share: one definition for the same arguments, under the function's words."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from .._check import describe
from ..tracing import CellDefinition

_Maker = TypeVar("_Maker", bound=Callable[..., CellDefinition])


def made(maker: _Maker) -> _Maker:
    """The function, whose cells are kept by arguments and have its name and docstring."""
    signature = inspect.signature(maker)
    doc = inspect.getdoc(maker) or ""

    @functools.lru_cache(maxsize=256, typed=True)
    def make(*args: Any) -> CellDefinition:
        return dataclasses.replace(maker(*args), name=maker.__name__, doc=doc)

    @functools.wraps(maker)
    def find(*args: Any, **options: Any) -> CellDefinition:
        given = signature.bind(*args, **options)
        given.apply_defaults()
        for name, value in given.arguments.items():
            try:
                hash(value)
            except TypeError:
                got = describe(value)
                raise ValueError(
                    f"{name}: expected a number, a name, a tuple, a function or None, got {got}"
                ) from None
        return make(*given.arguments.values())

    find.makes_cells = True  # type: ignore[attr-defined]
    return find  # type: ignore[return-value]


def optional_bound(name: str, value: Any) -> float | None:
    """A number above 0, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise ValueError(f"{name}: expected a number above 0 or None, got {describe(value)}")
    return float(value)
