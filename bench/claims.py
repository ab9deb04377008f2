"""`python -m bench.claims`: what elman says of itself beside the grid, measured on this machine.

Each line gives what was measured and what is wanted. The claims about other processes (memory, a busy core) start
some; everything else runs here.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import os
import pathlib
import time
import types
from collections.abc import Callable, Iterator

import numpy as np

import elman
from bench import contenders, shapes
from bench.arguments import threads
from bench.shapes import Shape

GRID = {shape.id: shape for shape in shapes.read(pathlib.Path(__file__).with_name("shapes.csv"))}
Claim = tuple[str, float, float, bool]  # what, measured, wanted, whether more is better


def ready(
    shape: Shape, threads: int, change: Callable[[shapes.Data], None] | None = None
) -> Callable[[], object]:
    data = shapes.make_data(shape)
    if change:
        change(data)
    return contenders.prepare("elman", shape, data, shapes.make_weights(shape), threads)[0]


def ratio(
    slow: Callable[[], object], fast: Callable[[], object], before=(None, None), seconds: float = 1.5
) -> float:
    """How many times as long `slow` takes as `fast`: the median over pairs of turns, each some milliseconds.
    `before`: what to call before a turn of each."""

    def turn(run: Callable[[], object], prepare: Callable[[], object] | None) -> float:
        if prepare:
            prepare()
        run()
        begin, count = time.perf_counter(), 0
        while time.perf_counter() - begin < 0.01:
            run()
            count += 1
        return (time.perf_counter() - begin) / count

    ratios = []
    end = time.perf_counter() + seconds
    while len(ratios) < 5 or time.perf_counter() < end:
        ratios.append(turn(slow, before[0]) / turn(fast, before[1]))
    return float(np.median(ratios))


def odd_sizes(threads: int) -> Iterator[Claim]:
    # Of a set that is not here: 16, which are whole vectors of most.
    lanes = {"avx512": 16, "avx2": 8, "neon": 4, "scalar": 1}.get(elman.info()["isa"], 16)
    for H in (18, 25, 40, 1150):
        whole = -(-H // lanes) * lanes
        shape = dataclasses.replace(
            GRID["deepar"], mode="infer", layers=1, I=H, H=H, T=20 if H > 1000 else 100
        )
        full = dataclasses.replace(shape, I=whole, H=whole)
        data = shapes.make_data(shape)
        work = shape.flops(data) / full.flops(data)
        yield (
            f"H {H}: share of peak of H {whole}",
            work / ratio(ready(shape, threads), ready(full, threads)),
            0.85,
            True,
        )


def ragged(threads: int) -> Iterator[Claim]:
    for shape in GRID.values():
        if shape.ragged < 1:
            valid = shapes.make_data(shape).steps / (shape.T * shape.B)
            time_share = ratio(ready(shape, threads), ready(dataclasses.replace(shape, ragged=1.0), threads))
            yield f"{shape.id}: ragged time over its share of steps", time_share / valid, 1.1, False


def resets(threads: int) -> Iterator[Claim]:
    plain = dataclasses.replace(GRID["ppo"], reset=0.0)
    yield (
        "ppo: with resets over without",
        ratio(ready(GRID["ppo"], threads), ready(plain, threads)),
        1.0,
        False,
    )


def step_overhead(threads: int) -> Iterator[Claim]:
    shape = dataclasses.replace(GRID["silero"], I=1, H=1)
    yield "us of a step of one unit", ratio(ready(shape, threads), lambda: time.sleep(0.01)) * 1e4, 2.0, False


def scaling(threads: int) -> Iterator[Claim]:
    if threads < 2:
        return
    for shape in GRID.values():
        if shape.B > 1:
            alone, together = ready(shape, 1), ready(shape, threads)
            before = (lambda: elman.set_num_threads(1), lambda: elman.set_num_threads(threads))
            yield (
                f"{shape.id}: speed of {threads} threads over 1",
                ratio(alone, together, before),
                0.9 * threads,
                True,
            )
    elman.set_num_threads(threads)


def denormals(threads: int) -> Iterator[Claim]:
    for name in ("bonito", "char-rnn", "forecast-gru", "double"):
        shape = dataclasses.replace(GRID[name], T=min(GRID[name].T, 50))
        tiny = np.finfo(shape.dtype).tiny / 100

        def shrink(data: shapes.Data, tiny=tiny) -> None:
            data.x *= tiny
            data.dy *= tiny

        slowdown = ratio(ready(shape, threads, shrink), ready(shape, threads))
        yield f"{name}: denormal data over normal", slowdown, 1.1, False


def float64(threads: int) -> Iterator[Claim]:
    for name in ("bonito", "clair3", "crnn", "ppo", "encoder", "seq2seq"):
        one = dataclasses.replace(GRID[name], T=min(GRID[name].T, 40))
        two = dataclasses.replace(one, dtype=np.float64)
        yield (
            f"{name}: float64 speed over float32",
            ratio(ready(one, threads), ready(two, threads)),
            0.45,
            True,
        )


def spin_on_one_core(cpu: int) -> None:
    os.sched_setaffinity(0, {cpu})
    while True:
        pass


def busy_core(threads: int) -> Iterator[Claim]:
    if threads < 2 or not hasattr(os, "sched_setaffinity"):
        return
    for name in ("silero", "rnnt", "rl-act", "bonito", "encodec", "ppo", "seq2seq"):
        run = ready(GRID[name], threads)

        def seconds(run=run) -> float:
            times = []
            end = time.perf_counter() + 1.5
            while len(times) < 3 or time.perf_counter() < end:
                begin = time.perf_counter()
                run()
                times.append(time.perf_counter() - begin)
            return float(np.mean(times))

        idle = seconds()
        other = multiprocessing.Process(
            target=spin_on_one_core, args=(max(os.sched_getaffinity(0)),), daemon=True
        )
        other.start()
        time.sleep(0.1)
        busy = seconds()
        other.kill()
        other.join()
        yield f"{name}: speed with one core taken over idle", idle / busy, 0.45, True


def peak_bytes(name: str, shape: Shape, threads: int, pipe) -> None:
    """What three calls add at most to the memory of a process that is otherwise ready."""
    small = dataclasses.replace(shape, T=2, B=2, I=4, H=8, ragged=1.0, reset=0.0)
    contenders.prepare(name, small, shapes.make_data(small), shapes.make_weights(small), threads)[0]()
    run, _ = contenders.prepare(name, shape, shapes.make_data(shape), shapes.make_weights(shape), threads)
    pathlib.Path("/proc/self/clear_refs").write_text("5")

    def status(key: str) -> int:
        text = pathlib.Path("/proc/self/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(key))

    before = status("VmRSS")
    for _ in range(3):
        run()
    pipe.send(status("VmHWM") - before)


def memory(threads: int) -> Iterator[Claim]:
    if "torch" not in contenders.installed() or not os.path.exists("/proc/self/clear_refs"):
        return
    context = multiprocessing.get_context("spawn")
    for shape in GRID.values():
        if shape.mode != "train":
            continue
        peaks = []
        for name in ("elman", "torch"):
            pipe, other = context.Pipe()
            process = context.Process(target=peak_bytes, args=(name, shape, threads, other))
            process.start()
            peaks.append(pipe.recv())
            process.join()
        text = f"{shape.id}: peak memory over PyTorch's ({peaks[0] / 2**20:.1f} / {peaks[1] / 2**20:.1f} MB)"
        yield text, peaks[0] / max(peaks[1], 1), 0.7, False


def verification(threads: int) -> Iterator[Claim]:
    """Of elman.torch, which reads every byte of the weights before it uses what it packed of them."""
    if "dropin" not in contenders.installed():
        return
    import elman.torch
    from bench.contenders import dropin

    kinds = {kind.__name__: kind for kind in (elman.torch.LSTM, elman.torch.GRU, elman.torch.RNN)}

    def frozen(kind: type) -> Callable[..., object]:
        return lambda *sizes, **options: elman.torch.assume_frozen(kind(*sizes, **options))

    vouched_for = types.SimpleNamespace(**{name: frozen(kind) for name, kind in kinds.items()})
    for shape in GRID.values():
        checked, unchecked = (
            dropin.prepare(shape, shapes.make_data(shape), shapes.make_weights(shape), threads, modules)[0]
            for modules in (elman.torch, vouched_for)
        )
        megabytes = sum(value.nbytes for value in shapes.make_weights(shape).values()) / 2**20
        text = (
            f"{shape.id}, {shape.mode}: drop-in, {megabytes:.1f} MB of weights, checked over assumed frozen"
        )
        yield text, ratio(checked, unchecked, seconds=0.7), 1.05, False


CLAIMS = (
    step_overhead,
    odd_sizes,
    ragged,
    resets,
    denormals,
    float64,
    scaling,
    busy_core,
    memory,
    verification,
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.claims", description=__doc__)
    parser.add_argument(
        "--only", help="claims, separated by commas: " + ", ".join(c.__name__ for c in CLAIMS)
    )
    parser.add_argument("--threads", type=threads, default=elman.num_threads())
    options = parser.parse_args()
    for claim in CLAIMS:
        if options.only and claim.__name__ not in options.only.split(","):
            continue
        for what, measured, wanted, more in claim(options.threads):
            good = measured >= wanted if more else measured <= wanted
            sign = ">=" if more else "<="
            print(
                f"{claim.__name__:14}{what:82}{measured:7.2f}  {sign} {wanted:.2f}  {'' if good else 'short'}",
                flush=True,
            )


if __name__ == "__main__":
    main()
