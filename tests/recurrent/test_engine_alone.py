"""The engine without Python: its self-test plain, under valgrind and the thread sanitizer, and for ARM."""

import os
import pathlib
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.emulated

ROOT = pathlib.Path(__file__).parents[2]
ARM_COMPILER, ARM_EMULATOR, ARM_LIBRARIES = "aarch64-linux-gnu-g++", "qemu-aarch64", "/usr/aarch64-linux-gnu"


def built(name):
    """A program that `make test` builds together with the extension (ELMAN_SELFTEST)."""
    found = sorted(ROOT.glob(f"build/*/{name}"))
    assert found, f"{name} is not built: install with --config-settings=cmake.define.ELMAN_SELFTEST=ON"
    return found[-1]


def run(*command, **options):
    result = subprocess.run(command, capture_output=True, text=True, timeout=1500, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_selftest():
    assert "0 failures" in run(built("selftest"))


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="no valgrind on this machine")
def test_no_invalid_memory_access():
    """Valgrind knows AVX2 but not AVX-512: the kernels it does not know do not run. It puts its own operator new
    in the place of the self-test's, but not operator delete, and that mismatch means nothing."""
    assert "0 failures" in run(
        "valgrind", "-q", "--error-exitcode=9", "--show-mismatched-frees=no", built("selftest")
    )


def test_no_data_race():
    """The pool, the barrier and the schedules; kernels are not instrumented (that takes minutes to compile)."""
    out = run(built("selftest_threads"))
    assert "0 failures" in out


def on_one_processor():
    """The emulator makes plain stores and loads of those that ARM keeps in order, and x86 lets a load pass a store: a
    thread that goes to sleep may then miss who wakes it (seen once, of 65 threads). On one processor nothing passes."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@pytest.mark.skipif(shutil.which(ARM_COMPILER) is None, reason="no compiler for ARM on this machine")
def test_arm(tmp_path):
    """Compiles the NEON kernels, and runs them where there is an emulator."""
    configure = (
        "cmake", "-S", ROOT / "tests/cpp", "-B", tmp_path, "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_SYSTEM_NAME=Linux",
        "-DCMAKE_SYSTEM_PROCESSOR=aarch64", f"-DCMAKE_CXX_COMPILER={ARM_COMPILER}",
    )  # fmt: skip
    run(*configure)
    run("cmake", "--build", tmp_path, "--parallel", "2")
    if shutil.which(ARM_EMULATOR) is None:
        pytest.skip("compiled; no emulator for ARM on this machine")
    out = run(ARM_EMULATOR, "-L", ARM_LIBRARIES, tmp_path / "selftest", preexec_fn=on_one_processor)
    assert "neon compared" in out and "0 failures" in out
