"""Whether a model of one's own looks at the mask and the weights of its batches, which would else be ignored."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from ..data import Batch

_WATCHED = ("mask", "weights")


@dataclass(frozen=True)
class _Watched(Batch):
    def __getattribute__(self, name: str) -> Any:
        if name in _WATCHED:
            object.__getattribute__(self, "__dict__").setdefault("_seen", set()).add(name)
        return object.__getattribute__(self, name)


def watched(batch: Batch) -> Batch:
    """The batch, which notes what is asked of it, if there is a mask or there are weights."""
    if all(getattr(batch, name) is None for name in _WATCHED):
        return batch
    found = _Watched(**{one.name: getattr(batch, one.name) for one in fields(batch)})
    found.__dict__["_seen"] = set()
    return found


def expect_seen(batch: Batch, model: str) -> None:
    """Refuse a model that has not looked at what there is.

    Raises:
        ValueError: it has not: it would have learnt from what does not count, or counted all alike.
    """
    seen = batch.__dict__.get("_seen")
    if seen is None:
        return
    for name in _WATCHED:
        if batch.__dict__[name] is not None and name not in seen:
            raise ValueError(
                f"{name}: expected a model that looks at batch.{name}, got {model}, which does not"
            )
