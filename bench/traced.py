"""`python -m bench.traced`: cells that are traced, forward and in training, beside loops of PyTorch over the same
equations, the same compiled by inductor, ONNX Runtime where it has the cell, and elman's compiled cells. Microseconds
of a step on one thread, as a table; results are compared first. In each of many turns every contender runs twice, and
the second time counts: the first brings what it reads back into the caches after the others."""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import elman
from bench.cells import least
from bench.traced_cells import CELLS, OWN, Loop, in_onnxruntime

TWINS = {"lstm": elman.LSTM, "gru": elman.GRU}
# Cells of several stages, and the compiled layer that is nearest.
PLAIN = {"gru_before": elman.GRU, "layer_norm_lstm": elman.LSTM}


def ours(layer: Any, x: np.ndarray, scalars: dict[str, np.ndarray], training: bool) -> Callable[[], Any]:
    dy = np.ones((*x.shape[:2], layer.hidden_size), np.float32)

    def infer() -> Any:
        return layer(x, **scalars)[0]

    def train() -> Any:
        layer.zero_grad()
        y, _, backward = layer.forward(x, **scalars)
        return y, backward(dy)[0]

    return train if training else infer


def theirs(loop: Any, x: np.ndarray, scalars: dict[str, np.ndarray], training: bool) -> Callable[[], Any]:
    given = {name: torch.from_numpy(value) for name, value in scalars.items()}

    def infer() -> Any:
        with torch.no_grad():
            return loop(torch.from_numpy(x), **given).numpy()

    def train() -> Any:
        read = torch.from_numpy(x).requires_grad_()
        loop.zero_grad()
        y = loop(read, **given)
        y.sum().backward()
        return y.detach().numpy(), read.grad.numpy()

    return train if training else infer


def same(name: str, want: Any, got: Any) -> None:
    for one, other in zip(*((r if isinstance(r, tuple) else (r,)) for r in (want, got)), strict=True):
        scale = max(1.0, float(np.abs(one).max()))
        off = float(np.abs(one - other).max()) / scale
        if not off <= 1e-4:
            raise SystemExit(f"{name}: results differ by {off:.1e}")


def contenders(
    cell: str, H: int, B: int, T: int, training: bool, compiled: str
) -> dict[str, Callable[[], Any]]:
    definition = CELLS[cell]
    layer = elman.Recurrent(definition, H, H, seed=0, init="uniform")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((T, B, H)).astype(np.float32)
    scalars = {name: rng.uniform(0.2, 1.5, (T, B)).astype(np.float32) for name in definition.scalars}
    runs = {
        "elman": ours(layer, x, scalars, training),
        "stepwise": theirs(Loop(cell, layer, ahead=False), x, scalars, training),
        "loop": theirs(Loop(cell, layer), x, scalars, training),
    }
    if compiled != "none":
        torch._dynamo.reset()
        fast = Loop(cell, layer)
        if compiled == "step":
            fast.step = torch.compile(fast.step)
        else:
            fast.forward = torch.compile(fast.forward)
        runs["inductor"] = theirs(fast, x, scalars, training)
    if not training and (session := in_onnxruntime(cell, layer)):
        runs["onnxruntime"] = lambda: session(x)
    want = runs["elman"]()
    for name, run in runs.items():
        same(f"{cell} {name}", want, run())
    return runs


def label(cell: str, H: int, B: int, training: bool) -> str:
    return f"{cell} {H}, B {B}{', trained' * training}"


def header(columns: list[str]) -> None:
    print(
        f"\n| cell, H, B | elman us | {' | '.join(columns)} |\n|---|---|{'---|' * len(columns)}", flush=True
    )


def row(
    name: str, runs: dict[str, Callable[[], Any]], columns: list[str], T: int, seconds: float
) -> dict[str, float]:
    """Prints a line of the table: elman's time of a step, and how many times as long the others take."""
    times = dict(zip(runs, least(list(runs.values()), seconds, warm=True), strict=True))
    ratios = {key: value / times["elman"] for key, value in times.items() if key != "elman"}
    shown = " | ".join(f"{ratios[key]:.2f}" if key in ratios else "" for key in columns)
    print(f"| {name} | {1e6 * times['elman'] / T:.2f} | {shown} |", flush=True)
    return ratios


def twin_rows(units: list[int], batches: list[int], T: int, seconds: float) -> None:
    """Traced LSTM and GRU over the compiled ones: below 1 the traced one takes longer."""
    header(["compiled"])
    for (cell, kind), H, B, training in itertools.product(TWINS.items(), units, batches, (False, True)):
        layer, twin = elman.Recurrent(OWN[cell], H, H, seed=0), kind(H, H, seed=0)
        twin.load_state_dict(layer.state_dict())
        x = np.random.default_rng(0).standard_normal((T, B, H)).astype(np.float32)
        runs = {"elman": ours(layer, x, {}, training), "compiled": ours(twin, x, {}, training)}
        same(cell, runs["elman"](), runs["compiled"]())
        row(label(cell, H, B, training), runs, ["compiled"], T, seconds)


def plain_rows(chosen: list[str], units: list[int], batches: list[int], T: int, seconds: float) -> None:
    """Cells of several stages over the plain layer, whose results are others: below 1 they take longer."""
    header(["plain"])
    cells = [cell for cell in PLAIN if cell in chosen]
    for cell, H, B, training in itertools.product(cells, units, batches, (False, True)):
        layer, plain = elman.Recurrent(CELLS[cell], H, H, seed=0), PLAIN[cell](H, H, seed=0)
        x = np.random.default_rng(0).standard_normal((T, B, H)).astype(np.float32)
        runs = {"elman": ours(layer, x, {}, training), "plain": ours(plain, x, {}, training)}
        row(label(cell, H, B, training), runs, ["plain"], T, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.traced", description=__doc__)
    parser.add_argument("--cells", nargs="*", choices=CELLS, default=list(CELLS))
    parser.add_argument("--units", nargs="*", type=int, default=[128, 512])
    parser.add_argument("--batches", nargs="*", type=int, default=[1, 32])
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each row")
    parser.add_argument(
        "--compile", choices=["step", "loop", "none"], default="step", help="what inductor is given"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    elman.set_num_threads(1)
    found: dict[str, list[float]] = {}
    columns = ["stepwise", "loop", "onnxruntime"]
    if arguments.compile != "none":
        columns.insert(2, "inductor")
    header(columns)
    for cell, H, B, training in itertools.product(
        arguments.cells, arguments.units, arguments.batches, (False, True)
    ):
        runs = contenders(cell, H, B, arguments.steps, training, arguments.compile)
        name = label(cell, H, B, training)
        for key, ratio in row(name, runs, columns, arguments.steps, arguments.seconds).items():
            found.setdefault(key, []).append(ratio)
    print()
    for key, ratios in found.items():
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print(f"{key}: geometric mean {mean:.2f}, least {min(ratios):.2f}")
    sizes = arguments.units, arguments.batches, arguments.steps, arguments.seconds
    plain_rows(arguments.cells, *sizes)
    twin_rows(*sizes)


if __name__ == "__main__":
    main()
