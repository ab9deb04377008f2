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
    dtype: type = np.float32  # a file may leave this column out

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


KINDS = {"int": "a whole number of at least 1", "float": "a number from 0 to 1", "str": "a text"}
DTYPES = {"float32": np.float32, "float64": np.float64}


def read(path: pathlib.Path) -> list[Shape]:
    """The shapes of a file; a ValueError says what does not fit where."""
    with open(path, encoding="utf-8-sig") as file:
        reader = csv.DictReader(line for line in file if line.strip() and not line.startswith("#"))
        rows, head = list(reader), reader.fieldnames or []
    names = [f.name for f in fields(Shape) if f.name != "dtype"]
    if missing := [name for name in names if name not in head]:
        raise ValueError(f"{path}: expected the columns {', '.join(names)}, got none of {', '.join(missing)}")
    if not rows:
        raise ValueError(f"{path}: expected rows below the columns' names, got none")
    shapes = [_shape(path, row) for row in rows]
    ids = [shape.id for shape in shapes]
    if twice := [name for name in dict.fromkeys(ids) if ids.count(name) > 1]:
        raise ValueError(f"{path}: expected ids that differ, got {', '.join(twice)} more than once")
    return shapes


def _shape(path: pathlib.Path, row: dict[str, str]) -> Shape:
    from elman.stack.cells import CELLS

    # In a grid "rnn" is what it is in torch.nn: the one with tanh.
    row = row | {"cell": "rnn_tanh"} if row["cell"] == "rnn" else row
    choices = {"cell": [*CELLS, "rnn"], "mode": ["step", "infer", "train"], "dirs": ["f", "r", "b"]}
    values = {}
    for f in fields(Shape):
        text = row.get(f.name)
        if f.name == "dtype":
            text = text or "float32"
        value, want = _value(text, f.type, choices.get(f.name))
        if value is None:
            raise ValueError(f"{path}, row {row['id']}: {f.name}: expected {want}, got {text!r}")
        values[f.name] = value
    shape = Shape(**values)
    if shape.mode == "step" and (shape.T, shape.dirs, shape.ragged, shape.reset) != (1, "f", 1, 0):
        got = f"T {shape.T}, dirs {shape.dirs}, ragged {shape.ragged:g}, reset {shape.reset:g}"
        raise ValueError(
            f"{path}, row {shape.id}: mode step: expected T 1, dirs f, ragged 1, reset 0, got {got}"
        )
    return shape


def _value(text: str | None, kind: str, choices: list[str] | None) -> tuple[object, str]:
    """What a field says, None if it does not fit; and what was expected."""
    if kind == "type":
        return DTYPES.get(text), ", ".join(DTYPES)
    want = ", ".join(choices) if choices else KINDS[kind]
    try:
        value = {"int": int, "float": float, "str": str}[kind](text) if text is not None else None
    except ValueError:
        value = None
    bad = value is None or (kind == "int" and value < 1) or (kind == "float" and not 0 <= value <= 1)
    return (None if bad or (choices and value not in choices) else value), want


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
