"""One tree's side: it runs the cases, and gives digests of what came out."""

from __future__ import annotations

import importlib.util
import itertools
import os
import traceback
import warnings
from collections.abc import Iterator
from typing import Any

from bench.compare import digest, use_tree

FAILED = "failed"  # in the place of results, where a case raised


def cases() -> Iterator[Any]:
    from bench.bits import beside, fits, recurrent

    yield from recurrent.cases()
    yield from beside.cases()
    yield from fits.cases()
    if importlib.util.find_spec(
        "torch"
    ):  # last: from the import of elman.torch on, elman runs on torch's threads
        from bench.bits import torch

        yield from torch.cases()


def serve(pipe: Any, tree: str, only: str) -> None:
    """Requests: ("run", n) -> (name, digests by name of result) of the next n cases; None: end."""
    os.environ["ELMAN_OVERSUBSCRIBE"] = "1"  # three threads on two processors
    warnings.simplefilter("ignore")
    use_tree(tree)
    left = (case for case in cases() if only in case[0])
    while (request := pipe.recv()) is not None:
        pipe.send([(name, outcome(run)) for name, run in itertools.islice(left, request[1])])


def outcome(run: Any) -> dict[str, str]:
    try:
        return {name: digest(array) for name, array in run().items()}
    except Exception as error:  # of a case that one of the trees cannot run
        return {FAILED: "".join(traceback.format_exception_only(error)).strip()}
