"""One run in a directory at a time."""

import os
import signal
import subprocess
import sys

import pytest

from elman.train.checkpoint import Checkpoint
from tests.support.runs import regressor, run


def test_two_runs_in_one_directory(tmp_path):
    def other(run_):
        with pytest.raises(
            ValueError,
            match=r"checkpoint: expected a directory that no other run uses, got '.*', in use by "
            rf"process {os.getpid()} on .+ since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d",
        ):
            run(regressor(), tmp_path)

    run(regressor(), tmp_path, callbacks=[other])
    run(regressor(), tmp_path)  # it ends with the run


HOLD = """
import sys, time
from elman.train.checkpoint import Checkpoint
held = Checkpoint(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""


@pytest.mark.kills
def test_a_lock_is_seen_by_other_processes_and_dies_with_its_own(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    with pytest.raises(ValueError, match=f"in use by process {process.pid} on"):
        run(regressor(), tmp_path)
    process.kill()
    process.communicate()
    run(regressor(), tmp_path)


@pytest.mark.kills
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_does_not_hold_the_lock_on(tmp_path):
    held = Checkpoint(tmp_path)
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, b"?")
        signal.pause()
    os.read(read, 1)  # the child lives, and has had the time to let go
    held.close()
    Checkpoint(tmp_path).close()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(read)
    os.close(write)


def test_a_refused_run_lets_go_of_the_directory(tmp_path):
    run(regressor(), tmp_path)
    with pytest.raises(ValueError, match=r"seed: expected 0, that of the run in '.*', got 1"):
        run(regressor(), tmp_path, seed=1)
    run(regressor(), tmp_path)


# What is in one
