"""`python -m bench.scaling`: how the grid would run on more threads than this machine has, by counting.

For each row: how the engine's cost model parts it (segments x units, "a" where the x-part is computed ahead; of
training, forward / backward), how many threads it uses, how much faster than one thread that is, the share of the
time in which its threads wait, and what the first thread reads of the recurrent kernels' weights in a call, from where.
With --measure also what the call takes here, for as many threads as there are processors.
"""

from __future__ import annotations

import argparse
import pathlib

import elman
from bench import shapes
from bench.arguments import only, positive, whole
from bench.constants import Constants, best_ns, prepare
from bench.simulation import Account, Simulation
from elman import _core


def parts(simulation: Simulation) -> str:
    """Of the last layer."""
    return " / ".join(
        f"{cut['segment_parts']}x{cut['unit_parts']}{'a' if cut['ahead'] else ''}"
        for cut in simulation.cuts.values()
    )


def read_of(account: Account) -> str:
    """Bytes by memory, the largest first."""
    return ", ".join(f"{size / 2**20:.2f} {level}" for level, size in account.read.most_common())


def counts(text: str) -> list[int]:
    numbers = [whole(part) for part in text.split(",")]
    if max(numbers) > _core.MOST_THREADS:
        raise argparse.ArgumentTypeError(f"expected at most {_core.MOST_THREADS}, got {max(numbers)}")
    return numbers


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__)
    grid = pathlib.Path(__file__).with_name("shapes.csv")
    parser.add_argument(
        "--csv", type=pathlib.Path, default=grid, help="shapes, in the form of bench/shapes.csv"
    )
    parser.add_argument("--only", help="ids or modes, separated by commas")
    parser.add_argument("--threads", type=counts, default="2,4,8,16,64", help="numbers, separated by commas")
    parser.add_argument(
        "--constants", type=pathlib.Path, help="JSON: read, or measured and written if there is none"
    )
    parser.add_argument(
        "--memory",
        type=positive,
        help="GB/s that memory gives all threads together (default: what it gives here)",
    )
    parser.add_argument(
        "--measure", action="store_true", help="also time what fits this machine's processors"
    )
    return parser.parse_args()


def main() -> None:
    options = arguments()
    try:
        grid = shapes.read(options.csv)
    except (OSError, ValueError) as error:
        raise SystemExit(f"--csv: {error}") from None
    grid = only(grid, options.only)
    constants = Constants.kept(options.constants)
    constants.memory = options.memory or constants.memory
    print(constants.table())
    columns = ["shape", "mode", "threads", "parts", "used", "us counted", "speed-up", "idle", "MB read, from"]
    columns += ["us here", "here / counted"] if options.measure else []
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for shape in grid:
        data = shapes.make_data(shape)
        alone = Simulation(shape, data, 1, constants).run().ns
        for threads in options.threads:
            simulation = Simulation(shape, data, threads, constants)
            account = simulation.run()
            cells = [
                shape.id, shape.mode, str(threads), parts(simulation), str(account.used), f"{account.ns / 1000:,.1f}",
                f"{alone / account.ns:.1f}", f"{account.idle:.0%}", read_of(account),
            ]  # fmt: skip
            if options.measure and threads <= elman.info()["processors"]:
                ns = best_ns(prepare(shape, threads, data), 0.5)
                cells += [f"{ns / 1000:,.1f}", f"{ns / account.ns:.2f}"]
            elif options.measure:
                cells += ["", ""]
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
