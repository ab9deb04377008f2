"""Packed weights, kept between the calls of a module and found again by what is in them."""

from __future__ import annotations

import operator
from collections.abc import Hashable, Sequence
from typing import Any

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

    `weights`: as they are now. `key`: all that the layouts depend on, the fingerprint last; None if nobody asks.
    """

    def __init__(self, spec: StackSpec, weights: Sequence[Tensor], key: Any = None):
        self.spec, self.weights, self.key = spec, weights, key
        self._forward: Any = None
        self._backward: Any = None
        self.kept: Any = None  # the forward layout, as calls at once take it

    @property
    def forward(self) -> Any:
        if self._forward is None:
            self._forward = self._made(back=False)
            if self.key is not None:
                self.kept = _core.keep(self._forward, self.key[-1])
        return self._forward

    @property
    def backward(self) -> Any:
        if self._backward is None:
            self._backward = self._made(back=True)
        return self._backward

    def _made(self, back: bool) -> Any:
        return PROCESSOR.weights(self.spec, self.spec.nest(weight_arrays(self.weights)), back)


class Cache:
    """The packed weights of one module: one set, made again when the weights are not what they were.

    A tensor's version count does not say that its values are the same: a write through `.data`, a NumPy view, another
    process or a fused optimiser does not raise it. So a set is found by a fingerprint of every byte of the weights.
    The fingerprint is taken first, then the set is used or made: if somebody writes in between, the set is not found
    again. `frozen` is the user's word: then no fingerprint is taken while the same memory has the same version counts.
    """

    def __init__(self, frozen: bool = False) -> None:
        self.frozen = frozen
        self._kept: Any = None
        self._trusted: tuple[Any, StackSpec, list[Any], Any] | None = None
        self._parts: dict[Hashable, Cache] = {}

    def get(self, spec: StackSpec, weights: Sequence[Tensor], kind: Any = Packed) -> Any:
        """The set of these weights, of a class like Packed; it must be used at once."""
        marks = _marks(weights) if self.frozen else None
        trusted = self._trusted
        if marks is not None and trusted is not None and trusted[:2] == (marks, spec):
            return trusted[-1]
        key = _core.isa(), spec, fingerprint(weights)
        # Without the graph that made them.
        weights = [w if w.is_leaf else w.detach() for w in weights]
        packed = self._kept
        if packed is not None and packed.key == key:
            packed.weights = weights
        else:
            self._kept = packed = kind(spec, weights, key)
        self._trusted = None
        if marks is not None:
            # Trusted weights are held, so that no other weights can get their memory or be taken for them.
            self._trusted = marks, spec, [(w, w.detach()) for w in weights], packed
        return packed

    def last(self, weights: Sequence[Tensor], trusted: bool) -> Any:
        """The set of an earlier call, which may be that of other weights: its fingerprint tells. `trusted`: that of
        these weights, by the user's word. None if there is none."""
        if not trusted:
            return self._kept
        last = self._trusted
        return None if last is None or last[0] != _marks(weights) else last[-1]

    def part(self, name: Hashable) -> Cache:
        """A cache of its own for each of several sets."""
        found = self._parts.get(name)
        if found is None:
            found = self._parts[name] = Cache(self.frozen)
        return found

    def __reduce__(self) -> tuple[type, tuple[()]]:
        # Copies and pickles of a module pack their own. The user's word is not for them: they are made to be changed.
        return Cache, ()


def fingerprint(weights: Sequence[Tensor]) -> Any:
    """64 bits of every byte of the weights, and of their shapes."""
    found = TENSORS.fingerprint(weights)
    return TENSORS.fingerprint(weight_arrays(weights)) if found is None else found  # None: not without a copy


def _marks(weights: Sequence[Tensor]) -> Any:
    """What stays the same while weights do, if torch sees all writes to them; None if torch does not count."""
    if any(w.is_inference() for w in weights):  # no version count
        return None
    places = [*map(Tensor.data_ptr, weights), *map(_shape, weights)]
    names = [id(w) if w.is_leaf else None for w in weights]  # others are made anew at each call
    strides, versions = [w.stride() for w in weights], [w._version for w in weights]
    return _core.isa(), names, places, strides, versions


def cache_of(module: Any) -> Cache:
    """The cache of one of elman's modules."""
    cache: Cache | None = module._elman_cache
    if cache is None:
        cache = module._elman_cache = Cache()
    return cache
