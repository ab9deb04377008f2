"""What stands beside the recurrent layers: linear, embedding, attention, losses, optimisers."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from bench.bits import DTYPES, Case, Setting, flat, normal, settings

LINEAR = ((1, 1, 1), (5, 3, 7), (64, 17, 33), (3, 130, 40), (300, 40, 65), (33, 257, 100))  # rows, I, O
ATTENTION = ((1, 1, 1, 1), (3, 5, 2, 7), (9, 33, 5, 16), (20, 40, 3, 65))  # Tq, Tk, B, H
CLASSES = ((1, 1), (5, 3), (40, 17), (130, 65), (33, 1000))  # rows, C
SPELLED = ((3, 1, 2, 1), (9, 2, 4, 3), (30, 5, 12, 10), (60, 3, 40, 12))  # T, B, C, S


def cases() -> Iterator[Case]:
    kinds = (("linear", linear, LINEAR), ("attention", attention, ATTENTION), ("cross-entropy", classes, CLASSES),
             ("ctc", spelled, SPELLED), ("embedding", embedding, LINEAR))  # fmt: skip
    draw = random.Random(0)
    for (what, run, sizes), dtype in itertools.product(kinds, DTYPES):
        for size, setting in ((size, setting) for size in sizes for setting in settings(draw)):
            name = f"{what} {np.dtype(dtype)}, {'x'.join(map(str, size))}, {setting}"
            yield name, lambda run=run, a=(dtype, size, setting): run(*a)
    for rule, dtype in itertools.product(RULES, DTYPES):
        for setting in settings(draw):
            yield f"{rule} {np.dtype(dtype)}, {setting}", lambda a=(rule, dtype, setting): updates(*a)


def linear(dtype: type, size: tuple[int, ...], setting: Setting) -> dict[str, Any]:
    import elman

    rows, I, O = size  # noqa: E741
    layer, x, dy = (
        elman.Linear(I, O, dtype=dtype, seed=0),
        normal(0, dtype, rows, I),
        normal(1, dtype, rows, O),
    )
    with setting(elman.set_num_threads):
        found = flat("called", layer(x))
        y, backward = layer.forward(x)
        found |= flat("y", y) | flat("dx", backward(dy)) | flat("grads", layer.grads)
        _, backward = layer.forward(x)
        backward(dy, need_dx=False)
        return found | flat("added", layer.grads)


def embedding(dtype: type, size: tuple[int, ...], setting: Setting) -> dict[str, Any]:
    import elman

    rows, words, width = size
    layer = elman.layers.Embedding(words, width, dtype=dtype, seed=0)
    tokens = np.random.default_rng(0).integers(0, words, (rows, 3))
    with setting(elman.set_num_threads):
        y, backward = layer.forward(tokens)
        backward(normal(1, dtype, rows, 3, width))
        return flat("called", layer(tokens)) | flat("y", y) | flat("grads", layer.grads)


def attention(dtype: type, size: tuple[int, ...], setting: Setting) -> dict[str, Any]:
    import elman

    Tq, Tk, B, H = size
    rng = np.random.default_rng(2)
    query, memory, d = (normal(k, dtype, T, B, H) for k, T in enumerate((Tq, Tk, Tq)))
    found = {}
    with setting(elman.set_num_threads):
        for scaled in (False, True):
            layer = elman.layers.DotAttention(scaled=scaled)
            ends = (
                {}
                if not scaled
                else {"lengths": rng.integers(0, Tk + 1, B), "query_lengths": rng.integers(0, Tq + 1, B)}
            )
            context, backward = layer.forward(query, memory, **ends)
            found |= flat(f"context {scaled}", context) | flat(f"back {scaled}", backward(d))
            found |= flat(f"called {scaled}", layer(query, memory, **ends))
            found |= flat(f"weights {scaled}", layer.weights(query, memory, **ends))
    return found


def loss_of(name: str, loss: Any) -> dict[str, Any]:
    return flat(name, (loss.value, loss.gradient))


def classes(dtype: type, size: tuple[int, ...], setting: Setting) -> dict[str, Any]:
    import elman

    rows, C = size
    rng, logits = np.random.default_rng(0), 3 * normal(1, dtype, rows, 2, C)
    target, mask, weights = rng.integers(0, C, (rows, 2)), rng.random((rows, 2)) < 0.6, rng.random((rows, 2))
    shares = rng.random((rows, 2, C)).astype(dtype)
    shares /= shares.sum(-1, keepdims=True)
    cross_entropy = elman.losses.cross_entropy
    with setting(elman.set_num_threads):
        found = loss_of("plain", cross_entropy(logits, target))
        found |= loss_of("smooth", cross_entropy(logits, target, mask=mask, label_smoothing=0.1))
        found |= loss_of("weights", cross_entropy(logits, target, weights=weights, ignore=0))
        found |= loss_of("shares", cross_entropy(logits, shares))
        binary = elman.losses.binary_cross_entropy(logits, (shares > 0.5).astype(dtype))
        return (
            found
            | loss_of("value", cross_entropy(logits, target, gradient=False))
            | loss_of("binary", binary)
        )


def spelled(dtype: type, size: tuple[int, ...], setting: Setting) -> dict[str, Any]:
    import elman

    T, B, C, S = size
    rng, logits = np.random.default_rng(0), normal(1, dtype, T, B, C)
    target, ends = rng.integers(1, C, (B, S)), {"lengths": rng.integers(0, T + 1, B)}
    ends["target_lengths"] = rng.integers(0, S + 1, B)
    with setting(elman.set_num_threads):
        found = loss_of("plain", elman.losses.ctc(logits, target))
        found |= loss_of("ragged", elman.losses.ctc(logits, target, **ends, zero_infinity=True))
        return found | loss_of("weights", elman.losses.ctc(logits, target, weights=rng.random(B)))


RULES: dict[str, dict[str, Any]] = {
    "SGD": {},
    "SGD momentum": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    "RMSProp": {"momentum": 0.5},
    "Adam": {"groups": {"bias*": {"learning_rate": 1e-3}}},
    "AdamW": {"weight_decay": 0.1, "frozen": "weight_hh*"},
}


def updates(rule: str, dtype: type, setting: Setting) -> dict[str, Any]:
    import elman

    layer = elman.GRU(17, 65, dtype=dtype, seed=0)
    optimizer = getattr(elman.optim, rule.split()[0])(layer, 0.01, **RULES[rule])
    found = {}
    with setting(elman.set_num_threads):
        for k in range(3):
            for n, gradient in enumerate(layer.grads.values()):
                gradient[...] = normal(10 * k + n, dtype, *gradient.shape)
            found |= flat(f"norm{k}", elman.optim.clip_global_norm(layer, 5.0))
            optimizer.step()
        return found | flat("parameters", dict(layer.parameters))
