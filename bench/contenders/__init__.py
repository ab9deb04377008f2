"""The contenders. Each module has one function,

    prepare(shape, data, weights, threads) -> (run, results) or None

`run()` is the call that is timed, written as an experienced user of that library would write it; `results()`
makes the same computation and returns what is verified, by name: y [T, B, D * H], for mode "step" y
[STEPS, B, H] of the first steps from zero states; for training also dx and the gradient of every weight, all
in torch's layouts. None means that the library has no such thing (this cell, training, resets).
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable

import numpy as np

Results = dict[str, np.ndarray]
Contender = tuple[Callable[[], object], Callable[[], Results]]

STEPS = 3  # so many steps in a row show that the state is carried
OURS = ("elman", "dropin")
NAMES = (*OURS, "torch", "onnxruntime", "openvino", "jax")
NEEDS = {
    "dropin": ("elman", "torch"),
    "onnxruntime": ("onnxruntime", "onnx"),
    "openvino": ("openvino", "onnx"),
}


def installed() -> list[str]:
    """The contenders that can run here."""
    return [
        name for name in NAMES if all(importlib.util.find_spec(need) for need in NEEDS.get(name, (name,)))
    ]


def prepare(name: str, *arguments: object) -> Contender | None:
    return importlib.import_module(f"bench.contenders.{name}").prepare(*arguments)
