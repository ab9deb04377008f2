"""How many threads there are: quotas, affinity, and a system that starts no more of them."""

import os
import shutil
import subprocess
import sys
import textwrap

import pytest

import elman
from elman import _core

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux")

V2 = "30 20 0:26 {top} /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "33 31 0:30 {top} /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
    "32 31 0:29 {top} /sys/fs/cgroup/cpu,cpuacct rw shared:1 - cgroup cgroup rw,cpu,cpuacct\n"
)
HALF, TWO, MANY = "50000 100000", "200000 100000", "450000 100000"


def test_sizes_of_caches(tmp_path):
    caches = [(1, "Data", "48K"), (1, "Instruction", "32K"), (2, "Unified", "1024K"), (3, "Unified", "32M")]
    for n, (level, kind, size) in enumerate(caches):
        folder = tmp_path / f"sys/devices/system/cpu/cpu0/cache/index{n}"
        folder.mkdir(parents=True)
        for name, value in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(f"{value}\n")
    found = [_core.cache_bytes(str(tmp_path), level) for level in (1, 2, 3, 4)]
    assert found == [48 << 10, 1 << 20, 32 << 20, 0]
    told = elman.info()["caches"]
    assert told == "unknown" or all(int(size[:-1]) > 0 and size[-1] == "K" for size in told.values())


@pytest.mark.parametrize(
    ("mounts", "top", "own", "limits", "processors"),
    [
        (V2, "/", "0::/\n", {"": HALF}, 1),
        (V2, "/", "0::/a/b\n", {"": "max 100000", "/a": MANY, "/a/b": "max 100000"}, 5),
        (V2, "/", "0::/a/b\n", {"/a": TWO, "/a/b": MANY}, 2),
        (V2, "/", "0::/a/b\n", {"/a": MANY, "/a/b": TWO, "/a/c": HALF}, 2),
        (V2, "/docker/x", "0::/docker/x/y\n", {"": MANY, "/y": "300000 100000"}, 3),
        (V2, "/", "0::/../elsewhere\n", {"": TWO, "/elsewhere": HALF}, 2),
        (V2, "/", "0::/a\n", {"/a": "max 100000"}, 0),
        (V1, "/", "5:cpuset:/\n4:cpu,cpuacct:/a\n1:name=systemd:/\n0::/\n", {"/a": "150000 100000"}, 2),
        (V1, "/docker/x", "4:cpu,cpuacct:/docker/x\n", {"": "1000 100000"}, 1),
        (V1, "/", "4:cpu,cpuacct:/a\n", {"": TWO, "/a": "-1 100000"}, 2),
        (V1, "/", "4:cpu,cpuacct:/\n", {"": "-1 100000"}, 0),
        ("", "/", "", {}, 0),
    ],
)
def test_quotas_of_control_groups(tmp_path, mounts, top, own, limits, processors):
    process = tmp_path / "proc" / "self"
    process.mkdir(parents=True)
    (process / "mountinfo").write_text("1 1 8:1 / / rw - ext4 /dev/sda1 rw\n" + mounts.format(top=top))
    (process / "cgroup").write_text(own)
    for group, limit in limits.items():
        folder = tmp_path / ("sys/fs/cgroup" + ("/cpu,cpuacct" if mounts is V1 else "") + group)
        folder.mkdir(parents=True, exist_ok=True)
        if mounts is V1:
            quota, period = limit.split()
            (folder / "cpu.cfs_quota_us").write_text(quota + "\n")
            (folder / "cpu.cfs_period_us").write_text(period + "\n")
        else:
            (folder / "cpu.max").write_text(limit + "\n")
    assert _core.quota_processors(str(tmp_path)) == processors


