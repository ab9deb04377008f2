"""A stack of recurrent layers on a GPU: scans by elman, the matrix products around them by whoever holds the arrays.

`find` gives the module of scans, where this build has one and a GPU is there.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

_found: tuple[Any, str] | None = None


def find() -> tuple[Any, str]:
    """The module, or None and the reason why not. Not before it is needed: a process that has asked for a GPU can
    no longer fork."""
    global _found
    if _found is None:
        _found = _find()
    return _found


def _find() -> tuple[Any, str]:
    if importlib.util.find_spec("elman._cuda") is None:
        return None, "this build has no CUDA kernels"
    try:
        scans = importlib.import_module("elman._cuda")
        scans.device()
    except (ImportError, RuntimeError) as error:
        return None, str(error)
    return scans, ""
