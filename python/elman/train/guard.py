"""Signals wait while a run's state is being changed, so that a run that is ended is always one that can go on."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


class Guard:
    """What changes the state of a run stands in a block `with run.guard:`. A signal that comes meanwhile waits for its
    end.

    Attributes:
        broken: whether an exception came out of such a block. Then the state is neither that before nor that after.
    """

    def __init__(self) -> None:
        self.broken = False
        self._inside = 0  # how many blocks
        self._waiting: tuple[int, Any] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        self._inside += 1

    def __exit__(self, kind: Any, *_: Any) -> None:
        self._inside -= 1
        self.broken = self.broken or kind is not None
        if self._waiting is not None and kind is None and not self._inside:
            waiting, self._waiting = self._waiting, None
            self._deliver(*waiting)

    @contextlib.contextmanager
    def deferring(self) -> Iterator[None]:
        """The same for what changes no state: an exception out of this block breaks nothing."""
        broken = self.broken
        try:
            with self:
                yield
        except BaseException:
            self.broken = broken
            raise

    @contextlib.contextmanager
    def watching(self, termination: bool) -> Iterator[None]:
        """Take over the handlers of Ctrl-C and SIGTERM for a while. They are called as before, but for the waiting.

        With `termination` a SIGTERM that nobody handles ends the program by SystemExit, as an exception can be dealt
        with. In a thread beside the main one nothing is done: signals do not come there.
        """
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                before = signal.getsignal(number)
                ends = termination and number == signal.SIGTERM and before is signal.SIG_DFL
                if ends or callable(before):
                    self._before[number] = before  # first: from the next line on `_handle` may be called
                    try:
                        signal.signal(number, self._handle)
                    except ValueError:  # a subinterpreter may not
                        del self._before[number]
        try:
            yield
        finally:
            try:
                if self._waiting is not None:  # an exception has ended the block whose end it waited for
                    waiting, self._waiting = self._waiting, None
                    self._deliver(*waiting)
            finally:
                while self._before:
                    signal.signal(*self._before.popitem())

    def _handle(self, number: int, frame: Any) -> None:
        if self._inside:
            self._waiting = (number, frame)
        else:
            self._deliver(number, frame)

    def _deliver(self, number: int, frame: Any) -> None:
        before = self._before[number]
        if before is signal.SIG_DFL:
            raise SystemExit(128 + number)  # what a shell says of a program that this signal has ended
        before(number, frame)
