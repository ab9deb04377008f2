"""Checkpoints: all that a run needs to go on as if it had never stopped.

A directory holds the last two, `checkpoint-N.safetensors`, each with numbers as JSON, arrays, and checksums of both. A
new one is on the disk before it takes its name, and it has its name before an old one is removed. So the directory
holds a whole one at any moment, also if the power fails. If the last one is damaged later, the one before it is used.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import warnings
from typing import Any

import numpy as np

from .. import files
from .._extras import need
from .._plain import plain
from .lock import DirectoryLock

Arrays = files.Arrays

PURPOSE = "a checkpoint"
_NAME = re.compile(r"checkpoint-(\d+)\.safetensors")
_UNFINISHED = re.compile(r"\.checkpoint-\d+\.safetensors\.[0-9a-f]{8}\.new")
KEPT = 2


class Checkpoint:
    """A directory for the checkpoints of one run, locked until `close` (extra: save).

    Raises:
        ValueError: another run uses the directory.
    """

    def __init__(self, directory: str | os.PathLike[str]):
        need("safetensors.numpy", "save", PURPOSE)
        self.directory = pathlib.Path(directory).absolute()
        files.make_directory(self.directory)
        self._lock = DirectoryLock(self.directory)
        self._own: list[pathlib.Path] = []  # the whole checkpoints, the oldest first
        try:
            self._count = max(self._numbered(), default=-1) + 1
            for path in self.directory.iterdir():
                if _UNFINISHED.fullmatch(path.name):  # a run that was killed has left it
                    path.unlink()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let another run use the directory."""
        self._lock.release()

    def save(self, numbers: dict[str, Any], arrays: Arrays) -> None:
        """Write a checkpoint, and remove the ones before it but the last."""
        path = self.directory / f"checkpoint-{self._count}.safetensors"
        files.write(path, {"checkpoint": self._count, "numbers": numbers}, arrays, PURPOSE)
        self._count += 1
        self._own.append(path)
        while len(self._own) > KEPT:
            with contextlib.suppress(FileNotFoundError):
                self._own.pop(0).unlink()

    def load(self) -> tuple[dict[str, Any], Arrays] | None:
        """The numbers and arrays of the last checkpoint that is whole; None where there is none at all.

        Raises:
            ValueError: there are some, and none is whole.
        """
        damaged, found = [], None
        for count, path in sorted(self._numbered().items(), reverse=True):
            try:
                content, arrays = files.read(path, PURPOSE)
                if content.get("checkpoint") != count:
                    raise files.DamagedError("not a checkpoint of this number")
            except (files.DamagedError, OSError) as error:
                if found is None:
                    damaged.append(f"{path.name} ({error})")
                continue
            self._own.insert(0, path)
            found = found or (content["numbers"], arrays)
        where = os.fspath(self.directory)
        if damaged and found is None:
            raise ValueError(
                f"checkpoint: expected a whole one in {where!r}, got {', '.join(damaged)}; remove what is "
                "damaged, or choose another directory, to begin anew"
            )
        if damaged:
            warnings.warn(
                f"checkpoint: in {where!r} {', '.join(damaged)} cannot be used; "
                f"going on from {self._own[-1].name}",
                stacklevel=5,  # where fit is called
            )
        return found

    def _numbered(self) -> dict[int, pathlib.Path]:
        matches = ((_NAME.fullmatch(path.name), path) for path in self.directory.iterdir())
        return {int(match[1]): path for match, path in matches if match}


def under(prefix: str, arrays: Arrays) -> Arrays:
    """The same arrays, named `prefix/name`."""
    return {f"{prefix}/{name}": value for name, value in arrays.items()}


def within(prefix: str, arrays: Arrays) -> Arrays:
    """The reverse of `under`."""
    start = len(prefix) + 1
    return {name[start:]: value for name, value in arrays.items() if name.startswith(prefix + "/")}


def flatten(name: str, value: Any, arrays: Arrays) -> Any:
    """A nest of tuples, lists, dicts, arrays, numbers and None as what JSON can hold; the arrays go to `arrays`.

    Raises:
        ValueError: something else is in it.
    """
    if isinstance(value, np.ndarray) and value.dtype != object:
        arrays[str(len(arrays))] = value
        return {"array": str(len(arrays) - 1)}
    for kind in (tuple, list):
        if isinstance(value, kind):
            return {kind.__name__: [flatten(f"{name}[{i}]", part, arrays) for i, part in enumerate(value)]}
    if isinstance(value, dict):
        return {"dict": {key: flatten(f"{name}[{key!r}]", part, arrays) for key, part in value.items()}}
    return plain(name, value)


def unflatten(shape: Any, arrays: Arrays) -> Any:
    """The reverse of `flatten`."""
    if not isinstance(shape, dict):
        return shape
    ((kind, value),) = shape.items()
    if kind == "array":
        return arrays[value]
    if kind == "dict":
        return {key: unflatten(part, arrays) for key, part in value.items()}
    return {"tuple": tuple, "list": list}[kind](unflatten(part, arrays) for part in value)
