"""What a layer or a model is made of, as a table of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np


class Part(Protocol):
    """A layer."""

    @property
    def parameters(self) -> Mapping[str, np.ndarray]: ...
    def _shapes(self) -> str: ...


def summary(whole: Part) -> str:
    """A line for each layer: its name, what it is, the shapes it reads and gives, how many parameters it has and their
    bytes; and the sum of these."""
    rows, first = [("layer", "", "shapes", "parameters", "bytes")], dict[int, str]()
    count = size = 0
    for name, part in _leaves(whole, ""):
        known = first.setdefault(id(part), name)
        if known != name:  # a layer that is used twice has its parameters once
            rows.append((name, f"is {known}", part._shapes(), "", ""))
            continue
        numbers = sum(value.size for value in part.parameters.values())
        held = sum(value.nbytes for value in part.parameters.values())
        rows.append((name, repr(part), part._shapes(), f"{numbers:,}", f"{held:,}"))
        count, size = count + numbers, size + held
    rows.append(("total", "", "", f"{count:,}", f"{size:,}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(_fill(row, widths)).rstrip() for row in rows]
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def _fill(row: tuple[str, ...], widths: list[int]) -> list[str]:
    """Words begin, and numbers end, one below the other."""
    return [
        text.ljust(width) if i < 3 else text.rjust(width)
        for i, (text, width) in enumerate(zip(row, widths, strict=True))
    ]


def _leaves(part: Any, name: str) -> Iterator[tuple[str, Part]]:
    parts = getattr(part, "parts", None)
    if parts is None:
        yield name or type(part).__name__, part
        return
    for key, inner in parts.items():
        yield from _leaves(inner, f"{name}.{key}".lstrip("."))
