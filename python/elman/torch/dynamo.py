"""torch.compile looks into elman's modules, and leaves torch's recurrent ones to eager as it does without elman."""

from __future__ import annotations

import functools
import importlib
from typing import Any

from . import fallback


@functools.cache
def let_in(kind: type) -> None:
    """Let torch.compile look into subclasses of torch.nn's recurrent modules that are `kind`s, too.

    torch has one setting for all such modules of a process, and compiles its own step by step when it is on: that
    takes minutes. So it is on only while one of ours is looked at. PyTorch older than the setting has a graph break
    at each. The import takes most of a second where nothing else, such as an optimiser, has done it yet.
    """
    config: Any = importlib.import_module("torch._dynamo.config")
    if not hasattr(config, "allow_rnn"):
        return
    builder: Any = importlib.import_module("torch._dynamo.variables.builder").VariableBuilder  # type: ignore[attr-defined]
    plain = builder.wrap_module

    @functools.wraps(plain)
    def wrap_module(self: Any, module: Any) -> Any:
        if config.allow_rnn or not isinstance(module, kind) or not fallback.runs_on_engine(module):
            return plain(self, module)
        config.allow_rnn = True
        try:
            return plain(self, module)
        finally:
            config.allow_rnn = False

    builder.wrap_module = wrap_module
