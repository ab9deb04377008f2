"""Layers and models from their files."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from . import files, init

# Who makes what a file holds, by the word in its description; imported when a file asks for it.
_MAKERS = {
    "layer": lambda: import_module("elman.layers.files"),
    "model": lambda: import_module("elman.models.files"),
}

# What a constructor may raise when the arguments in a file do not suit it.
_UNSUITABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


def load(path: str | os.PathLike[str]) -> Any:
    """The layer or the model that `save` wrote to `path` (extra: save).

    Import the module of its class first, if the class is your own: a file names its class and holds no code.

    Raises:
        ValueError: `save` did not write the file, or it has changed since, or it is of a class that is not imported or
            that takes other arguments now.
        OSError: the file cannot be read.
    """
    try:
        content, arrays = files.read(path, "loading a layer or a model")
        held = [word for word in _MAKERS if word in content]
        if len(held) != 1:
            raise ValueError("it does not say that it holds a layer or a model")
        maker = _MAKERS[held[0]]()
        # Twice, as a constructor may draw numbers that it does not keep.
        with init.from_file(2 * sum(array.size for array in arrays.values())):
            made = maker.make(content)
        made.load_state_dict(arrays)
    except files.NotImportedError as error:
        raise ValueError(f"path: {os.fspath(path)!r} holds {error}") from None
    except _UNSUITABLE as error:
        raise ValueError(
            f"path: expected a file written by save(), got {os.fspath(path)!r}: {error}"
        ) from error
    return made
