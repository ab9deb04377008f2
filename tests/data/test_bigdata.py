"""What `python -m bench.bigdata` does with many gigabytes, with 32 MB."""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.kills
@pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="of Linux")
@pytest.mark.parametrize("way", ["sequences", "samples"])
def test_over_a_memory_map_killed_and_resumed(way, tmp_path):
    options = ["--gigabytes", "0.03", "--directory", str(tmp_path), "--kill", way, "--kills", "2"]
    command = [sys.executable, "-m", "bench.bigdata", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"^{way} killed [12] times: the same bits", done.stdout, re.MULTILINE)
    losses = re.findall(r"loss ([\d.]+)$", done.stdout, re.MULTILINE)
    assert losses[0] == losses[1] and len(losses) == 3  # in memory and mapped, of the same sequences
