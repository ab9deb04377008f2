"""What the linker sees of the instruction sets' objects: one name each, and nothing it could mix up.

Inline code compiled with one set's flags and left with weak linkage could be kept for all sets; a program
would then stop on a processor without that set.
"""

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]
OBJECTS = sorted(ROOT.glob("build/*/CMakeFiles/elman_isa_*.dir/csrc/isa/*.o"))


@pytest.mark.skipif(shutil.which("nm") is None, reason="no nm on this machine")
def test_there_are_objects():
    assert OBJECTS, "the tests run in the source tree, after an editable install built them"


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name)
def test_one_name_leaves_each_object(path):
    out = subprocess.run(
        ["nm", "--extern-only", "--demangle", path], check=True, capture_output=True, text=True
    ).stdout
    symbols = [line.split(maxsplit=2 if line[0] != " " else 1) for line in out.splitlines()]
    defined = {parts[-1] for parts in symbols if parts[-2] != "U"}
    assert defined == {f"elman::isa_{path.name.partition('.')[0]}"}
    needed = {parts[-1] for parts in symbols if parts[-2] == "U"}
    library = {"memcpy", "memset", "memmove", "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"}
    assert needed <= library | {"elman::Barrier::wait()"}
