"""A property that is computed once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Result = TypeVar("Result")


class cached(Generic[Result]):  # noqa: N801  (it is used as a decorator)
    """As functools.cached_property is from Python 3.12 on. Before, that holds a lock while it computes: threads with
    other objects would wait for it, and a child that is forked meanwhile would wait for ever. Two threads may both
    compute; the first result counts."""

    def __init__(self, function: Callable[[Any], Result]):
        self._function, self.__doc__ = function, function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> cached[Result]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Result: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        found: Result = self._function(instance)
        return instance.__dict__.setdefault(self._name, found)
