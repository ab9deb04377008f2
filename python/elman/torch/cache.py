"""Packed weights, kept between calls that need no gradients."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .. import _core
from .engine import Pass, to_arrays


class Cache:
    """The packed weights of one module: one set, made again when a weight has changed.

    A change is seen by torch's version counts and addresses, and, because a write through `.data` passes those by,
    by comparing 256 values of each weight. What is left unseen is a write through `.data` to a few single values
    between two calls without gradients; `flatten_parameters()` drops the set.
    """

    def __init__(self) -> None:
        self._key: list[Any] = []
        self._packed: list[list[Any]] = []
        self._sample: _core.Sample | None = None

    def get(self, call: Pass) -> list[list[Any]]:
        key = _key_of(call)
        if key is None:
            return call.pack()
        if key != self._key or self._sample is None or not self._sample.unchanged():
            self._packed = call.pack()
            self._sample = _core.Sample(to_arrays(call.weights))
            self._key = key
        return self._packed

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return Cache, ()  # copies and pickles of a module pack their own


def _key_of(call: Pass) -> list[Any] | None:
    key: list[Any] = [_core.isa(), call.spec]
    try:
        for w in call.weights:
            key += (id(w), w.data_ptr(), w._version)
    except RuntimeError:  # made under inference_mode: no version count
        return None
    return key
