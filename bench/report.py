"""What a run of the grid found: rows with their ratios, and the same as text, Markdown, JSON and a chart."""

from __future__ import annotations

import json
import pathlib
import platform
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench import contenders

OURS = contenders.OURS
PEERS = {"torch": "PyTorch", "onnxruntime": "ONNX Rt", "openvino": "OpenVINO", "jax": "JAX"}


@dataclass
class Row:
    """One shape, raced."""

    id: str
    mode: str
    ns: dict[str, float]  # median ns of a call, by contender
    gflops: float  # elman's
    limit_ns: float  # no call on this machine can be faster
    bound_by: str  # "FMA", or the memory that holds the weights

    @property
    def of_limit(self) -> float:
        return self.limit_ns / self.ns["elman"]

    def ratio(self, peer: str) -> float:
        """How many times as fast as this peer elman is; NaN where the peer did not run."""
        return self.ns.get(peer, np.nan) / self.ns["elman"]

    @property
    def to_best(self) -> float:
        return min((self.ratio(peer) for peer in self.ns if peer not in OURS), default=np.nan)


@dataclass
class Report:
    """A whole run: the machine, its limits and the rows."""

    machine: dict[str, Any]
    rows: list[Row]
    names: list[str]  # of the contenders
    width: int = 14  # of the first column

    @classmethod
    def read(cls, path: pathlib.Path) -> Report:
        """What `write` has written."""
        data = json.loads(path.read_text())
        rows = [Row(**row) for row in data["rows"]]
        return cls(data["machine"], rows, sorted({name for row in rows for name in row.ns}))

    @property
    def peers(self) -> list[str]:
        return [peer for peer in PEERS if peer in self.names]

    @property
    def has_dropin(self) -> bool:
        return "dropin" in self.names

    def cells(self, row: Row) -> list[str]:
        """A row of the table."""
        ratios = [f"{row.ratio(peer):.2f}" if peer in row.ns else "" for peer in self.peers]
        best = "" if np.isnan(row.to_best) else f"{row.to_best:.2f}"
        dropin = [f"{row.ns['dropin'] / 1e3:,.1f}" if "dropin" in row.ns else ""] if self.has_dropin else []
        return [
            row.id, row.mode, f"{row.ns['elman'] / 1e3:,.1f}", f"{row.gflops:,.0f}", row.bound_by,
            f"{row.of_limit:.0%}", *ratios, best, *dropin,
        ]  # fmt: skip

    def titles(self) -> list[str]:
        peers = [PEERS[peer] for peer in self.peers]
        dropin = ["drop-in us"] if self.has_dropin else []
        return ["shape", "mode", "us", "GFLOP/s", "bound by", "of it", *peers, "best peer", *dropin]

    def line(self, cells: list[str]) -> str:
        return f"{cells[0]:{self.width}}{cells[1]:6}" + "".join(f"{cell:>11}" for cell in cells[2:])

    def summary(self) -> list[str]:
        """Geometric means and the worst row, for each mode."""
        lines = []
        for mode in dict.fromkeys(row.mode for row in self.rows):
            rows = [row for row in self.rows if row.mode == mode and not np.isnan(row.to_best)]
            if not rows:
                continue
            to_torch = [row.ratio("torch") for row in rows if "torch" in row.ns]
            worst = min(rows, key=lambda row: row.to_best)
            text = f"{mode}: {geometric_mean([row.to_best for row in rows]):.2f} times the best peer's speed"
            if to_torch:
                text += f", {geometric_mean(to_torch):.2f} times PyTorch's (geometric means)"
            lines.append(f"{text}; worst row {worst.id}, {worst.to_best:.2f}")
            dropin = [
                row.ns["torch"] / row.ns["dropin"] for row in rows if {"torch", "dropin"} <= row.ns.keys()
            ]
            if dropin:
                lines.append(f"{mode}: the drop-in has {geometric_mean(dropin):.2f} times PyTorch's speed")
        return lines

    def worst(self, count: int = 10) -> list[Row]:
        """The rows where elman is least ahead of PyTorch."""
        rows = [row for row in self.rows if "torch" in row.ns]
        return sorted(rows, key=lambda row: row.ratio("torch"))[:count]

    def markdown(self) -> str:
        rows = table(self.titles(), [self.cells(row) for row in self.rows])
        return "\n".join([self.heading(), "", rows, "", *(f"- {line}" for line in self.summary()), ""])

    def heading(self) -> str:
        m = self.machine
        levels = ", ".join(f"{level} {rate:.0f}" for level, rate in m["gb_per_s"].items())
        versions = ", ".join(f"{name} {version}" for name, version in m["versions"].items())
        return (
            f"{m['processor']}, caches {m['caches']}, {m['threads']} threads, {m['isa']}, {m['date']}: "
            f"peak {m['peak']['float32']:.0f} GFLOP/s (float64 {m['peak']['float64']:.0f}; "
            f"one thread {m['peak']['one_thread']:.0f}); GB/s read: {levels}. {versions}."
        )

    def write(self, stem: pathlib.Path) -> None:
        """stem.json, stem.md and stem.png."""
        stem.parent.mkdir(parents=True, exist_ok=True)
        data = {"machine": self.machine, "rows": [asdict(row) for row in self.rows]}
        stem.with_suffix(".json").write_text(json.dumps(data, indent=1) + "\n")
        stem.with_suffix(".md").write_text(self.markdown())
        self.chart(stem.with_suffix(".png"))

    def chart(self, path: pathlib.Path, name: str | None = None) -> None:
        """Speed of every contender relative to the best peer, a row for each shape."""
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        rows = [row for row in reversed(self.rows) if not np.isnan(row.to_best)]
        figure, axes = pyplot.subplots(figsize=(8, 0.24 * len(rows) + 1.4), layout="constrained")
        at = np.arange(len(rows))
        best = [min(ns for name, ns in row.ns.items() if name not in OURS) for row in rows]
        axes.barh(
            at,
            [b / row.ns["elman"] for b, row in zip(best, rows, strict=True)],
            color="#2a6f97",
            label="elman",
        )
        marks = dict(zip(PEERS, "os^D", strict=True))
        colours = dict(zip(PEERS, ("#e4572e", "#f3a712", "#76b041", "#8d6a9f"), strict=True))
        for peer in self.peers:
            there = [i for i, row in enumerate(rows) if peer in row.ns]
            speed = [best[i] / rows[i].ns[peer] for i in there]
            axes.plot(speed, at[there], marks[peer], ms=4, color=colours[peer], label=PEERS[peer])
        axes.axvline(1, color="black", lw=0.8)
        axes.set(xscale="log", yticks=at, ylim=(-0.7, len(rows) - 0.3), xlabel="speed, best peer = 1")
        axes.set_yticklabels([f"{row.id} ({row.mode})" for row in rows], fontsize=7)
        axes.legend(fontsize=7, loc="lower right")
        m = self.machine
        title = f"{m['processor']}, {m['threads']} threads, {m['isa']}, {m['date']}"
        axes.set_title(f"{name}: {title}" if name else title, fontsize=8)
        figure.savefig(path, dpi=130)
        pyplot.close(figure)


def table(titles: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [titles, ["---"] * len(titles), *rows])


def geometric_mean(values: list[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def processor() -> str:
    """The processor's name as the system tells it, and, as names of servers say little, its family and model."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
        return f"{told['model name']} (family {told['cpu family']}, model {told['model']})"
    except (OSError, KeyError):
        return platform.processor() or platform.machine()
