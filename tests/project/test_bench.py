"""The benchmarks' own arithmetic, that they refuse a wrong result instead of timing it, and that they run."""

import dataclasses
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from bench import (
    bits,
    compare,
    constants,
    contenders,
    limits,
    random_shapes,
    shapes,
    simulation,
    tables,
    worker,
)
from bench.bits.__main__ import differences
from bench.bits.serve import outcome
from bench.report import Report, Row, geometric_mean

ROOT = pathlib.Path(__file__).parents[2]
TINY = shapes.Shape("tiny", "a test", "train", "lstm", 3, 5, 2, "b", 2, 4, 0.5, 0)


def row(mode="infer", limit_ns=50.0, **ns):
    return Row("one", mode, ns, 1.0, limit_ns, "FMA")


def test_ratios_are_to_the_fastest_peer():
    one = row(elman=100.0, torch=400.0, onnxruntime=150.0)
    assert one.ratio("torch") == 4 and one.to_best == 1.5 and one.of_limit == 0.5
    assert np.isnan(one.ratio("jax"))


def test_the_summary_names_the_worst_row_of_each_mode():
    report = Report(
        {},
        [row(elman=1.0, torch=2.0), row(elman=1.0, torch=8.0), row("step", elman=2.0, torch=1.0)],
        ["elman", "torch"],
    )
    infer, step = report.summary()
    assert infer.startswith("infer: 4.00 times the best peer's speed") and infer.endswith(
        "worst row one, 2.00"
    )
    assert step.endswith("0.50")
    assert geometric_mean([2, 8]) == pytest.approx(4)


def test_limits_of_a_shape():
    machine = limits.Limits(1)
    machine._peaks = {np.float32: 10.0}
    machine.bandwidth = lambda size: 4.0
    large = shapes.Shape("", "", "infer", "gru", 1, 256, 1, "f", 32, 10, 1, 0)
    size, of_x = 3 * 256 * 256 * 4, 3 * 256 * 4
    assert machine.of(large, 1e9) == (1e8, "FMA")
    assert machine.of(large, 1.0) == ((size * 10 + of_x) / 4.0, machine.level(size))
    training = dataclasses.replace(large, mode="train", T=1)  # reads all twice, and writes gradients
    assert machine.of(training, 1.0) == (3 * (size + of_x) / 4.0, machine.level(size))


def test_every_step_shape_reads_all_weights():
    machine = limits.Limits(1)
    machine._peaks = {np.float32: 1e9}
    machine.bandwidth = lambda size: 1.0
    step = shapes.Shape("", "", "step", "lstm", 7, 16, 2, "f", 1, 1, 1, 0)
    assert machine.of(step, 1.0)[0] == 4 * 4 * 16 * ((7 + 16) + (16 + 16))


@pytest.mark.parametrize("name", ["elman", "torch"])
def test_a_contender_passes_and_a_wrong_result_does_not(name):
    data, weights = shapes.make_data(TINY), shapes.make_weights(TINY)
    _, results = contenders.prepare(name, TINY, data, weights, 1)
    got, want = results(), worker.expected(TINY, data, weights)
    assert worker.largest_error(got, want) < 1e-6
    got["dx"] = got["dx"].copy()
    got["dx"][0, 0, 0] += 0.1
    assert worker.largest_error(got, want) > worker.TOLERANCE[np.float32]
    got["dx"][0, 0, 0] = np.nan
    assert worker.largest_error(got, want) == np.inf


def test_the_grid_is_read_whole():
    grid = shapes.read(limits.__file__.replace("limits.py", "shapes.csv"))
    assert len(grid) == 34 and {shape.mode for shape in grid} == {"step", "infer", "train"}


