"""What the linker sees of the instruction sets' objects: their tables, and nothing it could mix up.

Inline code compiled with one set's flags and left with weak linkage could be kept for all sets; a program
would then stop on a processor without that set.
"""

import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PARTS = {path.stem for path in (ROOT / "csrc/isa").glob("*.cpp")}
# Of the parts that there are: a build folder may hold objects of sources that are gone.
OBJECTS = [
    path
    for path in sorted(ROOT.glob("build/*/CMakeFiles/elman_isa_*.dir/csrc/isa/*.o"))
    if path.name.partition(".")[0] in PARTS
]

LIBRARY = {"memcpy", "memset", "memmove", "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"}
# What each part defines, in its set's namespace.
TABLES = {
    "forward_f32": {"forward_f32"},
    "forward_f64": {"forward_f64"},
    "backward_f32": {"backward_f32", "products_f32", "program_back_f32"},
    "backward_f64": {"backward_f64", "products_f64", "program_back_f64"},
    "programs_f32": {"programs_f32"},
    "programs_f64": {"programs_f64"},
    "table": {"isa"},
}
# What each part needs of others.
NEEDED = {part: {"elman::Barrier::wait(int)"} for part in TABLES} | {
    "table": {name for name in set.union(*TABLES.values()) if not name.startswith("program_back")} - {"isa"},
    "programs_f32": {"elman::Barrier::wait(int)", "program_back_f32"},
    "programs_f64": {"elman::Barrier::wait(int)", "program_back_f64"},
}


def set_of(path):
    return re.search(r"elman_isa_(\w+)\.dir", str(path))[1]


def part_of(path):
    return path.name.partition(".")[0]


@pytest.fixture(scope="module")
def symbols():
    """By object: (defined, undefined) names that others see."""
    found = {}
    for path in OBJECTS:
        out = subprocess.run(
            ["nm", "--extern-only", "--demangle", path], check=True, capture_output=True, text=True
        ).stdout
        lines = [line.split(maxsplit=2 if line[0] != " " else 1) for line in out.splitlines()]
        found[path] = [(parts[-2], parts[-1]) for parts in lines]
    return found


pytestmark = pytest.mark.skipif(shutil.which("nm") is None, reason="no nm on this machine")


def test_each_set_has_all_parts():
    assert OBJECTS, "the tests run in the source tree, after an editable install built them"
    assert set(TABLES) == PARTS
    for folder in {path.parent for path in OBJECTS}:
        assert {part_of(path) for path in OBJECTS if path.parent == folder} == set(TABLES), folder


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: f"{set_of(path)}-{part_of(path)}")
def test_only_tables_leave_each_object(path, symbols):
    own = f"elman::{set_of(path)}::"
    defined = {name for kind, name in symbols[path] if kind != "U"}
    assert defined == {own + table for table in TABLES[part_of(path)]}
    assert not {kind for kind, _ in symbols[path]} & set("uVvWw"), "a weak name"
    needed = {name for kind, name in symbols[path] if kind == "U"}
    allowed = {name if "::" in name else own + name for name in NEEDED[part_of(path)]}
    assert needed <= LIBRARY | allowed


def test_no_two_objects_define_the_same_name(symbols):
    for build in {path.parents[4] for path in OBJECTS}:
        names = [
            name
            for path, found in symbols.items()
            if path.parents[4] == build
            for kind, name in found
            if kind != "U"
        ]
        assert len(names) == len(set(names))
