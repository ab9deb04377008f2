"""A GPU as the device of a call."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from ... import _check
from ..spec import StackSpec, Weights
from ..steps import Steps
from . import arrays, find
from .passes import Pass
from .plan import uploaded


def device_of(
    x: Any, spec: StackSpec, recurrent_dropout: float = 0.0, checkpoint_every: int | None = None
) -> Gpu | None:
    """Where x lies; None for main memory.

    Raises:
        ValueError: no such call can run there.
    """
    if not arrays.on_gpu(x):
        return None
    scans, why = find()
    if scans is None:
        raise ValueError(f"x: expected an array in main memory ({why}), got one on a GPU")
    if spec.dtype != np.float32:
        raise ValueError(f"x: expected an array in main memory for a {spec.dtype} layer, got one on a GPU")
    if spec.facts.definition is not None:
        raise ValueError(
            f"x: expected an array in main memory for the cell {spec.facts.definition.name}, got one on a GPU"
        )
    if recurrent_dropout:
        raise ValueError(f"recurrent_dropout: expected 0 on a GPU, got {recurrent_dropout}")
    if checkpoint_every is not None:
        raise ValueError(f"checkpoint_every: expected None on a GPU, got {checkpoint_every}")
    return Gpu(arrays.library_of(x))


class Gpu:
    """As passes.Device says, of arrays on a GPU."""

    def __init__(self, library: arrays.Arrays):
        self._library = library

    def new_pass(
        self,
        spec: StackSpec,
        steps: Steps,
        x: Any,
        initial: Sequence[Any],
        dropout: Sequence[Any] = (),
        factors: Any = None,
        scalars: Any = None,
        seed: int | None = None,
    ) -> Pass:
        assert factors is None and scalars is None and seed is None
        return Pass(self._library, spec, uploaded(steps, spec.backwards, self._library), x, initial, dropout)

    def weights(self, spec: StackSpec, nest: Weights, back: bool) -> Any:
        """[layer][direction]: the weights on the GPU."""
        return [[[None if w is None else self.put(w) for w in one] for one in layer] for layer in nest]

    def weights_key(self, back: bool) -> tuple[str, Hashable]:
        return "uploaded", self._library

    def take(self, name: str, value: Any, dtype: Any = None) -> Any:
        if not arrays.on_gpu(value):
            raise ValueError(f"{name}: expected an array on the GPU, as x is, got {_check.describe(value)}")
        return self._library.own(value)

    def put(self, array: np.ndarray) -> Any:
        return self._library.upload(array)

    def host(self, value: Any) -> Any:
        if hasattr(value, "get") and arrays.on_gpu(value):
            return np.asarray(value.get(), order="C")
        return value
