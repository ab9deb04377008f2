"""The GPU's scans beside torch.nn (cuDNN), on the grid's layers and where cuDNN is at its best.

Side by side in one run, after both results were compared; the input product and, in training, all gradients are
included on both sides; weights are flattened; TF32 is off on both, or on on both. Eager, and replayed from a CUDA
graph.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import geometric_mean, median
from typing import Any

import torch
from torch.nn.utils.rnn import pack_padded_sequence

import elman.torch
from bench import shapes
from bench.contenders.torch import MODULES
from elman.stack import gpu
from elman.torch.gpu import Tensors

ROUNDS, SECONDS = 5, 0.02
TYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32, "tf32": torch.float32}
LIMITS = {"fp16": 1e-2, "bf16": 6e-2, "fp32": 1e-4, "tf32": 1e-2}  # of the results' difference


@dataclass
class Case:
    name: str
    cell: str
    I: int  # noqa: E741
    H: int
    layers: int
    directions: int
    B: int
    T: int
    ragged: float
    train: bool
    dtype: str


def cases() -> Iterator[Case]:
    """cuDNN's favoured shapes (one layer and direction, H and I multiples of 128, B of 8), then the grid."""
    for H in (256, 512, 768, 1024):
        for B in (8, 16, 64):
            for dtype in ("fp16", "bf16"):
                for train in (False, True):
                    yield Case(f"favoured {H}/{B}", "lstm", H, H, 1, 1, B, 256, 1, train, dtype)
    for s in shapes.read(pathlib.Path(shapes.__file__).with_name("shapes.csv")):
        if s.mode == "step" or s.reset:
            continue  # a step is one launch of torch's own; torch.nn knows no resets
        for dtype in TYPES:
            yield Case(
                s.id, s.cell, s.I, s.H, s.layers, s.directions, s.B, s.T, s.ragged, s.mode == "train", dtype
            )


def run(out: pathlib.Path) -> bool:
    if not torch.cuda.is_available() or gpu.find()[0] is None:
        print("  no GPU, or no CUDA kernels in this build")
        return False
    rows = []
    for case in cases():
        row = measure(case)
        rows.append(row)
        print(
            "  " + "  ".join(f"{k} {v:.3g}" if isinstance(v, float) else str(v) for k, v in row.items()),
            flush=True,
        )
    record = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "rows": rows}
    (out / "timing.json").write_text(json.dumps(record, indent=1))
    for mode in ("eager", "graph"):
        ratios = [row[mode] for row in rows if mode in row]
        if ratios:
            print(
                f"  {mode}: geometric mean {geometric_mean(ratios):.2f}, worst {min(ratios):.2f}, of {len(ratios)}"
            )
    chart(rows, record["device"], out / "timing.png")
    return True


def _modules(case: Case) -> tuple[Any, Any, torch.Tensor]:
    """elman's layer, torch's with the same weights, and x."""
    torch.manual_seed(0)
    rounded = case.dtype == "tf32"
    torch.set_float32_matmul_precision("high" if rounded else "highest")
    torch.backends.cudnn.allow_tf32 = rounded
    name = MODULES[case.cell]
    options = {"num_layers": case.layers, "bidirectional": case.directions == 2}
    dtype = TYPES[case.dtype]
    theirs = getattr(torch.nn, name)(case.I, case.H, **options).cuda().to(dtype)
    ours = getattr(elman.torch, name)(case.I, case.H, **options).cuda().to(dtype)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(case.T, case.B, case.I, device="cuda", dtype=dtype, requires_grad=case.train)
    return ours, theirs, x


def measure_ours(case: Case) -> float:
    """Microseconds of elman's call, replayed from a CUDA graph."""
    ours, _, x = _modules(case)
    graph = _graph(_work(lambda: ours(x)[0], ours, x, case.train))
    return _interleaved({"ours": graph})["ours"]