def python(code, before="", **settings):
    """Runs it in a process of its own, with elman's usual rule for the number of threads; `before`: shell commands."""
    env = {name: value for name, value in os.environ.items() if name != "ELMAN_OVERSUBSCRIBE"} | settings
    command = ["sh", "-c", f'{before}\nexec "$0" -c "$1"', sys.executable, textwrap.dedent(code)]
    run = subprocess.run(command, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


@pytest.mark.slow
@linux
def test_no_more_threads_than_processors():
    code = """
        import os, time, numpy as np, elman
        there = elman.info()["processors"]
        assert there <= len(os.sched_getaffinity(0))
        elman.set_num_threads(64)
        print(elman.num_threads() == there, elman.info()["threads"] == there)
        elman.set_num_threads(1)
        print(elman.num_threads())
        elman.set_num_threads(64)
        step, x = elman.GRU(64, 512, init="uniform", seed=0).stepper(1), np.ones((1, 64), np.float32)
        first = step(x).copy()
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        time.sleep(1.1)
        print(elman.num_threads())
        step.reset()
        print(np.array_equal(step(x), first))
    """
    assert python(code) == ["True", "True", "1", "1", "True"]
    ask = "import elman; print(elman.num_threads() == elman.info()['processors'])"
    assert python(ask, ELMAN_NUM_THREADS="64") == ["True"]
    assert python(ask, OMP_NUM_THREADS="64") == ["True"]


# A thread's stack takes 1 GiB of addresses here, and these are limited, which binds root too.
HUGE_STACKS = "ulimit -s 1048576"
LIMITED = """
    import os, resource, time

    def limit(gigabytes):
        taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + int(gigabytes * 2**30), resource.RLIM_INFINITY))

    def tasks():
        return len(os.listdir("/proc/self/task"))
"""


def can_have_huge_stacks():
    return subprocess.run(["sh", "-c", HUGE_STACKS], capture_output=True).returncode == 0


@pytest.mark.slow
@linux
@pytest.mark.skipif(not can_have_huge_stacks(), reason="stacks are limited")
@pytest.mark.parametrize("startable", [0, 2])
@pytest.mark.parametrize("B", [1, 40])  # threads that share the units, and the rows
def test_threads_that_cannot_be_started_are_done_without(startable, B):
    """The same bits with none or some of the workers, in calls and steps, and all of them once they can be started."""
    work = """
        import hashlib, numpy as np, elman
        elman.set_num_threads(5)
        layer = elman.LSTM(64, 256, init="uniform", seed=0)
        x = np.random.default_rng(0).standard_normal((60, BATCH, 64)).astype(np.float32)

        def run():
            y, _, backward = layer.forward(x)
            layer.zero_grad()
            dx, _ = backward(y)
            step = layer.stepper(BATCH)
            steps = np.stack([step(one) for one in x])
            return hashlib.md5(b"".join(a.tobytes() for a in [y, dx, steps, *layer.grads.values()])).hexdigest()
    """
    limited = f"""
        before = tasks()
        limit({startable} + 0.5)
        print(run(), run())
        print(tasks() - before)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
        time.sleep(1.1)
        print(run(), tasks() - before)
    """
    settings = {"ELMAN_OVERSUBSCRIBE": "1", "OPENBLAS_NUM_THREADS": "1"}
    work = textwrap.dedent(work.replace("BATCH", str(B)))
    [alone] = python(work + "elman.set_num_threads(1)\nprint(run())", **settings)
    out = python(textwrap.dedent(LIMITED) + work + textwrap.dedent(limited), HUGE_STACKS, **settings)
    assert out == [alone, alone, str(startable), alone, "4"]


@pytest.mark.slow
@linux
@pytest.mark.skipif(not can_have_huge_stacks(), reason="stacks are limited")
def test_torchs_threads_that_cannot_be_started_are_done_without():
    """GNU's OpenMP would end the process where it cannot start a thread."""
    pytest.importorskip("torch")
    code = """
        import torch, elman.torch as et
        torch.set_num_threads(3)
        torch.manual_seed(0)
        layer, x = et.LSTM(64, 256), torch.randn(60, 8, 64)
        torch.set_grad_enabled(False)  # nothing here takes torch's threads: torch's own copies would
        print_sum = lambda: print(layer(x)[0].numpy().sum(dtype="f8"))
        if LIMIT:
            before = tasks()
            limit(0.5)
            print_sum()
            assert tasks() == before
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
            time.sleep(1.1)
        print_sum()
    """
    code = textwrap.dedent(LIMITED) + textwrap.dedent(code)
    settings = {"ELMAN_OVERSUBSCRIBE": "1", "OPENBLAS_NUM_THREADS": "1"}
    [want] = python(code.replace("LIMIT:", "False:"), HUGE_STACKS, **settings)
    assert python(code.replace("LIMIT:", "True:"), HUGE_STACKS, **settings) == [want, want]


def test_info_tells_the_processors():
    facts = elman.info()
    assert facts["processors"] == _core.processors() >= facts["cores"] == _core.cores() >= 1


@pytest.mark.parametrize("name", ["core_cpus_list", "thread_siblings_list"])
def test_hyper_threads_of_a_core_count_once(tmp_path, name):
    """Where the system does not tell, every processor is a core."""
    for processor, siblings in enumerate(["0,4", "1,5", "2-3", "2-3", "0,4", "1,5"]):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{processor}/topology"
        folder.mkdir(parents=True)
        (folder / name).write_text(siblings + "\n")
    root = str(tmp_path)
    assert [_core.distinct_cores(root, these) for these in ([0, 1, 2, 3, 4, 5], [0, 4], [3, 5], [])] == [
        3,
        1,
        2,
        0,
    ]
    assert _core.distinct_cores(root, [0, 4, 8, 9]) == 3


# In place of the system's: it refuses sets of less than `ROOM` bits, and this process may run on `COUNT` processors.
# Neighbours share a core.
SYSTEM = """
    #define _GNU_SOURCE
    #include <errno.h>
    #include <sched.h>
    #include <string.h>
    int sched_getaffinity(pid_t thread, size_t size, cpu_set_t* set) {
      if (size * 8 < ROOM) return errno = EINVAL, -1;
      memset(set, 0, size);
      for (int i = 0; i < COUNT; ++i) CPU_SET_S(i, size, set);
      return 0;
    }
"""


@pytest.mark.slow
@linux
@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_more_processors_than_a_cpu_set_holds(tmp_path):
    (tmp_path / "system.c").write_text(SYSTEM)
    library = tmp_path / "system.so"
    make = ["cc", "-shared", "-fPIC", "-DROOM=4096", "-DCOUNT=1500", "-o", library, tmp_path / "system.c"]
    subprocess.run(make, check=True)
    code = """
        import elman
        from elman import _core
        elman.set_num_threads(2000)
        quota = _core.quota_processors("") or 1500
        print(_core.processors() == elman.num_threads() == min(1500, quota))
    """
    assert python(code, LD_PRELOAD=str(library)) == ["True"]


@pytest.mark.slow
@linux
def test_the_default_is_a_thread_for_each_core_that_is_allowed():
    """Seen at the start, under taskset or any other who sets the affinity; and again when it changes."""
    code = """
        import os, time, elman
        from elman import _core
        mine = sorted(os.sched_getaffinity(0))
        cores = _core.distinct_cores("", mine)
        print(elman.num_threads() == elman.info()["threads"] == min(cores, elman.info()["processors"]))
        os.sched_setaffinity(0, mine[:1])
        time.sleep(1.1)
        print(elman.num_threads(), elman.info()["processors"], elman.info()["cores"])
        os.sched_setaffinity(0, mine)
        time.sleep(1.1)
        print(elman.num_threads() == min(cores, elman.info()["processors"]))
    """
    unset = "unset ELMAN_NUM_THREADS OMP_NUM_THREADS"
    assert python(code, unset) == ["True", "1", "1", "1", "True"]
    if shutil.which("taskset"):
        one = f"{unset}; taskset -cp {min(os.sched_getaffinity(0))} $$ > /dev/null"
        assert python("import elman; print(elman.num_threads())", one) == ["1"]
