"""What makes a class the twin of one of torch.nn's: PyTorch's tools find it where they find torch's own.

Quantisation, pruning scripts and initialisers look up `type(module)` in tables or compare it with `==`; torch.fx's
tracers take for leaves the modules at home in torch.nn.
"""

from __future__ import annotations

import inspect
from typing import Any, Protocol

from . import dynamo, fallback


class Twin(type(Protocol)):  # type: ignore[misc]
    """The type of the twins and of their subclasses. A twin equals its original (`==`, not `is`).

    Derived from the type of protocols and abstract classes, so that subclasses may be of those as well, as torch.nn's
    may. These types remember by `==` what is an instance of what, so the checks are type's own.
    """

    __instancecheck__ = type.__instancecheck__
    __subclasscheck__ = type.__subclasscheck__

    @property
    def original(cls) -> Any:
        """torch's class; None for a subclass of a twin."""
        return cls.__dict__.get("_elman_original")

    @property
    def __bases__(cls) -> tuple[type, ...]:  # type: ignore[override]
        """Without the original: it equals the twin, so inspect.getclasstree, by which help() sorts classes, would look
        below it for ever."""
        bases = type.__dict__["__bases__"].__get__(cls)
        return tuple(base for base in bases if base is not cls.original)

    @property
    def __signature__(cls) -> inspect.Signature | None:
        """torch's, which its tools look at."""
        return inspect.signature(cls.original) if cls.original else None

    def __eq__(cls, other: object) -> bool:
        return cls is other or (cls.original is not None and cls.original is other)

    def __hash__(cls) -> int:
        return type.__hash__(cls.original or cls)


class Twinned(metaclass=Twin):
    """A base of the twins."""

    _elman_reason = staticmethod(fallback.reason)  # why a module with this weight does not run on the engine

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        settle(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[misc]
        settle(self)

    def __prepare_scriptable__(self) -> Any:
        raise RuntimeError(
            f"torch.jit.script: expected modules of torch.nn's, got elman.torch.{type(self).__name__}; call it inside "
            "`with elman.torch.restored(model):`, or use torch.jit.trace"
        )


def settle(module: Any) -> None:
    """For a module that has just become a twin's."""
    module.__dict__["__module__"] = "torch.nn.modules.rnn"  # where torch.fx looks; of the class it is elman's
    dynamo.let_in(Twinned)


def unsettle(module: Any) -> None:
    """For a module that is about to become torch's again: removes what is elman's."""
    for name in ("__module__", "_elman_cache", "_elman_warned"):
        module.__dict__.pop(name, None)
