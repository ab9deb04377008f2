"""Packed weights, kept between the calls of a module."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from .. import _core
from .spec import Spec, to_arrays


class Packed:
    """The weights of one call in the engine's two layouts, each made when it is first asked for."""

    def __init__(self, spec: Spec, weights: Sequence[Tensor]):
        self.arrays = to_arrays(weights)
        self._matrices = spec.nest(self.arrays)
        self._stack = spec.stack(weights)
        self._forward: list[list[Any]] | None = None
        self._backward: list[list[Any]] | None = None
        self._stepper: _Stepper | None = None

    @property
    def forward(self) -> list[list[Any]]:
        if self._forward is None:
            self._forward = self._stack.pack(self._matrices)
        return self._forward

    @property
    def backward(self) -> list[list[Any]]:
        if self._backward is None:
            self._backward = self._stack.pack_back(self._matrices)
        return self._backward

    def stepper(self, batch_size: int) -> _Stepper:
        """For single steps; one is kept, of the batch size asked for last."""
        if self._stepper is None or self._stepper.shape[1] != batch_size:
            stack = self._stack
            self._stepper = _Stepper(self.forward, (stack.L, batch_size, stack.H), stack.states, stack.dtype)
        return self._stepper


class _Stepper:
    """The engine's stepper, which passes through all layers at once, with the state going in and out."""

    def __init__(self, packed: list[list[Any]], shape: tuple[int, int, int], states: int, dtype: np.dtype):
        self.shape, self.states, self.dtype = shape, states, dtype
        self._engine = _core.stepper([one for (one,) in packed], shape[1])
        self._zeros = np.zeros(shape, dtype)
        self._lock = threading.Lock()

    def __call__(
        self, x: np.ndarray, state: Sequence[np.ndarray], y: np.ndarray, final: Sequence[np.ndarray]
    ) -> bool:
        """Writes y [B, H] and each final state of x [B, I]; False, and nothing done, while another thread steps."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            for k in range(self.states):
                self._engine.set_state(k, state[k] if state else self._zeros)
            self._engine.step(x, y)
            for k, out in enumerate(final):
                self._engine.get_state(k, out)
        finally:
            self._lock.release()
        return True


class Cache:
    """The packed weights of one module: one set, made again when a weight has changed.

    A change is seen by torch's version counts and addresses, and, because a write through `.data` passes those by,
    by comparing 8 values of each weight. What is left unseen is a write through `.data` to a few single values
    and to nothing else; `flatten_parameters()` drops the set.
    """

    def __init__(self) -> None:
        self._kept: tuple[list[Any], _core.Sample, Packed] | None = (
            None  # replaced as one: threads may share this
        )

    def get(self, spec: Spec, weights: Sequence[Tensor]) -> Packed:
        key = _key_of(spec, weights)
        if key is None:
            return Packed(spec, weights)
        if self._kept is not None:
            kept_key, sample, packed = self._kept
            if key == kept_key and sample.unchanged():
                return packed
        packed = Packed(spec, weights)
        # Of weights that are not contiguous a copy was packed, which a sample cannot watch.
        watched = all(w.is_contiguous() for w in weights)
        self._kept = (key, _core.Sample(packed.arrays), packed) if watched else None
        return packed

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return Cache, ()  # copies and pickles of a module pack their own


def _key_of(spec: Spec, weights: Sequence[Tensor]) -> list[Any] | None:
    key: list[Any] = [_core.isa(), spec]
    try:
        for w in weights:
            key += (id(w), w.data_ptr(), w._version)
    except RuntimeError:  # made under inference_mode: no version count
        return None
    return key
