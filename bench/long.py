"""`python -m bench.long`: cells without a recurrent product on long sequences, beside parallel scans on PyTorch.
Results are compared first; times are the least of many turns."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import elman
from bench.cells import least
from bench.limits import Limits
from elman import cells

CELLS = {"min_gru": cells.min_gru(candidate="linear"), "lru": cells.lru, "rg_lru": cells.rg_lru}


def scan(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """h[t] = a[t] h[t - 1] + b[t] over the first axis, in log2(T) passes over whole arrays (Hillis & Steele 1986), as
    packages for PyTorch have it where there is no kernel for the GPU."""
    step = 1
    while step < len(a):
        b = torch.cat([b[:step], a[step:] * b[:-step] + b[step:]])
        a = torch.cat([a[:step], a[step:] * a[:-step]])
        step *= 2
    return b


class Scanned(torch.nn.Module):
    """A cell as a product and a parallel scan, with a layer's weights."""

    def __init__(self, cell: str, layer: Any):
        super().__init__()
        self.cell = cell
        for name, value in layer.parameters.items():
            self.register_parameter(name.removesuffix("_l0"), torch.nn.Parameter(torch.tensor(value)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        slots = torch.nn.functional.linear(x, self.weight_ih, self.bias_ih)
        return getattr(self, self.cell)(slots)

    def min_gru(self, slots: torch.Tensor) -> torch.Tensor:
        z, n = slots.chunk(2, -1)
        z = torch.sigmoid(z)
        return scan(1 - z, z * n)

    def lru(self, slots: torch.Tensor) -> torch.Tensor:
        re, im = slots.chunk(2, -1)
        decay, angle = torch.exp(self.nu), 2 * torch.arctan(self.t)
        scale = torch.sqrt(1 - torch.exp(-2 * decay))
        a = torch.polar(torch.exp(-decay), angle).expand(re.shape)
        return scan(a, torch.complex(scale * re, scale * im)).real

    def rg_lru(self, slots: torch.Tensor) -> torch.Tensor:
        r, i, x = slots.chunk(3, -1)
        decay = 8 * torch.nn.functional.softplus(self.rate) * torch.sigmoid(r)
        return scan(torch.exp(-decay), torch.sqrt(-torch.expm1(-2 * decay)) * (torch.sigmoid(i) * x))


def contenders(cell: str, layer: Any, x: np.ndarray, training: bool) -> dict[str, Callable[[], Any]]:
    theirs = Scanned(cell, layer)
    dy = np.ones((*x.shape[:2], layer.hidden_size), np.float32)

    def ours() -> Any:
        if not training:
            return [layer(x)[0]]
        layer.zero_grad()
        y, _, backward = layer.forward(x)
        return [y, backward(dy)[0], layer.grads["weight_ih_l0"]]

    def scanned() -> Any:
        with torch.set_grad_enabled(training):
            read = torch.from_numpy(x).requires_grad_(training)
            theirs.zero_grad()
            y = theirs(read)
            if not training:
                return [y.numpy()]
            y.sum().backward()
            return [y.detach().numpy(), read.grad.numpy(), theirs.weight_ih.grad.numpy()]

    for got, want in zip(ours(), scanned(), strict=True):
        off = float(np.abs(got - want).max() / max(1.0, np.abs(want).max()))
        if not off <= 1e-3:
            raise SystemExit(f"{cell}: results differ by {off:.1e}")
    return {"elman": ours, "scan": scanned}


def rows(chosen: list[str], sizes: list[tuple[int, int, int]], seconds: float, threads: int) -> None:
    """Bytes: of the slots that the recurrence reads, and of the results; the product's time is that of a Linear."""
    limits = Limits(threads)
    print(
        "\n| cell, T, B, H | elman ms | without the product | of memory's rate | scan |\n|---|---|---|---|---|"
    )
    for cell, (T, B, H), training in itertools.product(chosen, sizes, (False, True)):
        layer = elman.Recurrent(CELLS[cell], H, H, seed=0)
        x = np.random.default_rng(0).standard_normal((T, B, H)).astype(np.float32)
        runs = contenders(cell, layer, x, training)
        slots = len(CELLS[cell].slots)
        linear = elman.Linear(H, slots * H)
        runs["product"] = lambda linear=linear, x=x: linear(x)
        times = dict(zip(runs, least(list(runs.values()), seconds, warm=T < 50_000), strict=True))
        left, share = "", ""
        if not training:
            rest = times["elman"] - times["product"]
            size = 4 * T * B * H * (slots + 1)
            left = f"{1e3 * rest:.2f}"
            # Else the Linear, which writes to memory what the layer keeps in a cache, took longer.
            if rest > 0:
                share = f"{size / (1e9 * rest) / limits.bandwidth(max(size, 8 * limits.caches['L3'])):.2f}"
        name = f"{cell}, {T:,}, {B}, {H}{', trained' * training}"
        ratio = times["scan"] / times["elman"]
        print(f"| {name} | {1e3 * times['elman']:.2f} | {left} | {share} | {ratio:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.long", description=__doc__)
    parser.add_argument("--cells", nargs="*", choices=CELLS, default=list(CELLS))
    parser.add_argument("--steps", nargs="*", type=int, default=[1000, 10_000, 100_000])
    parser.add_argument("--units", nargs="*", type=int, default=[64, 512])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each row")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    elman.set_num_threads(given.threads)
    sizes = [
        (T, given.batch, H) for T, H in itertools.product(given.steps, given.units) if T * H <= 10_000_000
    ]
    rows(given.cells, sizes, given.seconds, given.threads)


if __name__ == "__main__":
    main()
