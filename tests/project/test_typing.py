"""What type checkers see of elman: tests/support/typed.py says it."""

import os
import pathlib
import subprocess
import sys

import pytest

import elman

pytest.importorskip("mypy")
ROOT = pathlib.Path(__file__).parents[2]
WRONG = """
import elman
import numpy as np
elman.GRU(2, 3)(np.zeros((4, 3, 2)))[0].no_such_attribute
elman.GRU("2", 3)
"""


def check(path, cache):
    package = pathlib.Path(elman.__file__).parents[1]
    options = [
        "--config-file",
        str(ROOT / "pyproject.toml"),
        "--cache-dir",
        str(cache),
        "--no-warn-unused-configs",
    ]
    return subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(path)],
        capture_output=True, text=True, cwd=cache, env=os.environ | {"MYPYPATH": str(package)}, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_types_are_what_they_should_be(tmp_path):
    ran = check(ROOT / "tests/support/typed.py", tmp_path)
    assert not ran.returncode, ran.stdout
    (tmp_path / "wrong.py").write_text(WRONG)
    ran = check(tmp_path / "wrong.py", tmp_path)
    assert "wrong.py:4: error" in ran.stdout and "wrong.py:5: error" in ran.stdout
