"""Packed weights, kept between the calls of a module and found again by what is in them."""

from __future__ import annotations

import operator
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import _core
from ..stack.processor import PROCESSOR
from ..stack.spec import StackSpec
from .spec import weight_arrays

_shape = operator.attrgetter("shape")


TENSORS = _core.Tensors(
    (Tensor, torch.nn.Parameter), Tensor.is_neg, operator.attrgetter("requires_grad"),
    torch._C._to_dlpack, torch._C._from_dlpack,
)  # fmt: skip


class Packed:
    """The weights of one call in the engine's two layouts, each made when it is first asked for.

    `arrays`: the weights, as they are now. `key`: all that the layouts depend on.
    """

    def __init__(self, spec: StackSpec, weights: Sequence[Tensor], arrays: list[np.ndarray], key: Any = None):
        self.spec, self.arrays, self.key = spec, arrays, key
        self._forward: Any = None
        self._backward: Any = None
        self.kept: Any = None  # the forward layout, as calls at once take it

    @property
    def forward(self) -> Any:
        if self._forward is None:
            self._forward = PROCESSOR.weights(self.spec, self.spec.nest(self.arrays), back=False)
            if self.key is not None:
                self.kept = _core.keep(self._forward, self.key[2])
        return self._forward

    @property
    def backward(self) -> Any:
        if self._backward is None:
            self._backward = PROCESSOR.weights(self.spec, self.spec.nest(self.arrays), back=True)
        return self._backward


class Cache:
    """The packed weights of one module: one set, made again when the weights are not what they were.

    A tensor's version count does not say that its values are the same: a write through `.data`, a NumPy view, another
    process or a fused optimiser does not raise it. So a set is found by a fingerprint of every byte of the weights.
    The fingerprint is taken first, then the set is used or made: if somebody writes in between, the set is not found
    again. `frozen` is the user's word: then no fingerprint is taken while the same memory has the same version counts.
    """

    def __init__(self, frozen: bool = False) -> None:
        self.frozen = frozen
        self._kept: tuple[list[Any], Any] | None = None  # replaced as one: threads may share this
        self._trusted: tuple[Any, list[Tensor], Any] | None = None
        self._parts: dict[Hashable, Cache] = {}

    def get(self, spec: StackSpec, weights: Sequence[Tensor], kind: Any = Packed) -> Any:
        """The set of these weights, of a class like Packed; it must be used at once."""
        places = [*map(Tensor.data_ptr, weights), *map(_shape, weights)]
        marks = _marks(spec, weights, places) if self.frozen else None
        if marks is not None and (trusted := self._trusted) is not None and trusted[0] == marks:
            return trusted[2]
        kept = self._kept
        if kept is not None and kept[0] == places and all(map(Tensor.is_contiguous, weights)):
            arrays = kept[1].arrays  # the same memory: making them again takes longer than the rest
        else:
            arrays = weight_arrays(weights)
        key = (_core.isa(), spec, _core.fingerprint(arrays), arrays[0].dtype, [a.shape for a in arrays])
        if kept is not None and kept[1].key == key:
            packed = kept[1]
            packed.arrays = arrays
        else:
            packed = kind(spec, weights, arrays, key)
        self._kept = places, packed
        # Trusted weights are held, so that no other weights can get their memory.
        self._trusted = None if marks is None else (marks, [w.detach() for w in weights], packed)
        return packed

    @property
    def kept(self) -> Any:
        """What a call at once needs of the set; None if there is none, or if the weights need no fingerprint."""
        kept = self._kept
        return None if kept is None or self.frozen else kept[1].kept

    def part(self, name: Hashable) -> Cache:
        """A cache of its own for each of several sets."""
        found = self._parts.get(name)
        if found is None:
            found = self._parts[name] = Cache(self.frozen)
        return found

    def __reduce__(self) -> tuple[type, tuple[()]]:
        # Copies and pickles of a module pack their own. The user's word is not for them: they are made to be changed.
        return Cache, ()


def _marks(spec: StackSpec, weights: Sequence[Tensor], places: list[Any]) -> Any:
    """What stays the same while weights do, if torch sees all writes to them; None if torch does not count."""
    if any(w.is_inference() for w in weights):  # no version count
        return None
    strides, versions = [w.stride() for w in weights], [w._version for w in weights]
    return _core.isa(), spec, places, strides, versions


def cache_of(module: Any) -> Cache:
    """The cache of one of elman's modules."""
    cache: Cache | None = module._elman_cache
    if cache is None:
        cache = module._elman_cache = Cache()
    return cache
