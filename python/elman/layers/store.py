"""Where a layer keeps its parameters and gradients, and the only code that writes parameters."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from .. import _core

# Which store each read-only view belongs to, by the view's id: it lives as long as its store does.
_stores: weakref.WeakValueDictionary[int, Store] = weakref.WeakValueDictionary()


class Made(NamedTuple):
    """Something made of the parameters, such as packed weights; of which version of them, and what for."""

    version: int
    suits: Any
    value: Any


class Edit:
    """One use of `editing`. All its layers share this object, so it ends for all of them at one moment. No layer stays
    closed, whatever a signal handler raises."""

    __slots__ = ("open", "thread")

    def __init__(self) -> None:
        self.open, self.thread = True, threading.get_ident()


class Store:
    """The parameters of one layer and their gradients: the arrays themselves, which nobody else holds.

    Others get views: read-only ones of the parameters, writeable ones of the gradients. So every change of a parameter
    is made here, and what was made of the old values is dropped.

    Attributes:
        values, grads: the arrays, by name.
        parameters_seen, grads_seen: the views that others get, by name.
        lock: held to change parameters, to make something of them, or to add to gradients. A thread may take it twice,
            as a signal handler may call the layer that it has interrupted.
        version: how often the parameters have been changed.
        edit: the last use of `editing`.
    """

    def __init__(self, values: Mapping[str, np.ndarray], grads: Mapping[str, np.ndarray] | None = None):
        self.values = {name: _copy(value) for name, value in values.items()}
        self.grads = self.zeros() if grads is None else {name: _copy(value) for name, value in grads.items()}
        self.parameters_seen = {name: _read_only(value) for name, value in self.values.items()}
        self.grads_seen = {name: value.view() for name, value in self.grads.items()}
        self.lock = threading.RLock()
        self.version = 0
        self.edit: Edit | None = None
        self._made: dict[str, Made] = {}
        self._behind = {
            id(view): value
            for view, value in zip(self.parameters_seen.values(), self.values.values(), strict=True)
        }
        for view in self.parameters_seen.values():
            _stores[id(view)] = self

    def behind(self, view: np.ndarray) -> np.ndarray:
        return self._behind[id(view)]

    def made(self, what: str, make: Callable[[], Any], suits: Any) -> Made:
        """What `make` gives. It is made once for each version of the parameters.

        `suits`: what it is made for (an instruction set, a device). For another one it is made anew.
        """
        made = self._made.get(what)
        if made is None or made.suits != suits:
            with self.lock:
                self.idle()
                made = self._made.get(what)  # another thread may have made it meanwhile
                while made is None or made.suits != suits:
                    made = Made(self.version, suits, make())
                    if made.version == self.version:
                        self._made[what] = made
                    else:  # a signal handler in this thread has changed the parameters
                        made = None
        return made

    def forget(self) -> None:
        """Drop what was made of the parameters."""
        self._made.clear()

    def changed(self) -> None:
        self.forget()  # first, so that nothing outlives the version it was made of
        self.version += 1

    def idle(self) -> None:
        """Refuse while the parameters are being edited: a call would still see the old ones."""
        if self.edit is not None and self.edit.open:
            raise RuntimeError(
                "editing: expected its block to end before the layer is used, which has its old parameters until then"
            )

    def expect(self, version: int) -> None:
        """Refuse a backward pass over other parameters than those of its forward pass."""
        self.idle()
        if version != self.version:
            raise RuntimeError(
                f"backward: expected the parameters ({', '.join(self.values)}) of its forward pass, but they have "
                "been changed since; call backward first"
            )

    def zeros(self) -> dict[str, np.ndarray]:
        """New arrays like the gradients."""
        new = {name: _core.empty(value.shape, value.dtype) for name, value in self.values.items()}
        for value in new.values():
            value.fill(0)
        return new

    def add(self, grads: Mapping[str, np.ndarray]) -> None:
        """Add to these gradients in one engine call, in which no signal handler runs: all of them count or none."""
        with self.lock:
            _core.add([self.grads[name] for name in grads], list(grads.values()))


def _renew_locks() -> None:
    for store in set(_stores.values()):
        store.lock = threading.RLock()
        if store.edit is not None and store.edit.thread != threading.get_ident():
            store.edit.open = False  # its thread is not in the child


if hasattr(os, "register_at_fork"):  # a thread that is not in the child may have held a lock
    os.register_at_fork(after_in_child=_renew_locks)


def _copy(value: np.ndarray) -> np.ndarray:
    own = _core.empty(value.shape, value.dtype)
    np.copyto(own, value)
    return own


class Parameter(np.ndarray):
    """A read-only view of a parameter. Arithmetic with it gives plain arrays, and so do its copies by pickle."""

    def _writeable(self) -> None:
        if not self.flags.writeable:
            raise ValueError(
                f"parameters: expected no writing to them, got a read-only array {list(self.shape)}; "
                "layer.parameters[name] = array copies another in, and a block "
                "`with layer.editing() as parameters:` takes parameters[name][...] = values"
            )

    def __setitem__(self, key: Any, value: Any) -> None:
        self._writeable()
        super().__setitem__(key, value)

    def fill(self, value: Any) -> None:
        self._writeable()
        super().fill(value)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.view(np.ndarray).__reduce_ex__(protocol)

    def __setattr__(self, name: str, value: Any) -> None:
        # NumPy allows changing the shape and type of a read-only array in place. Everyone shares this view.
        if id(self) in _stores:
            raise ValueError(f"assignment destination is read-only, and so is its {name}")
        super().__setattr__(name, value)

    def __setstate__(self, state: Any) -> None:
        if id(self) in _stores:  # NumPy would put other memory below the view
            raise ValueError("assignment destination is read-only")
        super().__setstate__(state)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        # NumPy's ufunc.at writes to read-only arrays as well.
        for written in (*options.get("out", ()), *(inputs[:1] if method == "at" else ())):
            if isinstance(written, Parameter):
                written._writeable()
        if "out" in options:
            options["out"] = tuple(map(_plain, options["out"]))
        return getattr(ufunc, method)(*map(_plain, inputs), **options)


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, Parameter) else value


def _read_only(value: np.ndarray) -> np.ndarray:
    """A view that cannot be made writeable: NumPy asks the memoryview below it, which refuses."""
    return np.asarray(value.data.toreadonly()).view(Parameter)


def behind(array: np.ndarray) -> np.ndarray:
    """The array to write to where `array` is a layer's parameter; any other array itself."""
    store = _stores.get(id(array))
    return array if store is None else store.behind(array)


