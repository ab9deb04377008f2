"""elman on torch's own threads.

Two pools in a process cost dearly: OpenMP's workers stay awake for milliseconds after each operation, on the
processors that the engine's would need, and the other way round. So the engine borrows torch's.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch

from .. import _core

_LIBRARIES = ("libgomp.so*", "libgomp-*.so*", "libiomp5.so", "libomp.so")


def borrow() -> bool:
    """Let the engine compute on torch's OpenMP threads; False where torch has none that can be found."""
    folder = Path(torch.__file__).with_name("lib")  # has the one that torch has loaded, if it ships one
    shipped = [os.fsencode(path) for name in _LIBRARIES for path in folder.glob(name)]
    return any(_core.borrow_threads(path) for path in [*shipped, None])


def follow() -> None:
    """Use as many threads as torch does, or as many as there are processors where these are fewer."""
    _core.set_num_threads(min(torch.get_num_threads(), _core.MOST_THREADS))
