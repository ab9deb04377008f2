"""A lock on a directory. It ends with its process, however the process ends."""

from __future__ import annotations

import json
import os
import pathlib
import socket
import time
import warnings
import weakref

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    import msvcrt

NAME = "checkpoint.lock"
# The byte that Windows locks. It lies far behind the text that says who holds the lock: locked bytes cannot be read.
_FAR = 1 << 30


class DirectoryLock:
    """Held from its making until `release`, against other processes and against other locks in this one.

    The locked file is never removed: another process could make a new one, and both would hold a lock.

    Raises:
        ValueError: another one holds it; the message says which process, where, and since when.
    """

    def __init__(self, directory: pathlib.Path):
        self._file = open(directory / NAME, "a+b")  # noqa: SIM115, as it stays open
        try:
            self._take(directory)
            _held.add(self)
        except BaseException:  # whoever keeps the exception would keep the file, and the lock
            self._file.close()
            raise

    def _take(self, directory: pathlib.Path) -> None:
        try:
            _lock(self._file.fileno())
        except (BlockingIOError, PermissionError):
            holder = self._holder()
            raise ValueError(
                f"checkpoint: expected a directory that no other run uses, got {os.fspath(directory)!r}, "
                f"in use by {holder}"
            ) from None
        except OSError as error:
            warnings.warn(
                f"checkpoint: {os.fspath(directory)!r} cannot be locked ({error}); let no other run use it",
                stacklevel=7,  # where fit is called
            )
        self._file.truncate(0)
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        me = {"process": os.getpid(), "host": socket.gethostname(), "since": now}
        self._file.write(json.dumps(me).encode())
        self._file.flush()

    def _holder(self) -> str:
        self._file.seek(0)
        try:
            told = json.loads(self._file.read(1000))
            return f"process {told['process']} on {told['host']} since {told['since']}"
        except (ValueError, KeyError, TypeError):  # it has not written it yet
            return "another process"

    def release(self) -> None:
        """Let the next one in."""
        self._file.close()


def _lock(file: int) -> None:
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        os.lseek(file, _FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)


# A forked child has the file open too, and would keep the lock after its parent has ended.
_held: weakref.WeakSet[DirectoryLock] = weakref.WeakSet()


def _close_all() -> None:
    for lock in _held:
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_all)
