"""Layers from files."""

from __future__ import annotations

import os

from .. import _check, files, init
from .recurrent import GRU, LSTM, RNN, Recurrent

KINDS: dict[str, type[Recurrent]] = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}


def load(path: str | os.PathLike[str]) -> Recurrent:
    """The layer that `save` wrote to `path` (extra: save).

    Raises:
        ValueError: the file was not written by `save`, or is no longer as it was written.
        OSError: the file cannot be read.
    """
    try:
        config, arrays = files.read(path, "loading a layer")
        if "model" in config:
            raise ValueError("it holds a model, which elman.models.load reads")
        kind = KINDS[_check.choice("layer", config.pop("layer", None), tuple(KINDS))]
        # Twice, as it may draw biases that it does not keep.
        with init.from_file(2 * sum(array.size for array in arrays.values())):
            layer = kind(**config, init="uniform")  # the cheaper one
        layer.load_state_dict(arrays)
    except (ValueError, TypeError, ArithmeticError) as error:  # of arguments that no layer has
        raise ValueError(
            f"path: expected a file written by a layer's save(), got {os.fspath(path)!r}: {error}"
        ) from error
    return layer
