"""The grid: shapes of real systems, their data and their arithmetic."""

from __future__ import annotations

import csv
import pathlib
from dataclasses import dataclass, fields, replace

import numpy as np


@dataclass(frozen=True)
class Shape:
    """One row of shapes.csv; its first lines say what the columns mean."""

    id: str
    system: str
    mode: str
    cell: str
    I: int  # noqa: E741
    H: int
    layers: int
    dirs: str
    B: int
    T: int
    ragged: float
    reset: float

    @property
    def directions(self) -> int:
        return 2 if self.dirs == "b" else 1

    @property
    def gates(self) -> int:
        from elman.stack.cells import (
            CELLS,  # here, because bench.compare reads this file beside older versions
        )

        return len(CELLS[self.cell].gates)

    @property
    def dtype(self) -> type:
        return np.float64 if "float64" in self.system else np.float32

    @property
    def weights(self) -> int:
        """How many there are, biases aside."""
        inputs = [self.I] + [self.H * self.directions] * (self.layers - 1)
        return sum(self.gates * self.H * (width + self.H) * self.directions for width in inputs)

    def flops(self, data: Data) -> float:
        """Floating-point operations of the products, over the steps that exist; training takes three times
        the forward pass (inputs, states and weights each have a product as large)."""
        return 2 * self.weights * data.steps * (3 if self.mode == "train" else 1)


@dataclass
class Data:
    x: np.ndarray  # [T, B, I]
    dy: np.ndarray  # [T, B, D * H]
    lengths: np.ndarray | None
    reset: np.ndarray | None

    @property
    def steps(self) -> int:
        T, B, _ = self.x.shape
        return T * B if self.lengths is None else int(self.lengths.sum())


def read(path: pathlib.Path) -> list[Shape]:
    with open(path) as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        types = {"int": int, "float": float, "str": str}
        found = [Shape(**{f.name: types[f.type](row[f.name]) for f in fields(Shape)}) for row in rows]
    # In a grid "rnn" is what it is in torch.nn: the one with tanh.
    return [replace(shape, cell="rnn_tanh") if shape.cell == "rnn" else shape for shape in found]


def make_data(shape: Shape) -> Data:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((shape.T, shape.B, shape.I)).astype(shape.dtype)
    dy = rng.standard_normal((shape.T, shape.B, shape.H * shape.directions)).astype(shape.dtype)
    lengths = reset = None
    if shape.ragged < 1:
        lengths = rng.integers(int(shape.ragged * shape.T), shape.T + 1, shape.B)
        dy[np.arange(shape.T)[:, None] >= lengths] = 0
    if shape.reset > 0:
        reset = rng.random((shape.T, shape.B)) < shape.reset
    return Data(x, dy, lengths, reset)


def make_weights(shape: Shape) -> dict[str, np.ndarray]:
    """torch's names and initial distribution."""
    rng = np.random.default_rng(1)
    rows, limit = shape.gates * shape.H, 1 / np.sqrt(shape.H)
    weights = {}
    for k in range(shape.layers):
        inputs = shape.I if k == 0 else shape.H * shape.directions
        for end in ("", "_reverse")[: shape.directions]:
            sizes = {
                "weight_ih": (rows, inputs),
                "weight_hh": (rows, shape.H),
                "bias_ih": (rows,),
                "bias_hh": (rows,),
            }
            for name, size in sizes.items():
                weights[f"{name}_l{k}{end}"] = rng.uniform(-limit, limit, size).astype(shape.dtype)
    return weights
