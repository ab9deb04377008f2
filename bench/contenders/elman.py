"""elman itself."""

from __future__ import annotations

import numpy as np

import elman
from bench.contenders import STEPS, Contender, Results
from bench.shapes import Data, Shape
from tests.support.public import PUBLIC


def prepare(shape: Shape, data: Data, weights: dict[str, np.ndarray], threads: int) -> Contender:
    elman.set_num_threads(threads)
    layer = PUBLIC[shape.cell](
        shape.I,
        shape.H,
        shape.layers,
        bidirectional=shape.dirs == "b",
        reverse=shape.dirs == "r",
        dtype=shape.dtype,
        init="uniform",
    )
    layer.load_state_dict(weights)
    options = {"lengths": data.lengths, "reset": data.reset}
    if shape.mode == "step":
        step, x, out = layer.stepper(shape.B), data.x[0], np.empty((shape.B, shape.H), shape.dtype)

        def first() -> Results:
            step.reset()
            return {"y": np.stack([step(x) for _ in range(STEPS)])}

        return lambda: step(x, out), first
    if shape.mode == "infer":
        return lambda: layer(data.x, **options), lambda: {"y": layer(data.x, **options)[0]}

    def train() -> Results:
        layer.zero_grad()
        y, _, backward = layer.forward(data.x, **options)
        dx, _ = backward(data.dy)
        return {"y": y, "dx": dx, **layer.grads}

    return train, train
