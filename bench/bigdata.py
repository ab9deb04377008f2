"""`python -m bench.bigdata`: training over data that is larger than memory, beside the same in memory.

It writes a memory map of so many gigabytes, and trains an LSTM over it once, in processes of its own:

- `memory`: over a slice that is held in memory: the speed to compare with;
- `sequences`: over the whole memory map, sequence by sequence in random order (`Sequences`);
- `samples`: over the whole, in shuffled blocks and windows (`Samples`);
- `killed`: as `sequences` (or `--kill samples`), killed by SIGKILL and started again, several times: the parameters
  must have the bits of the run that was not.

Each process may hold so many gigabytes of its own and no more (RLIMIT_DATA; where it would, it fails), and its largest
resident size, which counts mapped pages too, is printed and must stay below that. Before each run the file is dropped
from the system's cache, so that it comes from the disk.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import time
from typing import Any

import numpy as np

T, F, HIDDEN, BATCH = 128, 16, 64, 64
WAYS = ("memory", "sequences", "samples")
SLICE = 2**28  # bytes that the run in memory holds
PART = 4096  # sequences that are written at once


def write(directory: pathlib.Path, size: int) -> int:
    """Write x [n, T, F] and y [n, 1] of about `size` bytes; returns n. A file of the right size is left as it is."""
    n = max(PART, size // (T * F * 4) // PART * PART)
    directory.mkdir(parents=True, exist_ok=True)
    done = directory / "done.json"
    if done.exists() and json.loads(done.read_text()) == n:
        return n
    x = np.lib.format.open_memmap(directory / "x.npy", "w+", np.float32, (n, T, F))
    y = np.lib.format.open_memmap(directory / "y.npy", "w+", np.float32, (n, 1))
    for begin in range(0, n, PART):
        part = np.random.default_rng(begin).standard_normal((PART, T, F), np.float32)
        x[begin : begin + PART] = part
        y[begin : begin + PART] = np.tanh(part[:, :, :4].sum((1, 2)) / 10)[:, None]
        x.flush() if begin % (64 * PART) == 0 else None
    x.flush()
    y.flush()
    done.write_text(json.dumps(n))
    return n


def data_of(way: str, directory: pathlib.Path) -> Any:
    """What `fit` gets."""
    from elman.data import Blocks, Samples, Sequences

    x, y = (np.load(directory / name, mmap_mode="r") for name in ("x.npy", "y.npy"))
    if way == "memory":
        n = min(len(x), SLICE // (T * F * 4))
        return Sequences(np.array(x[:n]), np.array(y[:n]))
    return Sequences(x, y) if way == "sequences" else Samples(Blocks(x, y, block=64), window=4096)


def work(way: str, directory: pathlib.Path, memory: int, checkpoint: str, pause: float) -> dict[str, Any]:
    """Train over the data once; in a process of its own, whose memory this limits."""
    import resource

    from elman.models import SequenceRegressor
    from elman.train import fit

    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    data = data_of(way, directory)
    model = SequenceRegressor(1, input_size=F, hidden_size=HIDDEN, seed=0)
    print("ready", flush=True)
    begin = time.perf_counter()
    history = fit(
        model,
        data,
        epochs=1,
        batch_size=BATCH,
        seed=0,
        progress=False,
        checkpoint=checkpoint or None,
        checkpoint_seconds=pause,
    )
    digest = hashlib.sha256(b"".join(value.tobytes() for value in model.state_dict().values()))
    return {
        "sequences": len(data),
        "seconds": time.perf_counter() - begin,
        "loss": history.train_loss[-1],
        "resident": largest(),
        "parameters": digest.hexdigest()[:16],
    }


def largest() -> int:
    """The largest resident size of this process in bytes; what getrusage says is also that of who started it."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise LookupError("VmHWM")


def start(way: str, directory: pathlib.Path, memory: int, checkpoint: Any = "", pause: float = 0.0) -> Any:
    """A process that does the work, once it is about to train."""
    drop(directory)
    command = [sys.executable, "-m", "bench.bigdata", "--work", way, "--directory", str(directory)]
    command += ["--bytes", str(memory), "--checkpoint", str(checkpoint), "--pause", str(pause)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise SystemExit(f"{way}: ended with {process.wait()} before it began")
    return process


def result(process: Any) -> dict[str, Any]:
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"ended with {process.returncode}")
    return json.loads(out)


def drop(directory: pathlib.Path) -> None:
    """Let the system forget what it holds of the files."""
    for name in ("x.npy", "y.npy"):
        with open(directory / name, "rb") as file:
            os.fsync(file.fileno())
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def killed(
    way: str, directory: pathlib.Path, memory: int, seconds: float, kills: int
) -> tuple[dict[str, Any], int]:
    """The result of a run of about `seconds` that is killed so often, each time after some more checkpoints, and goes
    on; how often that was."""
    checkpoint = directory / f"run-{way}"
    for path in checkpoint.glob("checkpoint*"):
        path.unlink()
    rng, happened = np.random.default_rng(0), 0
    while True:
        process = start(way, directory, memory, checkpoint, pause=seconds / 50)
        enough = newest(checkpoint) + int(rng.integers(1, max(2, 20 // kills)))
        while happened < kills and process.poll() is None and newest(checkpoint) < enough:
            time.sleep(0.001)
        if happened == kills or process.poll() is not None:
            return result(process), happened
        process.kill()
        process.communicate()
        happened += 1


def newest(checkpoint: pathlib.Path) -> int:
    return max((int(path.stem.split("-")[1]) for path in checkpoint.glob("checkpoint-*")), default=-1)


def report(size: int, directory: pathlib.Path, memory: int, kill: str, kills: int) -> bool:
    """Run everything and print it; whether all that must hold does."""
    n = write(directory, size)
    print(
        f"{n} sequences [{T}, {F}], {n * T * F * 4 / 2**30:.2f} GiB; at most {memory / 2**30:.2f} GiB of memory"
    )
    found = {}
    for way in WAYS:
        one = found[way] = result(start(way, directory, memory))
        speed = one["sequences"] / one["seconds"]
        share = speed * found["memory"]["seconds"] / found["memory"]["sequences"]
        print(
            f"{way:10} {speed:8.0f} sequences/s ({share:4.0%} of that in memory), {one['seconds']:6.1f} s, "
            f"largest resident size {one['resident'] / 2**30:.2f} GiB, loss {one['loss']:.4f}",
            flush=True,
        )
    again, happened = killed(kill, directory, memory, found[kill]["seconds"], kills)
    same = again["parameters"] == found[kill]["parameters"]
    bits = "the same bits" if same else "OTHER BITS"
    print(f"{kill} killed {happened} times: {bits} ({again['parameters']} and {found[kill]['parameters']})")
    within = all(one["resident"] < memory for one in found.values())
    return same and within and happened > 0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=1.0, help="of data (default 1)")
    parser.add_argument("--memory", type=float, default=2.0, help="gigabytes a process may hold (default 2)")
    parser.add_argument("--directory", type=pathlib.Path, default=pathlib.Path("out/bigdata"))
    parser.add_argument("--kill", choices=WAYS[1:], default="sequences")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--work", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--bytes", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--pause", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--checkpoint", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        print(json.dumps(work(given.work, given.directory, given.bytes, given.checkpoint, given.pause)))
        return
    size, memory = int(given.gigabytes * 2**30), int(given.memory * 2**30)
    sys.exit(0 if report(size, given.directory, memory, given.kill, given.kills) else 1)


if __name__ == "__main__":
    main()