def output_of(*command):
    return subprocess.run(
        [sys.executable, "-m", *command], check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout


@pytest.mark.slow
def test_bench_runs():
    """One small row of each mode, verified against the oracle (which fails the run where it is wrong)."""
    rows = ("nam", "ocr-tiny", "darts-gru")
    out = output_of("bench", "--only", ",".join(rows), "--rounds", "1", "--seconds", "0.01")
    for row in rows:
        assert re.search(rf"^{row} .*%.*\d+\.\d+$", out, re.MULTILINE)


@pytest.mark.slow
def test_random_shapes_become_a_table(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- bench: grid of One --><!-- bench: end -->\n<!-- bench: random of One -->old<!-- bench: end -->"
    )
    quick = ("--peers", "torch", "--rounds", "1", "--seconds", "0.01")
    out = output_of("bench", "--random", "2", *quick, "--out", str(tmp_path / "run"))
    assert "least ahead of PyTorch:" in out
    run = str(tmp_path / "run.json")
    output_of("bench.tables", "One", run, "--other", run, "--random", run, "--pages", str(page))
    for shape in random_shapes.draw(2, 0):
        assert page.read_text().count(f"| {shape.id} | {shape.mode} |") == 2
    assert "old" not in page.read_text() and "One: " in page.read_text()


@pytest.mark.slow
def test_benches_of_long_sequences_run():
    """They compare results before they time, the second one bit for bit, in several stretches."""
    out = output_of("bench.long", "--steps", "200", "--units", "8", "--seconds", "0.02")
    for cell in ("min_gru", "lru", "rg_lru"):
        assert re.search(rf"^\| {cell}, 200, 1, 8, trained \| \d", out, re.MULTILINE)
    out = output_of("bench.checkpoints", "--steps", "12000", "--units", "64")
    assert re.search(r"^\| lstm \| \d+ \| \d+ \|", out, re.MULTILINE) and "| gru |" in out


@pytest.mark.slow
def test_bench_of_training_runs():
    """One epoch of two kinds; it fails where the losses are not PyTorch's."""
    out = output_of("bench.training", "--epochs", "2", "--only", "classifier,translator")
    assert re.search(r"^\| translator \|.*\d%", out, re.MULTILINE) and "geometric mean" in out


def test_a_tree_has_the_bits_of_itself():
    shape = shapes.Shape("tiny", "a test", "train", "gru", 3, 5, 1, "f", 2, 4, 1, 0)
    once = [compare.digest(array) for array in results_of(shape).values()]
    assert once == [compare.digest(array) for array in results_of(shape).values()]
    changed = results_of(shape)
    changed["y"] = changed["y"].copy()
    changed["y"][0, 0, 0] = np.nextafter(changed["y"][0, 0, 0], 1)
    assert once != [compare.digest(array) for array in changed.values()]


def results_of(shape):
    return contenders.prepare("elman", shape, shapes.make_data(shape), shapes.make_weights(shape), 1)[1]()


def counted(threads, **changes):
    """The account of a layer's call on a machine of round numbers."""
    sizes = {"I": 64, "H": 256, "layers": 1, "dirs": "f", "B": 3, "T": 10, "ragged": 1.0, "reset": 0.0}
    shape = shapes.Shape("", "", changes.pop("mode", "infer"), "lstm", **sizes | changes)
    rates = {"L1": 500.0, "L2": 200.0, "L3": 100.0, "memory": 25.0}
    sizes = {"L1": 1 << 15, "L2": 1 << 20, "L3": 1 << 25}
    modes = dict.fromkeys(("step", "infer", "train"), 0.0)
    tiles = dict.fromkeys(("float32", "float64"), 7.0)
    machine = constants.Constants(
        200.0, rates, sizes, 25.0, 70.0, 200.0, tiles, modes, {"lstm": 20.0}, {"lstm": 20.0}
    )
    return simulation.Simulation(shape, shapes.make_data(shape), threads, machine).run()


def test_idle_time_is_counted(monkeypatch):
    """Two rows take twice as long as one, beside what every step takes: with three rows on two threads, one of them
    waits for half of the time, a quarter of both."""
    monkeypatch.setenv("ELMAN_SCHEDULE", "rows")
    uneven, even = counted(2, T=400), counted(2, B=4, T=400)
    assert uneven.used == even.used == 2
    assert even.idle < 0.01 and 0.05 < uneven.idle < 0.26
    assert uneven.busy[1] > uneven.busy[0] > 0  # the second has two rows
    assert uneven.ns == pytest.approx(even.ns)
    assert counted(1, T=400).idle == 0


@pytest.mark.parametrize("mode", ["step", "infer", "train"])
def test_all_that_a_thread_does_is_counted_once(mode):
    """Threads together are busy as long as one alone, or less where their shares fit a nearer cache; each reads its
    share of the weights."""
    changes = {"mode": mode, "B": 40, "T": 1 if mode == "step" else 20, "H": 512}
    alone, many = counted(1, **changes), counted(8, **changes)
    assert many.ns < alone.ns / 4
    assert 0 <= many.idle < 0.3
    assert sum(many.read.values()) <= sum(alone.read.values())


@pytest.mark.slow
def test_scaling_runs():
    out = output_of("bench.scaling", "--only", "ocr-tiny,darts-rnn,nam", "--threads", "2,64", "--measure")
    rows = [line.split(" | ") for line in out.splitlines() if line.startswith("| ")]
    assert [row[2] for row in rows[1:]] == ["2", "64"] * 3
    assert all(row[7].endswith("%") for row in rows[1:])


def test_cases_that_differ_are_named():
    y = np.arange(4.0)
    was = {"same": outcome(lambda: {"y": y}), "y": outcome(lambda: {"y": y, "dx": y})}
    now = was | {"y": outcome(lambda: {"y": np.nextafter(y, 9), "dx": y}), "new": outcome(lambda: {"y": y})}
    assert differences(was, was) == [] and differences(was, now) == ["y: y", "new: only in NEW"]
    assert differences({"bad": outcome(lambda: 1 / 0)}, {}) == ["bad: only in OLD"]
    failed = {"bad": outcome(lambda: 1 / 0)}
    assert differences(failed, failed) == [
        f"bad: {tree} ZeroDivisionError: division by zero" for tree in ("OLD", "NEW")
    ]


def test_results_of_cases_are_all_there():
    assert bits.flat("back", (None, {"h": 1.0})) == {"back.1.h": 1.0}


@pytest.mark.slow
def test_a_tree_has_its_own_bits_in_every_kind_of_case():
    for kind in ("rnn_tanh float64, two layers, ragged,", "attention float32", "fit of a tagger"):
        assert re.fullmatch(
            r"(\d+) of \1 cases have the same bits .*\n", output_of("bench.bits", ".", ".", "--only", kind)
        )


def test_the_same_seed_draws_the_same_shapes():
    drawn = random_shapes.draw(300, 3)
    assert drawn[:50] == random_shapes.draw(50, 3) != random_shapes.draw(50, 4)
    for shape in drawn:
        assert min(shape.I, shape.H) >= 8 and max(shape.I, shape.H) <= 1536
        assert 1 <= shape.T <= 200 and 1 <= shape.B <= 128 and shape.id == random_shapes.described(shape)
        assert shape.T == 1 or 2 * shape.weights * shape.B * shape.T <= random_shapes.WORK
    kinds = {(shape.cell, shape.mode, shape.layers, shape.dirs) for shape in drawn}
    assert (
        len(kinds) > 50 and any(shape.ragged < 1 for shape in drawn) and any(shape.reset for shape in drawn)
    )


def test_every_random_shape_has_what_it_needs_of_torch():
    """A layer that runs backward over ragged sequences, or two-way over cut ones, is none of torch's."""
    for shape in random_shapes.draw(100, 0):
        assert shape.dirs != "r" or (shape.ragged == 1 and not shape.reset)
        assert shape.dirs != "b" or not shape.reset


@pytest.mark.parametrize(
    ("mode", "change"), [("infer", {}), ("train", {}), ("train", {"ragged": 1.0, "dirs": "r"})]
)
def test_torch_runs_what_it_has_in_every_direction(mode, change):
    shape = dataclasses.replace(TINY, mode=mode, layers=1, **change)
    data, weights = shapes.make_data(shape), shapes.make_weights(shape)
    _, results = contenders.prepare("torch", shape, data, weights, 1)
    assert worker.largest_error(results(), worker.expected(shape, data, weights)) < 1e-6


def test_places_of_a_page_are_written_anew():
    page = "a <!-- bench: grid of X --> old <!-- bench: end --> b <!-- bench: grid of Y -->keep<!-- bench: end -->"
    new = "a <!-- bench: grid of X -->\n1\\2\n<!-- bench: end --> b <!-- bench: grid of Y -->keep<!-- bench: end -->"
    assert tables.written(page, "X", {"grid": "1\\2", "means": "3"}) == (new, 1)
    for path, kinds in zip(tables.PAGES, (("grid", "random"), ("means",)), strict=True):
        for kind in kinds:
            assert tables.written(path.read_text(), "Zen 5", {kind: ""})[1] == 1
