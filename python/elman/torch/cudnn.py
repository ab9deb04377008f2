"""Where cuDNN, behind torch.nn, is faster on a GPU than the scans: there a layer runs torch.nn's own code.

cudnn.csv has what both took for a layer of each size, microseconds a step, on the GPU that docs/gpu.md names. Between
its sizes both are interpolated, and a call goes to what should take less time. ELMAN_CUDNN=never keeps to the scans,
and so does torch.use_deterministic_algorithms: cuDNN gives other bits from run to run.
"""

from __future__ import annotations

import bisect
import csv
import functools
import math
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from . import gpu
from .fallback import tracing

# Microseconds that a call of the scans takes beyond one of cuDNN: Python's, where no graph holds the call, and the
# GPU's, which brings weights into shared memory.
CALL, LAYER = 60.0, 6.0
Times = tuple[float, float]  # the scans', cuDNN's

never = os.environ.get("ELMAN_CUDNN") == "never" or "ELMAN_CUDA_SCHEDULE" in os.environ


def faster(module: Any, weights: Sequence[Tensor], x: Any, more: bool) -> bool:
    """Whether this call should run torch.nn's own code. `more`: it has what torch.nn does not know."""
    weight = weights[0]
    if more or weight.device.type != "cuda" or never or isinstance(x, PackedSequence) or module.proj_size:
        return False
    if x.dim() < 2 or torch.are_deterministic_algorithms_enabled() or not torch.backends.cudnn.enabled:
        return False
    if torch.is_autocast_enabled("cuda") or weight.dtype not in gpu.TYPES or tracing():
        return False
    T, B = (x.shape[1], x.shape[0]) if module.batch_first else (x.shape[0], x.shape[1])
    if x.dim() == 2:
        T, B = x.shape[0], 1
    train = torch.is_grad_enabled() and (x.requires_grad or any(one.requires_grad for one in weights))
    return saved(_task(module, gpu.Tensors(weight).dtype, B, train), T) > 0


def saved(task: tuple[Any, ...], T: int) -> float:
    """Microseconds that cuDNN saves in a call of T steps, by the table; less than 0 where it takes longer."""
    cell, dtype, train, I, H, B, layers, directions = task  # noqa: E741
    alone = layers == 1 and directions == 1 and I % 128 == 0 and H % 128 == 0 and B % 8 == 0
    ours, theirs = _times(cell, dtype, train, H, B)
    if directions == 2:  # the scans take both at the same time, as a batch twice as large
        ours = _times(cell, dtype, train, H, 2 * B)[0]
        theirs *= 2
    if dtype == "float16" and not alone:  # cuDNN has its fast algorithm for none of these
        theirs = max(theirs, _times(cell, "bfloat16", train, H, B)[1] * directions)
    call = 0.0 if torch.cuda.is_available() and torch.cuda.is_current_stream_capturing() else CALL
    return layers * (T * (ours - theirs) + LAYER) + call


def _task(module: Any, dtype: str, B: int, train: bool) -> tuple[Any, ...]:
    directions = 2 if module.bidirectional else 1
    sizes = (module.input_size, module.hidden_size, B, module.num_layers, directions)
    return (module.mode.lower(), dtype, train, *sizes)


def _times(cell: str, dtype: str, train: bool, H: int, B: int) -> Times:
    cell = "rnn_tanh" if cell == "rnn_relu" else cell
    table = _table().get((cell, dtype, train))
    if table is None:
        return 0.0, math.inf
    return _between(table, math.log2(H), math.log2(B))


@functools.lru_cache(1)
def _table() -> dict[tuple[str, str, bool], dict[tuple[int, int], Times]]:
    found: dict[tuple[str, str, bool], dict[tuple[int, int], Times]] = {}
    with open(pathlib.Path(__file__).with_name("cudnn.csv")) as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            sizes = found.setdefault((row["cell"], row["dtype"], row["train"] == "1"), {})
            sizes[int(row["H"]), int(row["B"])] = float(row["ours"]), float(row["theirs"])
    return found


def _between(table: dict[tuple[int, int], Times], h: float, b: float) -> Times:
    """Interpolated along the logarithms of H and B; at the borders what is nearest."""
    (H0, H1, part_h), (B0, B1, part_b) = (
        _around(sorted({key[i] for key in table}), at) for i, at in enumerate((h, b))
    )

    def mixed(which: int) -> float:
        along = [
            math.log(table[H, B0][which]) * (1 - part_b) + math.log(table[H, B1][which]) * part_b
            for H in (H0, H1)
        ]
        return math.exp(along[0] * (1 - part_h) + along[1] * part_h)

    return mixed(0), mixed(1)


def _around(sizes: list[int], at: float) -> tuple[int, int, float]:
    """The sizes below and above, and how far from one to the other."""
    logs = [math.log2(size) for size in sizes]
    i = min(max(bisect.bisect(logs, at) - 1, 0), len(sizes) - 2)
    part = (at - logs[i]) / (logs[i + 1] - logs[i])
    return sizes[i], sizes[i + 1], min(max(part, 0.0), 1.0)
