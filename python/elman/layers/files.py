"""Recurrent layers by their names outside Python: in files, and as a model's argument `cell`."""

from __future__ import annotations

from typing import Any

from .. import _check
from .recurrent import Recurrent

# elman's own: the classes that stand beside Recurrent in its file.
RECURRENT: dict[str, type[Recurrent]] = {
    kind.__name__.lower(): kind
    for kind in Recurrent.__subclasses__()
    if kind.__module__ == Recurrent.__module__
}

# In a file a layer has the name of its class.
_KINDS = {kind.__name__: kind for kind in RECURRENT.values()}


def make(content: dict[str, Any]) -> Recurrent:
    """The layer that a file describes, without its parameters."""
    config = dict(content)
    kind = _KINDS[_check.choice("layer", config.pop("layer"), tuple(_KINDS))]
    return kind(**config, init="uniform")  # the fastest way to draw numbers, which the file's will replace
