"""Recurrent layers: sequences of all kinds there and back, and steps."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from bench.bits import DTYPES, Case, Setting, flat, normal, settings

SEQUENCES = ("plain", "ragged", "masked", "reset", "ragged masked reset")
STACKS: dict[str, dict[str, Any]] = {
    "forward": {},
    "reverse": {"reverse": True},
    "both": {"bidirectional": True},
    "two layers": {"num_layers": 2, "bias": False},
    "three layers both, dropout": {"num_layers": 3, "bidirectional": True, "dropout": 0.3},
    "recurrent dropout": {"num_layers": 2, "recurrent_dropout": 0.4},
}
# I, H, B, T: below, at and above vectors, tiles of rows and parts of 128 terms; some with far more rows than units.
SIZES = (
    (1, 1, 1, 1), (3, 5, 2, 4), (7, 19, 5, 9), (16, 32, 3, 6), (10, 33, 13, 5), (40, 25, 6, 12), (130, 48, 7, 3),
    (9, 65, 1, 7), (5, 130, 4, 3), (23, 17, 70, 3), (64, 64, 33, 2), (150, 97, 2, 5),
)  # fmt: skip
STREAMS = (1, 2, 7, 33)


def cases() -> Iterator[Case]:
    from tests.support.public import PUBLIC

    draw = random.Random(0)
    for cell, dtype, stack, sequence in itertools.product(PUBLIC, DTYPES, STACKS, SEQUENCES):
        for setting in settings(draw):
            size = draw.choice(SIZES)
            name = f"{cell} {np.dtype(dtype)}, {stack}, {sequence}, {_text(size)}, {setting}"
            yield name, lambda a=(cell, dtype, stack, sequence, size, setting): sequences(*a)
    for cell, dtype, layers, B in itertools.product(PUBLIC, DTYPES, (1, 3), STREAMS):
        for setting in settings(draw):
            I, H, *_ = draw.choice(SIZES)  # noqa: E741
            name = f"{cell} {np.dtype(dtype)}, stepper of {layers} layers, I {I} H {H} B {B}, {setting}"
            yield name, lambda a=(cell, dtype, layers, I, H, B, setting): steps(*a)


def _text(size: tuple[int, ...]) -> str:
    return " ".join(f"{letter} {n}" for letter, n in zip("IHBT", size, strict=True))


def make(cell: str, dtype: type, I: int, H: int, **options: Any) -> Any:  # noqa: E741
    from tests.support.public import PUBLIC

    return PUBLIC[cell](I, H, dtype=dtype, seed=0, init="uniform", **options)


def sequences(
    cell: str, dtype: type, stack: str, sequence: str, size: tuple[int, ...], setting: Setting
) -> dict[str, Any]:
    import elman

    I, H, B, T = size  # noqa: E741
    layer = make(cell, dtype, I, H, **STACKS[stack])
    rng = np.random.default_rng(3)
    marks: dict[str, Any] = {}
    if "ragged" in sequence:
        marks["lengths"] = rng.integers(0, T + 1, B)
    if "masked" in sequence:
        marks["mask"] = rng.random((T, B)) < 0.7
    if "reset" in sequence:
        marks["reset"] = rng.random((T, B)) < 0.3
    x, dy = normal(0, dtype, T, B, I), normal(1, dtype, T, B, layer.directions * H)
    found = {}
    with setting(elman.set_num_threads):
        y, final = layer(x, **marks)
        found |= flat("called", (y, final))
        state, dstate = final, final
        y, final, backward = layer.forward(x, state, **marks)
        found |= flat("y", y) | flat("final", final)
        found |= flat("back", backward(dy, dstate)) | flat("grads", layer.grads)
        _, _, backward = layer.forward(x, **marks)  # a second time, added, and nothing else wanted
        found |= flat("less", backward(dy, need_dx=False, need_dstate=False)) | flat("added", layer.grads)
        layer.zero_grad()
        only = elman.optim.SGD(
            layer, 0.1, frozen=["weight_ih*", "bias_hh*"] if layer.bias else ["weight_hh*"]
        )
        with only.only():
            _, _, backward = layer.forward(x, **marks)
            found |= flat("frozen", backward(dy, dstate)) | flat("frozen grads", layer.grads)
    return found


def steps(cell: str, dtype: type, layers: int, I: int, H: int, B: int, setting: Setting) -> dict[str, Any]:  # noqa: E741
    import elman

    layer, rng = make(cell, dtype, I, H, num_layers=layers), np.random.default_rng(2)
    found, out = {}, np.empty((B, H), dtype)
    with setting(elman.set_num_threads):
        step = layer.stepper(B)
        for k in range(4):
            found |= flat(f"y{k}", step(normal(k, dtype, B, I), mask=rng.random(B) < 0.7 if k == 2 else None))
            if k == 1:
                step.reset(rng.random(B) < 0.5)
        found |= flat("out", step(normal(9, dtype, B, I), out).copy()) | flat("state", step.state)
        step.state = step.state
        found |= flat("after", step(normal(10, dtype, B, I)))
    return found
