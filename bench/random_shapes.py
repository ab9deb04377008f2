"""Shapes that nobody chose. The same seed gives the same ones, and fewer of them are the first of more."""

from __future__ import annotations

import dataclasses
import random

from bench.shapes import Shape

SMALLEST, LARGEST = 8, 1536  # I and H
WEIGHTS = 2**26  # of a row, at most
# Floating-point operations of a row, at most: some tenths of a second of PyTorch on two cores. A step reads all
# weights, so one of few sequences counts as one of 16.
WORK, FEW = 1e10, 16


def draw(count: int, seed: int) -> list[Shape]:
    """`count` shapes. Each doubling of a size is as likely as any other; an id says all that there is to say."""
    source = random.Random(seed)
    return [_one(source) for _ in range(count)]


def _one(source: random.Random) -> Shape:
    def size(least: int, most: int) -> int:
        return min(most, int(least * ((most + 1) / least) ** source.random()))

    def one_of(*values: str) -> str:
        return values[int(source.random() * len(values))]

    cell, mode, dirs = (
        one_of("rnn_tanh", "lstm", "gru"),
        one_of("step", "infer", "train"),
        one_of("f", "r", "b"),
    )
    I, H, layers = size(SMALLEST, LARGEST), size(SMALLEST, LARGEST), 1 + int(source.random() * 3)  # noqa: E741
    B, T = size(1, 128), size(1, 200)
    ragged, reset, special = (
        round(0.1 + 0.7 * source.random(), 2),
        round(0.05 * source.random(), 3),
        source.random(),
    )
    if mode == "step":
        dirs, T = "f", 1
    shape = Shape("", "", mode, cell, I, H, layers, dirs, B, T, 1.0, 0.0)
    while shape.weights > WEIGHTS:
        shape = dataclasses.replace(shape, layers=shape.layers - 1)
    step = 2 * shape.weights * max(B, FEW) * (3 if mode == "train" else 1)
    shape = dataclasses.replace(shape, T=max(1, min(T, int(WORK / step))))
    # Where PyTorch has such a thing: packed sequences there and both ways, resets there.
    if special < 0.4 and dirs in "fb" and int(ragged * shape.T) >= 1:
        shape = dataclasses.replace(shape, ragged=ragged)
    elif special >= 0.6 and dirs == "f" and mode != "step":
        shape = dataclasses.replace(shape, reset=reset)
    return dataclasses.replace(shape, id=described(shape))


def described(shape: Shape) -> str:
    text = f"{shape.cell} I{shape.I} H{shape.H} L{shape.layers}{shape.dirs} B{shape.B} T{shape.T}"
    ragged = f" ragged {shape.ragged:g}" if shape.ragged < 1 else ""
    return text + ragged + (f" reset {shape.reset:g}" if shape.reset else "")
