"""How docstrings say it here, for griffe: `lengths, mask: which steps count` is said of both."""

from __future__ import annotations

import re
from typing import Any

import griffe

SEVERAL = re.compile(r"^([ \t]+)((?:[a-z_]\w*, )+[a-z_]\w*): (.*)$", re.MULTILINE)


def one_each(docstring: str) -> str:
    """The docstring with a line for each of several names. Lines that go on below belong to the last one."""

    def split(match: re.Match[str]) -> str:
        *before, last = match[2].split(", ")
        return "\n".join(
            [*(f"{match[1]}{name}: see `{last}`." for name in before), f"{match[1]}{last}: {match[3]}"]
        )

    return SEVERAL.sub(split, docstring)


class Docstrings(griffe.Extension):
    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = one_each(obj.docstring.value)
