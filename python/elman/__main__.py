"""`python -m elman`: what can be asked without a program."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from typing import Any

from . import files
from ._info import info


def show_info(_: argparse.Namespace) -> None:
    """Print version, instruction set, threads, caches."""
    show(info().items())


def describe(arguments: argparse.Namespace) -> None:
    """Print what a file holds that `save` or a run's checkpoint wrote: class, arguments, arrays."""
    try:
        content, arrays = files.read(arguments.file, "reading a file")
    except files.DamagedError as error:
        raise ValueError(f"file: expected one that elman wrote, got {arguments.file!r}: {error}") from error
    show([*facts(content), ("numbers", f"{sum(array.size for array in arrays.values()):,}")])
    print()
    show((name, f"{list(array.shape)} {array.dtype}") for name, array in sorted(arrays.items()))


def facts(content: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """Names and values; those of a dict within it as `outer.inner`, and long ones cut."""
    for name, value in content.items():
        if isinstance(value, dict) and value:
            yield from facts(value, f"{prefix}{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            yield prefix + name, text if len(text) <= 100 else f"{text[:96]} ..."


def show(lines: Iterable[tuple[str, Any]]) -> None:
    """Names and values in two columns."""
    lines = list(lines)
    width = max((len(name) for name, _ in lines), default=0)
    for name, value in lines:
        print(f"{name:{width}}  {value}")


def main(words: list[str] | None = None) -> int:
    """Run the command that `words` (or the program's arguments) name.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m elman", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, run, takes in (("info", show_info, ()), ("describe", describe, ("file",))):
        text = (run.__doc__ or "").strip()
        command = commands.add_parser(name, help=text[0].lower() + text[1:].rstrip("."), description=text)
        for argument in takes:
            command.add_argument(argument, metavar=argument.upper())
        command.set_defaults(run=run)
    arguments = parser.parse_args(words)
    try:
        arguments.run(arguments)
    except (OSError, ValueError, ImportError) as error:
        print(f"python -m elman: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
