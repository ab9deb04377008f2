"""The grid: shapes of real systems, their data and their arithmetic."""

from __future__ import annotations

import csv
import pathlib
from dataclasses import dataclass, fields

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
    """The shapes of a file; a ValueError says what does not fit where."""
    with open(path) as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    names = [f.name for f in fields(Shape)]
    if missing := [name for name in names if rows and rows[0].get(name) is None] or ([] if rows else names):
        raise ValueError(f"{path}: expected the columns {', '.join(names)}, got none of {', '.join(missing)}")
    return [_shape(path, row) for row in rows]


def _shape(path: pathlib.Path, row: dict[str, str]) -> Shape:
    from elman.stack.cells import CELLS

    # In a grid "rnn" is what it is in torch.nn: the one with tanh.
    row = row | {"cell": "rnn_tanh"} if row["cell"] == "rnn" else row
    types = {"int": int, "float": float, "str": str}
    choices = {"cell": list(CELLS), "mode": ["step", "infer", "train"], "dirs": ["f", "r", "b"]}
    values = {}
    for f in fields(Shape):
        try:
            value = values[f.name] = types[f.type](row[f.name])
        except (TypeError, ValueError):
            value = None
        good = (
            value is not None and (f.type != "int" or value >= 1) and (f.type != "float" or 0 <= value <= 1)
        )
        if not good or value not in choices.get(f.name, [value]):
            kinds = {"int": "a whole number of at least 1", "float": "a number from 0 to 1", "str": "a text"}
            want = ", ".join(choices.get(f.name, [kinds[f.type]]))
            raise ValueError(f"{path}, row {row['id']}: {f.name}: expected {want}, got {row[f.name]!r}")
    shape = Shape(**values)
    if shape.mode == "step" and (shape.T, shape.dirs, shape.ragged, shape.reset) != (1, "f", 1, 0):
        got = f"T {shape.T}, dirs {shape.dirs}, ragged {shape.ragged:g}, reset {shape.reset:g}"
        raise ValueError(
            f"{path}, row {shape.id}: mode step: expected T 1, dirs f, ragged 1, reset 0, got {got}"
        )
    return shape


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
