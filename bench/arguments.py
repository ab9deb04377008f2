"""What the programs of the bench are asked on their command lines."""

from __future__ import annotations

import argparse
import math

from bench.shapes import Shape


def whole(text: str) -> int:
    return _whole(text, 1)


def natural(text: str) -> int:
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text!r}")
    return value


def positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def threads(text: str) -> int:
    """Not more than processors: what would be measured then is the system's scheduler."""
    import elman  # here, because bench.compare chooses which

    value, most = whole(text), elman.info()["processors"]
    if value > most:
        raise argparse.ArgumentTypeError(f"expected at most {most}, as many as processors, got {text!r}")
    return value


def add_timing(parser: argparse.ArgumentParser, rounds: int, seconds: float) -> None:
    default = "(default: %(default)s)"
    parser.add_argument(
        "--threads", type=threads, help="of each contender (default: all that elman would use)"
    )
    parser.add_argument("--rounds", type=whole, default=rounds, help=f"turns of each contender {default}")
    parser.add_argument(
        "--seconds", type=positive, default=seconds, help=f"for each contender, shape and round {default}"
    )


def only(grid: list[Shape], wanted: str | None) -> list[Shape]:
    """The shapes of these ids and modes, separated by commas; all if nothing is wanted."""
    if wanted is None:
        return grid
    names = wanted.split(",")
    chosen = [shape for shape in grid if shape.id in names or shape.mode in names]
    if not chosen:
        raise SystemExit(f"--only: expected ids or modes of the shapes, got {wanted!r}")
    return chosen
