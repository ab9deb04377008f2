"""What a run shows."""

import contextlib
import os
import pathlib
import re
import struct
import subprocess
import sys
import types

import pytest

from elman.data import Samples
from elman.train import Sequences, fit
from elman.train.progress import Lines
from tests.support.runs import data, noise, regressor, run

ROOT = pathlib.Path(__file__).parents[2]


def shown(capsys, **options):
    fit(regressor(), data(), noise(1), **{"epochs": 3, "seed": 0} | options)
    out = capsys.readouterr()
    assert not out.out
    return out.err


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    text = shown(capsys, progress="a network")
    assert "a network" in text and "72.0/72.0" in text and "sequences/s" in text
    assert "loss=" in text and "norm=" in text and "validation=" in text


def test_lines_elsewhere(capsys):
    lines = shown(capsys, progress="a network").splitlines()
    assert len(lines) == 3
    for i, line in enumerate(lines):
        number = r"[\d.e+-]+"
        assert re.fullmatch(
            rf"a network: epoch {i + 1} of 3: loss {number}, norm {number}, validation {number}, {number} s",
            line,
        )
    assert shown(capsys, progress=True).startswith("epoch 1 of 3: loss")


def test_lines_without_tqdm(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    assert len(shown(capsys).splitlines()) == 3


def test_a_bar_in_a_notebook(capsys, monkeypatch):
    """There the output is no terminal either."""
    shell = types.SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert "72.0/72.0" in shown(capsys)


def test_one_line_a_minute_within_an_epoch(capsys, monkeypatch):
    clock = iter(range(0, 100_000, 25))  # seconds between two looks
    monkeypatch.setattr("elman.train.progress.time.monotonic", lambda: next(clock))
    fit(regressor(), Sequences(*data()), epochs=1, batch_size=1, seed=0)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 9  # every third of 24 batches, and the epoch itself
    assert re.fullmatch(r"12% of epoch 1 of 1: loss \S+, norm \S+", lines[0])
    assert Lines.seconds == 60


def test_data_of_unknown_size(capsys, monkeypatch, tmp_path):
    """The bar has no end in the first epoch, and one from then on, also where a run goes on; lines count sequences."""
    source = Samples(lambda: zip(*data(), strict=True), window=8)
    options = {"seed": 0, "batch_size": 8, "checkpoint": tmp_path, "checkpoint_seconds": 0.0}
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fit(regressor(), source, epochs=1, **options)
    text = capsys.readouterr().err
    assert text.split("\r")[1].startswith("0.00 sequences") and "24.0/24.0" in text
    fit(regressor(), source, epochs=3, **options)
    assert "24.0/72.0" in capsys.readouterr().err.split("\r")[1]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    clock = iter(range(0, 100_000, 25))
    monkeypatch.setattr("elman.train.progress.time.monotonic", lambda: next(clock))
    fit(regressor(), source, epochs=1, batch_size=1, seed=0)
    assert capsys.readouterr().err.startswith("3 sequences of epoch 1 of 1: loss")


def test_silence_and_refusal(capsys):
    assert not shown(capsys, progress=False)
    with pytest.raises(ValueError, match="progress: expected True or False, got 3"):
        fit(regressor(), data(), progress=3)


def test_a_bar_goes_on_where_the_run_does(tmp_path, capsys, monkeypatch):
    run(regressor(), tmp_path, epochs=2)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fit(regressor(), data(), epochs=3, seed=0, batch_size=8, checkpoint=tmp_path)
    first = capsys.readouterr().err.split("\r")[1]
    assert "48.0/72.0" in first


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
@pytest.mark.parametrize("columns", [0, 100])
def test_a_terminal_without_width_gets_lines(columns):
    import fcntl
    import pty
    import termios

    code = "from tests.support.runs import *; fit(regressor(), data(), epochs=2, progress='a label')"
    own, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=other, stderr=other, stdin=other
    )
    os.close(other)
    shown = b""
    with contextlib.suppress(OSError):  # that is how its end shows
        while part := os.read(own, 9999):
            shown += part
    os.close(own)
    assert process.wait() == 0
    assert (b"a label: epoch 2 of 2: loss" in shown) == (columns == 0)
    assert (b"48.0/48.0" in shown) == (columns > 0)
