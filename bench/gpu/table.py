"""python -m bench.gpu.table FILE ... > python/elman/torch/cudnn.csv: the table of elman.torch.cudnn, of rows that the
stage cudnn has measured."""

from __future__ import annotations

import csv
import json
import pathlib
import sys

COLUMNS = ("cell", "dtype", "train", "I", "H", "B", "layers", "directions", "ours", "theirs")
NAMES = {"fp16": "float16", "bf16": "bfloat16", "fp32": "float32", "tf32": "tf32"}
STEPS = 20  # fewer are a call's costs more than a step's


def main(paths: list[str]) -> None:
    found = {}
    for path in paths:
        for line in pathlib.Path(path).read_text().splitlines():
            row = json.loads(line)
            if "graph" in row and row["T"] >= STEPS:
                key = tuple(NAMES.get(row[name], row[name]) for name in COLUMNS[:-2])
                times = (row["graph"][side] / row["T"] / row["layers"] for side in ("ours", "theirs"))
                found[key] = tuple(f"{one:.2f}" for one in times)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    print("# Microseconds of a step and layer on an NVIDIA H200, CUDA 13.0, replayed from a graph.")
    writer.writerow(COLUMNS)
    for key, times in sorted(found.items(), key=str):
        writer.writerow([*(int(one) if isinstance(one, bool) else one for one in key), *times])


if __name__ == "__main__":
    main(sys.argv[1:])