def measure(case: Case) -> dict[str, Any]:
    """PyTorch's time divided by elman's."""
    ours, theirs, x = _modules(case)
    lengths = None
    if case.ragged < 1:
        lengths = torch.linspace(case.ragged * case.T, case.T, case.B).round().long()

    def call_ours() -> torch.Tensor:
        return ours(x, lengths=lengths)[0]

    def call_theirs() -> torch.Tensor:
        if lengths is None:
            return theirs(x)[0]
        packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
        return torch.nn.utils.rnn.pad_packed_sequence(theirs(packed)[0])[0]

    with torch.no_grad():
        error = (call_ours().float() - call_theirs().float()).abs().max().item()
    if not error <= LIMITS[case.dtype]:
        raise AssertionError(f"{case}: results differ by {error:.2g}, allowed {LIMITS[case.dtype]:.2g}")
    calls = {"ours": call_ours, "theirs": call_theirs}
    work = {name: _work(call, module, x, case.train) for (name, call), module in zip(
        calls.items(), (ours, theirs), strict=True)}  # fmt: skip
    plan = gpu.find()[0].schedule(case.cell, False, Tensors(x).dtype, case.H, case.B, case.directions)
    times = _interleaved(work)
    row: dict[str, Any] = {
        "shape": case.name, "dtype": case.dtype, "mode": "train" if case.train else "infer", "schedule": plan.kind,
        "us a step": times["ours"] / case.T / case.layers, "model's": plan.microseconds,
        "eager": times["theirs"] / times["ours"], "error": error,
    }  # fmt: skip
    if lengths is None:  # packing lengths copies them to the processor, which no graph can hold
        graphs = {name: _graph(one) for name, one in work.items()}
        times = _interleaved(graphs)
        row["graph"] = times["theirs"] / times["ours"]
    return row


def _work(call: Callable[[], torch.Tensor], module: Any, x: torch.Tensor, train: bool) -> Callable[[], Any]:
    if not train:

        def forward() -> Any:
            with torch.no_grad():
                return call()

        return forward
    with torch.no_grad():
        dy = torch.randn_like(call())
    inputs = [x, *module.parameters()]
    return lambda: torch.autograd.grad(call(), inputs, dy)


def _graph(work: Callable[[], Any]) -> Callable[[], Any]:
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        held = work()
    return lambda: (graph.replay(), held)


def _interleaved(work: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Microseconds of a call, medians of rounds in turns."""
    repeats = {}
    for name, one in work.items():
        for _ in range(3):
            one()
        repeats[name] = max(1, min(200, int(SECONDS * 1e6 / max(_microseconds(one, 1), 1))))
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, one in work.items():
            times[name].append(_microseconds(one, repeats[name]))
    return {name: median(values) for name, values in times.items()}


def _microseconds(one: Callable[[], Any], repeats: int) -> float:
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    begin.record()
    for _ in range(repeats):
        one()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) * 1000 / repeats


def chart(rows: list[dict[str, Any]], device: str, path: pathlib.Path) -> None:
    import matplotlib.pyplot as plt

    rows = sorted(rows, key=lambda row: row["eager"])
    figure, axis = plt.subplots(figsize=(8, 0.16 * len(rows) + 1.5), layout="constrained")
    colors = {"fp16": "tab:blue", "bf16": "tab:orange", "fp32": "tab:green", "tf32": "tab:red"}
    axis.barh(range(len(rows)), [row["eager"] for row in rows], color=[colors[row["dtype"]] for row in rows])
    axis.set_yticks(range(len(rows)), [f"{r['shape']} {r['mode']} {r['schedule']}" for r in rows], fontsize=6)
    axis.axvline(1, color="0.4", linewidth=0.8)
    axis.set(xscale="log", xlabel=f"torch.nn's time / elman's, eager, {device}", ylim=(-1, len(rows)))
    axis.legend([plt.Rectangle((0, 0), 1, 1, color=c) for c in colors.values()], colors, loc="lower right")
    figure.savefig(path, dpi=120)
