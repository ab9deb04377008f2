"""Whether a model of one's own looks at the mask and the weights of its batches, which would else be ignored."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from ..data import Batch

_NOTED = ("mask", "weights")


@dataclass(frozen=True)
class _Noting(Batch):
    def __getattribute__(self, name: str) -> Any:
        if name in _NOTED:
            object.__getattribute__(self, "__dict__").setdefault("_asked", set()).add(name)
        return object.__getattribute__(self, name)


def noting(batch: Batch) -> Batch:
    """The batch, which notes what it is asked for, if there is a mask or there are weights."""
    if batch.mask is None and batch.weights is None:
        return batch
    found = _Noting(**{one.name: getattr(batch, one.name) for one in fields(batch)})
    found.__dict__["_asked"] = set()
    return found


def expect_noted(batch: Batch, model: str) -> None:
    """Refuse a model that has not looked at what there is.

    Raises:
        ValueError: it has not: it would have learnt from what does not count, or counted all alike.
    """
    asked = batch.__dict__.get("_asked")
    if asked is None:
        return
    for name in _NOTED:
        if batch.__dict__[name] is not None and name not in asked:
            raise ValueError(
                f"{name}: expected a model that looks at batch.{name}, got {model}, which does not"
            )
