"""Batches that a thread makes while the engine works."""

from __future__ import annotations

import atexit
import contextvars
import os
import threading
import weakref
from collections import deque
from collections.abc import Iterator
from typing import Any, TypeVar

T = TypeVar("T")

# How long an early end waits for a thread that is still reading. It ends by itself when the read returns.
PATIENCE = 5.0


def prefetch(items: Iterator[T], depth: int = 2) -> Iterator[T]:
    """The same items in the same order, of which a thread makes up to `depth` ahead.

    An exception of `items` arrives here, with its traceback, after all items before it. Closing this iterator, or
    dropping it, ends the thread and closes `items`. `items` runs in the thread alone.

    Args:
        items: it may wait for disks or networks: nothing else waits with it.
        depth: 0 makes each item when it is asked for, without a thread.

    Yields:
        The items.

    Raises:
        RuntimeError: the process has forked since the first item. A child has no such thread; it makes an iterator of
            its own.
    """
    if depth < 1:
        yield from items
        return
    ahead = _Ahead(items, depth)
    try:
        ahead.start()  # here, so that it is also stopped if a signal handler's exception comes next
        while (item := ahead.take()) is not _END:
            yield item
    finally:
        ahead.stop()


_END: Any = object()


class _Ahead:
    """A thread, and what it has made. The thread knows nothing of who takes it, so that can be dropped."""

    def __init__(self, items: Iterator[Any], depth: int):
        self._items, self._depth = items, depth
        self._ready: deque[Any] = deque()
        self._failure: BaseException | None = None
        self._ended = self._stopped = False
        # Taken by itself: `with` of a Condition runs Python, where a signal handler's exception could leave it taken.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._process = os.getpid()
        run = contextvars.copy_context().run  # NumPy's errstate and the like are the caller's
        self._thread = threading.Thread(target=run, args=(self._make,), name="elman-prefetch", daemon=True)

    def start(self) -> None:
        _RUNNING[id(self)] = self
        self._thread.start()

    def _make(self) -> None:
        try:
            self._fill()
        except BaseException as error:
            self._failure = error
        finally:
            with self._lock:
                self._ended = True
                self._changed.notify_all()

    def _fill(self) -> None:
        try:
            for item in self._items:
                with self._lock:
                    self._ready.append(item)
                    self._changed.notify_all()
                    while len(self._ready) >= self._depth and not self._stopped:
                        self._changed.wait()
                    if self._stopped:
                        return
                del item  # or it would be held while the next one is made
        finally:
            close = getattr(self._items, "close", None)
            if close is not None:
                close()

    def take(self) -> Any:
        """The next item, or _END."""
        if os.getpid() != self._process:  # before the lock, which may be held for ever here
            raise RuntimeError(
                "batches: this iterator was begun before the process forked; call batches() again in the child"
            )
        with self._lock:
            while not self._ready and not self._ended:
                self._changed.wait(0.5)  # without a limit, Windows would not let Ctrl-C through
            if self._ready:
                self._changed.notify_all()
                item = self._ready.popleft()
                return item
        if self._failure is not None:
            raise self._failure
        return _END

    def stop(self) -> None:
        """End the thread, unless it is at a read that takes longer than PATIENCE."""
        # On free-threaded Python a generator may be dropped after the program has ended, when `os` is gone already.
        if self._stopped or os.getpid() != self._process:
            return
        with self._lock:
            self._stopped = True
            self._ready.clear()
            self._changed.notify_all()
        self._failure = None  # it holds frames, which hold the data
        if self._thread is not threading.current_thread() and self._thread.ident is not None:
            self._thread.join(PATIENCE)
        _RUNNING.pop(id(self), None)


_RUNNING: weakref.WeakValueDictionary[int, _Ahead] = weakref.WeakValueDictionary()


def _stop_all() -> None:
    """No thread may still read files while the interpreter takes itself down."""
    for reference in _RUNNING.valuerefs():  # a list: other threads may begin and end some meanwhile
        if (ahead := reference()) is not None:
            ahead.stop()


atexit.register(_stop_all)
