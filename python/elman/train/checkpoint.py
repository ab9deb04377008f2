"""Checkpoints: all that a run needs to go on as if it had never stopped.

A directory holds `checkpoint.json` (numbers) and the safetensors file that it names (arrays). The JSON file is
replaced in one move after the arrays are written, so whenever the process dies, what the directory holds is whole.
"""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

import numpy as np

from .._extras import need

Arrays = dict[str, np.ndarray]


class Checkpoint:
    """A directory for the checkpoints of one run (extra: save)."""

    def __init__(self, directory: str | os.PathLike[str]):
        self.directory = pathlib.Path(directory)
        self._numpy = need("safetensors.numpy", "save", "a checkpoint")
        self._index = self.directory / "checkpoint.json"

    def save(self, numbers: dict[str, Any], arrays: Arrays) -> None:
        """Write a checkpoint, and remove the one before."""
        self.directory.mkdir(parents=True, exist_ok=True)
        before = self._read_index()
        count = before["count"] + 1 if before else 0
        name = f"arrays-{count}.safetensors"
        self._numpy.save_file(arrays, self.directory / name)
        new = self._index.with_suffix(".json.new")
        new.write_text(json.dumps({"count": count, "arrays": name, "numbers": numbers}, indent=1))
        os.replace(new, self._index)
        for old in self.directory.glob("arrays-*.safetensors"):
            if old.name != name:
                old.unlink()

    def load(self) -> tuple[dict[str, Any], Arrays] | None:
        """The last checkpoint's numbers and arrays; None where there is none."""
        index = self._read_index()
        if index is None:
            return None
        return index["numbers"], self._numpy.load_file(self.directory / index["arrays"])

    def _read_index(self) -> dict[str, Any] | None:
        return json.loads(self._index.read_text()) if self._index.exists() else None


def under(prefix: str, arrays: Arrays) -> Arrays:
    """The same arrays, named `prefix/name`."""
    return {f"{prefix}/{name}": value for name, value in arrays.items()}


def within(prefix: str, arrays: Arrays) -> Arrays:
    """The reverse of `under`."""
    start = len(prefix) + 1
    return {name[start:]: value for name, value in arrays.items() if name.startswith(prefix + "/")}


def flatten(value: Any, arrays: Arrays) -> Any:
    """A nest of tuples, arrays and None as what JSON can hold; the arrays go to `arrays`."""
    if value is None:
        return None
    if isinstance(value, np.ndarray):
        arrays[str(len(arrays))] = value
        return str(len(arrays) - 1)
    return [flatten(part, arrays) for part in value]


def unflatten(shape: Any, arrays: Arrays) -> Any:
    """The reverse of `flatten`."""
    if shape is None:
        return None
    return arrays[shape] if isinstance(shape, str) else tuple(unflatten(part, arrays) for part in shape)
