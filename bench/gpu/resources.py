"""Registers and spills of every kernel in the built module, by the toolkit's cuobjdump. Needs no GPU."""

from __future__ import annotations

import importlib.util
import pathlib
import re
import subprocess
import sys
from collections import Counter

# Bytes that a thread may keep in memory.
MOST_STACK = 0
MOST_REGISTERS = 255


def run(out: pathlib.Path) -> bool:
    spec = importlib.util.find_spec("elman._cuda")
    if spec is None or spec.origin is None:
        print("  this build has no CUDA kernels")
        return False
    return check(pathlib.Path(spec.origin), out)


def check(module: pathlib.Path, out: pathlib.Path) -> bool:
    try:
        dump = subprocess.run(
            ["cuobjdump", "--dump-resource-usage", module], check=True, capture_output=True, text=True
        ).stdout
    except FileNotFoundError:
        print("  no cuobjdump on this machine")
        return False
    (out / "resources.txt").write_text(dump)
    kernels = re.findall(r"REG:(\d+) STACK:(\d+)", dump)
    registers, stack = ([int(value) for value in column] for column in zip(*kernels, strict=True))
    spilling = Counter(bytes_ for bytes_ in stack if bytes_)
    print(
        f"  {module.stat().st_size / 2**20:.1f} MB, {len(kernels)} kernels, at most {max(registers)} registers"
    )
    print(f"  bytes in memory: {dict(sorted(spilling.items())) or 'none'}")
    return max(registers) <= MOST_REGISTERS and max(stack) <= MOST_STACK


if __name__ == "__main__":  # python -m bench.gpu.resources FOLDER: of the module that lies there
    folder = pathlib.Path(sys.argv[1])
    sys.exit(not check(next(folder.glob("_cuda.*")), folder))
