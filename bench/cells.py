"""`python -m bench.cells`: the drop-in's cells called in a loop, and layers of one step, beside torch.nn's, with and
without gradients: microseconds of a step on one thread, the least of many turns in which both run, and the worst."""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable

import torch

import elman.torch

KINDS = ("LSTMCell", "GRUCell", "RNNCell", "LSTM", "GRU", "RNN")


def loop(module: torch.nn.Module, xs: list[torch.Tensor], gradients: bool) -> Callable[[], None]:
    """All steps of a sequence, and then the way back."""

    def run() -> None:
        state = None
        with torch.set_grad_enabled(gradients):
            for x in xs:
                state = module(x, state) if x.dim() == 2 else module(x, state)[1]
        if gradients:
            (state[0] if isinstance(state, tuple) else state).sum().backward()
            module.zero_grad()

    return run


def least(runs: list[Callable[[], object]], seconds: float, warm: bool = False) -> list[float]:
    """The least time of each, in turns; `warm`: of a second run, for which the first has filled the caches."""
    best = [float("inf")] * len(runs)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for n, run in enumerate(runs):
            if warm:
                run()
            begin = time.perf_counter()
            run()
            best[n] = min(best[n], time.perf_counter() - begin)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cells", description=__doc__)
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=KINDS)
    parser.add_argument("--units", nargs="*", type=int, default=[8, 16, 32, 64, 128, 256, 512])
    parser.add_argument("--batches", nargs="*", type=int, default=[1, 4, 16, 64])
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each row")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    ratios = {False: [], True: []}
    print(f"{'':28}{'torch':>10}{'elman':>10}{'ratio':>8}")
    grid = itertools.product(arguments.kinds, arguments.units, arguments.batches, (False, True))
    for kind, H, B, gradients in grid:
        theirs, ours = (getattr(library, kind)(H, H) for library in (torch.nn, elman.torch))
        ours.load_state_dict(theirs.state_dict())
        xs = [torch.randn(*(() if kind.endswith("Cell") else (1,)), B, H) for _ in range(arguments.steps)]
        times = least([loop(module, xs, gradients) for module in (theirs, ours)], arguments.seconds)
        name = f"{kind} {H}, B {B}{', trained' * gradients}"
        ratios[gradients].append((times[0] / times[1], name))
        us = [1e6 * one / arguments.steps for one in times]
        print(f"{name:28}{us[0]:10.1f}{us[1]:10.1f}{us[0] / us[1]:8.2f}", flush=True)
    for gradients, found in ratios.items():
        print(f"\nworst {'with' if gradients else 'without'} gradients:")
        for ratio, name in sorted(found)[:8]:
            print(f"{name:28}{ratio:28.2f}")


if __name__ == "__main__":
    main()