def stores_of(arrays: Iterable[np.ndarray]) -> list[Store]:
    """The stores of those arrays that are layers' parameters. They are in one order, so that two threads that lock
    several of them never wait for each other."""
    found = {id(store): store for store in map(_stores.get, map(id, arrays)) if store is not None}
    return [found[key] for key in sorted(found)]


def _holding(stores: list[Store], call: Callable[[], None]) -> None:
    """`call()` while the locks are held."""
    if stores:  # one `with` inside the other: each lock is given back, whatever a signal handler raises
        with stores[0].lock:
            _holding(stores[1:], call)
    else:
        call()


def change(stores: list[Store], write: Callable[[], None]) -> None:
    """Call `write`, which may write the parameters, through `behind`.

    If something calls a layer meanwhile (a signal handler, an optimiser of your own), it uses the values of that
    moment. What is made of them is dropped afterwards.
    """

    def call() -> None:
        for store in stores:
            store.idle()
        for store in stores:
            store.changed()
        try:
            write()
        finally:  # a signal handler may have made something of half-written parameters
            for store in stores:
                store.changed()

    _holding(stores, call)


@contextlib.contextmanager
def closed(stores: list[Store]) -> Iterator[None]:
    """Inside this context the layers refuse to be used."""
    edit = Edit()

    def begin() -> None:
        for store in stores:
            store.idle()
        for store in stores:
            store.edit = edit
            store.forget()

    try:
        _holding(stores, begin)
        yield
    finally:
        edit.open = False
