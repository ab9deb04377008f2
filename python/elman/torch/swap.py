"""Replacing torch's recurrent modules inside a model, and putting them back.

A module changes its class in place and stays the same object, so parameters, buffers, hooks, names, mode,
parametrizations and every reference to it stay as they are.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

import torch
from torch import nn

from . import cells, layers, recorded
from .recurrent import Recurrent
from .twins import Twin, Twinned, settle, unsettle

Net = TypeVar("Net", bound=nn.Module)

_TWINS: dict[type, Any] = {
    twin.original: twin
    for twin in (layers.LSTM, layers.GRU, layers.RNN, cells.LSTMCell, cells.GRUCell, cells.RNNCell)
}

_NAMES = {kind.__name__ for kind in _TWINS}

_RECORDED = "torch's own code: a recorded program cannot be changed; accelerate the model, then record it"


class Entry(NamedTuple):
    """One recurrent module of a model.

    Attributes:
        name: as in model.named_modules().
        kind: its class.
        fast: whether it runs on elman's engine.
        reason: why not; else "", or that its weights are assumed frozen.
    """

    name: str
    kind: str
    fast: bool
    reason: str

    def __str__(self) -> str:
        parts = (self.kind, "on elman's engine" if self.fast else "", self.reason)
        return f"{self.name or '(the model)'}: " + ", ".join(part for part in parts if part)


class Report(tuple[Entry, ...]):
    """The recurrent modules of a model, and what runs each."""

    def __str__(self) -> str:
        return "\n".join(map(str, self)) or "no recurrent modules"


def accelerate(model: Net) -> Net:
    """Run every torch.nn recurrent module of `model` on elman's engine, with the parameters it has.

    Args:
        model: any module; it is changed in place.

    Returns:
        `model`. `report(model)` says what was replaced and what was not and why; for the latter there is a warning.

    Raises:
        TypeError: model is no torch.nn.Module.
    """
    for module in _modules(model).values():
        plain = _plain_class(module)
        if plain in _TWINS and not _is_twin(plain):
            _become(module, _TWINS[plain])
            settle(module)
    for entry in report(model):
        if not entry.fast:
            warnings.warn(f"elman.torch.accelerate: {entry}", stacklevel=2)
    return model


def restore(model: Net) -> Net:
    """Undo `accelerate`: every module is torch's again.

    Args:
        model: any module; it is changed in place.

    Returns:
        `model`.

    Raises:
        TypeError: model is no torch.nn.Module.
    """
    for module in _modules(model).values():
        plain = _plain_class(module)
        if _is_twin(plain):
            unsettle(module)
            _become(module, plain.original)
    return model


@contextlib.contextmanager
def restored(model: Net) -> Iterator[Net]:
    """`with restored(model):` torch's own modules for a while, for exporters and other tools that know only them.

    Args:
        model: any module; it is changed in place, and back again when the block ends.

    Yields:
        `model`.

    Raises:
        TypeError: model is no torch.nn.Module.
    """
    ours = [m for m in _modules(model).values() if _is_twin(_plain_class(m))]
    restore(model)
    try:
        yield model
    finally:
        for module in ours:
            _become(module, _TWINS[_plain_class(module)])
            settle(module)


def report(model: nn.Module) -> Report:
    """What runs each recurrent module of a model.

    Args:
        model: any torch.nn.Module.

    Returns:
        An `Entry` for each recurrent module in it; printed, a line for each.

    Raises:
        TypeError: model is no torch.nn.Module.
    """
    found = []
    for name, module in _modules(model).items():
        plain = _plain_class(module)
        kind = f"{plain.__module__.replace('.modules.rnn', '')}.{plain.__qualname__}"
        if issubclass(plain, (Twinned, Recurrent)):
            if _is_twin(plain):  # not a user's subclass of one
                kind = f"torch.nn.{plain.__name__}"
            weight = next(module.parameters(recurse=True), None)
            why = None if weight is None else plain._elman_reason(weight)
            frozen = module._elman_cache is not None and module._elman_cache.frozen
            words = "its weights are assumed frozen" if frozen else ""
            found.append(Entry(name, kind, why is None, words if why is None else f"torch's own code: {why}"))
        elif plain in _TWINS:
            found.append(Entry(name, kind, False, "torch's own code: not accelerated"))
        elif isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
            found.append(Entry(name, kind, False, "a subclass, whose own code might be lost"))
        elif _quantised(module):
            found.append(Entry(name, kind, False, "torch's own code: quantised"))
        for what in recorded.inside(module, _NAMES):
            fast = what == recorded.OURS
            found.append(Entry(name, f"{what} of a {type(module).__name__}", fast, "" if fast else _RECORDED))
    return Report(found)


def _modules(model: nn.Module) -> dict[str, nn.Module]:
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
    return dict(model.named_modules())


def _is_twin(kind: type) -> bool:
    return isinstance(kind, Twin) and kind.original is not None


def _plain_class(module: nn.Module) -> Any:
    """Its class, without what torch.nn.utils.parametrize puts on top."""
    kind = type(module)
    return kind.__bases__[0] if _parametrized(module) else kind


def _parametrized(module: nn.Module) -> bool:
    return torch.nn.utils.parametrize.is_parametrized(module)


def _become(module: nn.Module, new: type) -> None:
    if _parametrized(module):  # a class of its own, which holds the parametrised weights' properties
        held = {
            k: v for k, v in vars(type(module)).items() if k not in ("__dict__", "__weakref__", "__doc__")
        }
        new = type(f"Parametrized{new.__name__}", (new,), held)
    module.__class__ = new


def _quantised(module: nn.Module) -> bool:
    path = type(module).__module__
    return ".quantized" in path and any(name in type(module).__name__ for name in _NAMES)
