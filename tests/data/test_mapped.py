"""What is known of files without reading them, and pages that are given back."""

import pathlib

import numpy as np
import pytest

from elman.data import Sequences, mapped
from elman.data.fingerprint import fingerprint
from tests.support.filed import Counted, mapped_copy


def test_a_file_is_known_again_without_being_read(tmp_path):
    x = np.zeros((1000, 40, 10), np.float32)
    source = Sequences(mapped_copy(tmp_path / "x.npy", x), np.zeros(1000))
    known = fingerprint(source)
    assert fingerprint(Sequences(np.load(tmp_path / "x.npy", mmap_mode="r"), np.zeros(1000))) == known
    (tmp_path / "other").mkdir()
    (tmp_path / "x.npy").rename(tmp_path / "other/x.npy")  # the folder does not count
    moved = np.load(tmp_path / "other/x.npy", mmap_mode="r")
    assert fingerprint(Sequences(moved, np.zeros(1000))) == known
    assert fingerprint(Sequences(moved[:900], np.zeros(900))) != known
    assert fingerprint(Sequences(moved, np.ones(1000))) != known
    with open(tmp_path / "other/x.npy", "r+b") as file:
        file.seek(-1, 2)
        file.write(b"\1")
    assert fingerprint(Sequences(moved, np.zeros(1000))) != known


def test_the_first_and_the_last_row_count_without_a_file(rng):
    values = rng.standard_normal((100000, 2))
    known = fingerprint(Sequences(Counted(values[:, None]), np.zeros(100000)))
    for i in (0, 99999):
        other = values.copy()
        other[i] += 1
        assert fingerprint(Sequences(Counted(other[:, None]), np.zeros(100000))) != known


@pytest.mark.skipif(not pathlib.Path("/proc/self/smaps_rollup").exists(), reason="of Linux")
@pytest.mark.parametrize("mode", ["r", "c"])
def test_pages_that_were_read_are_given_back(tmp_path, monkeypatch, mode):
    monkeypatch.setattr(mapped, "HELD", 2**22)
    np.save(tmp_path / "x.npy", np.ones((4096, 8, 256), np.float32))  # 32 MiB
    x = np.load(tmp_path / "x.npy", mmap_mode=mode)
    if mode == "c":
        x[:] = 2.0  # pages of the process's own, which the file does not have
    source, largest = Sequences(x, np.zeros(4096)), 0
    for index in np.random.default_rng(0).permutation(4096).reshape(-1, 128):
        assert (source.take(index).x == (2.0 if mode == "c" else 1.0)).all()
        largest = max(largest, resident(x))
    assert (largest < 6 * 2**20) == (mode == "r")


def resident(array):
    """Bytes of a mapped array that count as this process's memory."""
    address = array.__array_interface__["data"][0]
    inside = False
    for line in pathlib.Path("/proc/self/smaps").read_text().splitlines():
        first = line.split()[0]
        if "-" in first and not first.endswith(":"):
            begin, end = (int(part, 16) for part in first.split("-"))
            inside = begin <= address < end
        elif inside and first == "Rss:":
            return int(line.split()[1]) * 1024
    raise LookupError("no such mapping")
