"""What runs where: instruction sets, threads, caches."""

from __future__ import annotations

import os
from typing import Any

from . import _core
from ._check import whole_number
from ._version import __version__
from .stack import gpu


def isas() -> list[str]:
    """The instruction sets of this build that this processor can run.

    Returns:
        Their names ("avx512", "avx2", "neon", "scalar"), best first.
    """
    return _core.isas()


def use_isa(name: str) -> None:
    """Run the kernels of the instruction set `name` from now on (also: environment variable ELMAN_ISA).

    A stepper keeps the set it was made with.

    Args:
        name: one of `isas()`.

    Raises:
        ValueError: `name` is not one of `isas()`.
    """
    _core.use_isa(name)


def num_threads() -> int:
    """How many threads a call may use.

    Returns:
        A whole number, never more than there are processors (`info()["processors"]`).
    """
    return _core.num_threads()


def set_num_threads(n: int) -> None:
    """Let a call use up to `n` threads (also: environment variable ELMAN_NUM_THREADS, else OMP_NUM_THREADS).

    More than there are processors are never used, whatever `n` is, because threads that wait for each other for a
    processor make a small call a hundred times slower. The default is one thread for each core (`info()["cores"]`):
    two hyper-threads share the multiply-add units of their core, which one keeps busy. Where the system refuses to
    start threads (a container's limit of processes, memory), a call runs on those there are, and a second later they
    are asked for again. No result depends on any of this.

    Args:
        n: at least 1.

    Raises:
        ValueError: `n` is not a whole number of at least 1.
    """
    _core.set_num_threads(min(whole_number("n", n, 1), _core.MOST_THREADS))


def _caches() -> dict[str, str]:
    """Sizes of the first processor's caches for data, where the system tells."""
    sizes = {f"L{level}": _core.cache_bytes("", level) for level in (1, 2, 3)}
    return {name: f"{size >> 10}K" for name, size in sizes.items() if size}


def _cuda() -> str:
    scans, why = gpu.find()
    if scans is None:
        return f"no: {why}"
    forced = os.environ.get("ELMAN_CUDA_SCHEDULE")
    return f"yes: {scans.device()['name']}, schedule {forced or 'by the cost model'}"


def info() -> dict[str, Any]:
    """Facts about this installation.

    Returns:
        A dict: `version`, `isa` (in use), `isas` (that could be), `threads` (that a call may use), `processors` (that
        this process may use at once: by its affinity, asked again each second, and by a container's quota of processor
        time, rounded up, as it was at the start), `cores` (the same, but hyper-threads of one core count once; asked of
        Linux, elsewhere as many as processors), `caches`, `cuda` ("yes" or "no", and what GPU or why not; the
        environment variable ELMAN_CUDA_SCHEDULE forces a schedule there).
    """
    return {
        "version": __version__,
        "isa": _core.isa(),
        "isas": isas(),
        "threads": num_threads(),
        "processors": _core.processors(),
        "cores": _core.cores(),
        "caches": _caches() or "unknown",
        "cuda": _cuda(),
    }
