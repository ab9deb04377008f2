"""Where cuDNN, behind torch.nn, is faster on a GPU than the scans: there a layer runs torch.nn's own code.

cudnn.csv has what both took for a layer's step, on the GPU that docs/gpu.md names. A call goes to what was faster at
the size next to its own among those for which cuDNN takes the same of its algorithms. ELMAN_CUDNN=never keeps to the
scans, and so does torch.use_deterministic_algorithms: cuDNN gives other bits from run to run.
"""

from __future__ import annotations

import csv
import functools
import math
import os
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..stack.gpu import find
from ..stack.gpu.passes import schedule_for
from . import gpu
from .fallback import tracing

# Microseconds of a call and of each of its layers on the processor: what takes longer, these or the GPU, counts.
OURS, THEIRS, THEIRS_COMPACTED = (100.0, 100.0), (120.0, 60.0), (120.0, 350.0)
# The same of each step and direction where cuDNN launches kernels for each, forward and in training: the least that
# was measured.
THEIRS_STEP = 13.0, 40.0
# Of a layer, where a graph holds the call: the scan brings its weights into shared memory first.
BEGIN = 15.0

never = os.environ.get("ELMAN_CUDNN") == "never" or "ELMAN_CUDA_SCHEDULE" in os.environ


class Task(NamedTuple):
    cell: str
    dtype: str
    train: bool
    I: int  # noqa: E741
    H: int
    B: int
    layers: int
    directions: int


def faster(module: Any, weights: Sequence[Tensor], x: Any, more: bool) -> bool:
    """Whether this call should run torch.nn's own code. `more`: it has what torch.nn does not know."""
    weight = weights[0]
    if weight.device.type not in gpu.KINDS or more or never or not isinstance(x, Tensor) or module.proj_size:
        return False
    if (
        x.dim() not in (2, 3)
        or not x.numel()
        or torch.are_deterministic_algorithms_enabled()
        or not torch.backends.cudnn.enabled
    ):
        return False
    if torch.is_autocast_enabled("cuda") or weight.dtype not in gpu.TYPES or tracing():
        return False
    T, B = (x.shape[0], 1) if x.dim() == 2 else x.shape[:2][:: -1 if module.batch_first else 1]
    train = torch.is_grad_enabled() and (x.requires_grad or any(one.requires_grad for one in weights))
    sizes = (module.input_size, module.hidden_size, B, module.num_layers, 2 if module.bidirectional else 1)
    task = Task(module.mode.lower(), gpu.Tensors(weight).dtype, train, *sizes)
    return (
        _launches(task, gpu.Tensors(weight))
        or saved(task, T, (weight.is_cuda and torch.cuda.is_current_stream_capturing())) > 0
    )


def _launches(task: Task, library: gpu.Tensors) -> bool:
    """Whether the weights do not fit the GPU's multiprocessors, so that each step reads them again: cuDNN was faster
    wherever that was so."""
    sizes = (library.dtype, task.H, task.B, task.directions, "")
    scans = find()[0]
    return scans is not None and any(
        schedule_for(scans, library, task.cell, backward, *sizes).kind == "launch"
        for backward in (False, True)[: 1 + task.train]
    )


def saved(task: Task, T: int, in_a_graph: bool) -> float:
    """Microseconds that cuDNN saves in a call of T steps, by the table; less than 0 where it takes longer."""
    ours, theirs = (T * task.layers * step for step in _step(task))
    if in_a_graph:
        return ours + BEGIN * task.layers - theirs
    # torch.nn does not flatten bfloat16 weights: cuDNN's are put together at every call.
    call, of_layer = THEIRS_COMPACTED if task.dtype == "bfloat16" else THEIRS
    if algorithm(task) == "standard":
        of_layer += T * task.directions * THEIRS_STEP[task.train]
    return max(ours, OURS[0] + OURS[1] * task.layers) - max(theirs, call + of_layer * task.layers)


def algorithm(task: Task) -> str:
    """cuDNN's, as PyTorch chooses it (aten/src/ATen/native/cudnn/RNN.cpp): weights that stay for all steps, of a small
    layer or of any in float16, or a product for each step."""
    rnn, half = task.cell.startswith("rnn"), task.dtype == "float16"
    small = (256 if task.train else 384) if rnn else (128 if task.train else 192)
    if small >= task.H and task.dtype != "bfloat16":
        return "small"
    whole = task.I % 128 == 0 and task.H % 128 == 0 and task.B % 8 == 0 and task.B <= 128 and task.H <= 1024
    alone = task.layers == 1 and task.directions == 1
    return "static" if half and whole and alone and task.cell != "gru" else "standard"


def _step(task: Task) -> tuple[float, float]:
    """Of a layer, the scans' time and cuDNN's. The scans take both directions at the same time."""
    nearest, (ours, theirs) = min(_table(algorithm(task)), key=lambda row: _distance(task, row[0]))
    return ours, theirs / nearest.directions * task.directions


def _distance(task: Task, other: Task) -> float:
    sizes = (
        abs(math.log2(task.H / other.H))
        + abs(math.log2(task.B / other.B))
        + 0.1 * abs(math.log2(task.I / other.I))
    )
    kind = 3 * (task.train != other.train) + 2 * (task.dtype != other.dtype) + (task.cell[0] != other.cell[0])
    stack = 0.3 * (task.directions != other.directions) + 0.1 * (task.layers != other.layers)
    return sizes + kind + 0.5 * (task.cell != other.cell) + stack


@functools.lru_cache(8)
def _table(wanted: str) -> list[tuple[Task, tuple[float, float]]]:
    with open(pathlib.Path(__file__).with_name("cudnn.csv"), encoding="utf-8") as file:
        rows = [*csv.DictReader(line for line in file if not line.startswith("#"))]
    found = []
    for row in rows:
        sizes = (int(row[name]) for name in ("I", "H", "B", "layers", "directions"))
        task = Task(row["cell"], row["dtype"], row["train"] == "1", *sizes)
        if algorithm(task) == wanted:
            found.append((task, (float(row["ours"]), float(row["theirs"]))))
    return found
