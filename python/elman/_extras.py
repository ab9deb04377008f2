"""Optional packages, imported where they are used."""

from __future__ import annotations

import importlib
from types import ModuleType


def need(module: str, extra: str, purpose: str) -> ModuleType:
    """Import `module`, or say which extra of elman brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(f"{purpose} needs {package}: pip install 'elman[{extra}]'") from error
