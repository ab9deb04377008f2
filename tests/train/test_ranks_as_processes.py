"""`fit` on two real processes, by MPI and by torch.distributed: the same results; one that is ended ends the other."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
MPIEXEC = shutil.which("mpiexec", path=f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}")
SECONDS = 120


def start(kind, directory, epochs, *words):
    """The processes of one training, or of MPI's the one that starts them."""
    script = [sys.executable, "-m", "tests.support.fit_on_ranks", kind, str(directory), str(epochs), *words]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "python"), str(ROOT)])}
    started = dict(cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if kind == "alone":
        return [subprocess.Popen(script, env=environment, **started)]
    if kind == "mpi":
        pytest.importorskip("mpi4py")
        assert MPIEXEC, "mpiexec: expected that of the package mpich, found none"
        return [subprocess.Popen([MPIEXEC, "-n", "2", *script], env=environment, **started)]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    world = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    return [
        subprocess.Popen(script, env=environment | world | {"RANK": str(rank)}, **started)
        for rank in range(2)
    ]


def finish(processes):
    """What each rank has trained."""
    found = []
    for process in processes:
        out, error = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, error
        while "{" in out:  # two ranks of MPI may write in one line
            out = out[out.index("{") :]
            result, end = json.JSONDecoder().raw_decode(out)
            found.append(result)
            out = out[end:]
    return found


@pytest.mark.slow
def test_both_ways_give_the_same_bits_on_every_rank(tmp_path):
    mpi, gloo = (finish(start(kind, tmp_path / kind, 2)) for kind in ("mpi", "gloo"))
    assert len(mpi) == len(gloo) == 2
    assert all(result == mpi[0] for result in [*mpi, *gloo])


def ranks_of(process):
    """The ids of the processes below MPI's."""
    children = subprocess.run(["ps", "-eo", "pid,ppid,args"], text=True, capture_output=True, check=True)
    found, rows = {process.pid}, [line.split(None, 2) for line in children.stdout.splitlines()[1:]]
    for _ in range(4):
        found |= {int(pid) for pid, parent, _ in rows if int(parent) in found}
    return sorted(int(pid) for pid, _, args in rows if int(pid) in found and args.startswith(sys.executable))


def wait_for(process, update):
    for line in process.stdout:
        if line.startswith(update):
            return
    raise AssertionError(process.stderr.read())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What a run of six epochs gives that nobody ends."""
    return finish(start("mpi", tmp_path_factory.mktemp("whole"), 6))


@pytest.mark.slow
@pytest.mark.kills
@pytest.mark.parametrize(
    ("kind", "victim", "number"),
    [
        ("mpi", 1, signal.SIGKILL),
        ("mpi", 0, signal.SIGINT),
        ("gloo", 0, signal.SIGKILL),
        ("gloo", 1, signal.SIGINT),
    ],
)
def test_one_that_is_ended_ends_the_other_and_the_checkpoint_is_whole(tmp_path, whole, kind, victim, number):
    processes = start(kind, tmp_path / "a", 30, "wait")
    wait_for(processes[0], "update 2 1")
    pids = ranks_of(processes[0]) if kind == "mpi" else [process.pid for process in processes]
    assert len(pids) == 2
    os.kill(pids[victim], number)
    for process in processes:
        process.communicate(timeout=SECONDS)  # long before the group's own timeout
        assert process.returncode != 0
    assert finish(start("mpi", tmp_path / "a", 6)) == whole
    alone = finish(start("alone", tmp_path / "a", 8))
    assert alone[0]["losses"][:6] == whole[0]["losses"] and len(alone[0]["losses"]) == 8


@pytest.mark.slow
def test_a_source_in_windows_gives_the_same_bits_on_every_rank_and_goes_on(tmp_path):
    mpi, gloo = (finish(start(kind, tmp_path / kind, 3, "samples")) for kind in ("mpi", "gloo"))
    assert len(mpi) == len(gloo) == 2
    assert all(result == mpi[0] for result in [*mpi, *gloo])
    finish(start("gloo", tmp_path / "parts", 1, "samples"))
    assert finish(start("mpi", tmp_path / "parts", 3, "samples")) == mpi


@pytest.mark.slow
@pytest.mark.kills
@pytest.mark.parametrize("kind", ["mpi", "gloo"])
def test_a_killed_rank_over_a_source_in_windows(tmp_path, kind):
    """Killed within an epoch, while both read ahead."""
    want = finish(start(kind, tmp_path / "whole", 4, "samples"))
    processes = start(kind, tmp_path / "a", 30, "wait", "samples")
    wait_for(processes[0], "update 2 3")
    pids = ranks_of(processes[0]) if kind == "mpi" else [process.pid for process in processes]
    os.kill(pids[1], signal.SIGKILL)
    for process in processes:
        process.communicate(timeout=SECONDS)
        assert process.returncode != 0
    assert finish(start(kind, tmp_path / "a", 4, "samples")) == want
