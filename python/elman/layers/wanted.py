"""Which gradients are wanted: all, or, where an optimiser changes only some parameters, those of these."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

from .parameters import Composite, Parameters
from .store import Store, stores_of

Wanted = Mapping[Store, frozenset[str]]  # the names of each layer's parameters whose gradients are wanted

_wanted: ContextVar[Wanted | None] = ContextVar("wanted", default=None)  # None: all
Back = TypeVar("Back", bound=Callable[..., Any])


def of_arrays(arrays: Iterable[np.ndarray]) -> Wanted:
    """Those of these parameters."""
    ids = set(map(id, arrays := list(arrays)))
    return {
        store: frozenset(name for name, view in store.parameters_seen.items() if id(view) in ids)
        for store in stores_of(arrays)
    }


@contextmanager
def only(wanted: Wanted) -> Iterator[None]:
    """In this block, in this thread, forward passes keep in mind that no other gradients are wanted."""
    before = _wanted.set(wanted)
    try:
        yield
    finally:
        _wanted.reset(before)


def wanted_of(store: Store) -> Collection[str]:
    """The names of a layer's parameters whose gradients are wanted."""
    wanted = _wanted.get()
    return store.values.keys() if wanted is None else wanted.get(store, ())


def is_wanted(part: Parameters) -> bool:
    """Whether any gradient of a layer, or of what is made of layers, is. What keeps its parameters in a way of its own
    cannot be asked, so it is."""
    wanted = _wanted.get()
    if wanted is None:
        return True
    if isinstance(part, Composite):
        plain = type(part).parameters is Composite.parameters
        return not plain or any(map(is_wanted, part.parts.values()))
    plain = type(part).parameters is Parameters.parameters
    return not plain or bool(wanted.get(part._store))


def told(back: Back) -> Back:
    """Mark a backward pass that takes need_dx=, and need_dstate= if there is a state. That of a layer of the user's own
    may not."""
    back.told = True  # type: ignore[attr-defined]
    return back


def go_back(
    part: Parameters, back: Callable[..., Any], dy: Any, dstate: Any, need_dx: bool, need_dstate: bool
) -> tuple[Any, Any]:
    """(dx, dstate) of a part's backward pass; what is not needed may be None."""
    takes = getattr(back, "told", False)
    if not part.carries_state:
        return (back(dy, need_dx=need_dx) if takes else back(dy)), None
    options = {"need_dstate": need_dstate} if takes else {}
    dx, dstate = back(dy, dstate, need_dx=need_dx, **options)
    return dx, dstate
