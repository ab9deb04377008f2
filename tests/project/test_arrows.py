"""The arrows between rooms: includes in csrc and imports in python/elman point one way, and never in a circle.

An arrow may skip rooms: where a -> b and b -> c are allowed, so is a -> c. A room is a folder, or one file that has a
line of its own.
"""

import ast
import itertools
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
BESIDE = ("recurrent", "layers", "losses", "optim", "probes")

CPP = {
    "bind": BESIDE,
    "isa": (*BESIDE, "programs"),  # the code of one instruction set; nobody includes it
    "programs": ("recurrent",),
    **{room: ("tile",) for room in BESIDE},
    "tile": ("kernels",),
    "kernels": ("cells", "machine"),
    "machine": (),
    "cells": ("simd",),
    "simd": (),
    "cuda": ("cells", "kernels/plan_view.h", "bind/gil.h"),
}
# Files of python/elman itself are the room `base`, but for those at the top.
PYTHON = {
    "__init__.py": (
        "sktime",
        "darts",
        "sklearn",
        "torch",
        "datasets",
        "layers",
        "cells",
        "_info.py",
        "_load.py",
    ),  # rooms for type checkers
    "__main__.py": ("_info.py",),
    "_info.py": ("stack",),
    "_load.py": ("sklearn",),
    "sktime": ("sklearn",),
    "darts": ("forecast",),
    "sklearn": ("forecast",),
    "forecast": ("models",),
    "models": ("train", "layers"),
    "train": ("losses", "optim", "data"),
    "losses": ("layers",),
    "optim": ("layers",),
    "data": ("layers", "sequence"),
    "layers": ("stack", "sequence"),
    "torch": ("stack",),
    "stack": ("tracing",),
    "cells": ("tracing",),
    "tracing": ("base",),
    "sequence": ("base",),
    "datasets": ("base",),
    "base": (),
}
# Arrows that still point back or close a circle, each with who turns it round. It is to be empty.
KNOWN: dict[tuple[str, str], str] = {}


def includes():
    """Each file of csrc: the files there that it includes. Those of cuda/ are also found beside each other."""
    csrc = ROOT / "csrc"
    files = [path for path in sorted(csrc.rglob("*")) if path.suffix in (".h", ".cpp", ".cu", ".inc")]
    found = {}
    for path in files:
        names = re.findall(r'^\s*#include "([^"]+)"', path.read_text(), re.MULTILINE)
        places = [csrc, path.parent, csrc / "cuda", csrc / "cuda/gpu"]
        targets = [next((p / name for p in places if (p / name).exists()), None) for name in names]
        missing = [name for name, target in zip(names, targets, strict=True) if target is None]
        assert not missing, f"{path}: includes {missing}, found nowhere"
        found[key(path, csrc)] = [key(target, csrc) for target in targets]
    return found


def key(path, root):
    return str(path.relative_to(root))


def imports():
    """Each file of python/elman: the files there that it imports, in functions and for type checkers too."""
    package = ROOT / "python/elman"
    found = {}
    for path in sorted(package.rglob("*.py")):
        modules = []
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                modules += [(whole_name(path, package, node), alias.name) for alias in node.names]
            elif isinstance(node, ast.Import):
                modules += [(alias.name, "") for alias in node.names]
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
                modules += [(arg.value, "") for arg in node.args[:1] if isinstance(arg, ast.Constant)]
        targets = [file_of(package, module, name) for module, name in modules if is_ours(module)]
        found[key(path, package)] = sorted({key(target, package) for target in targets if target})
    return found


def whole_name(path, package, node):
    """elman.a.b of `from ..a.b import c`."""
    if not node.level:
        return node.module
    folder = path.parents[node.level - 1].relative_to(package.parent)
    return ".".join([*folder.parts, *([node.module] if node.module else [])])


def is_ours(module):
    return module.split(".")[0] == "elman"


def file_of(package, module, name):
    """The file of a module, or of `name` where it is a module of that package; None of an extension."""
    place = package.parent.joinpath(*module.split("."))
    for one in ([place / name] if name else []) + [place]:
        for file in (one.with_suffix(".py"), one / "__init__.py", one.with_suffix(".pyi")):
            if file.exists():
                return file if file.suffix == ".py" else None
    return None


def room(file, arrows):
    """The folder of a file, or the file itself where it has arrows of its own."""
    if file in arrows:
        return file
    return file.split("/")[0] if "/" in file else "base"


def allowed(arrows, start):
    """All that a room may reach."""
    found, new = {start}, [start]
    while new:
        further = [to for to in arrows.get(new.pop(), ()) if to not in found]
        found.update(further)
        new += further
    return found


def offenders(graph, arrows):
    return [
        (file, target)
        for file, targets in graph.items()
        for target in targets
        if not {room(target, arrows), target} & allowed(arrows, room(file, arrows))
    ]


def circle(graph):
    """The files of one circle, or nothing."""
    done = set()

    def walk(file, path):
        if file in path:
            return [*path[path.index(file) :], file]
        if file in done:
            return []
        found = next(filter(None, (walk(target, [*path, file]) for target in graph[file])), [])
        done.add(file)
        return found

    return next(filter(None, (walk(file, []) for file in graph)), [])


@pytest.mark.parametrize(
    ("read", "arrows"), [(includes, CPP), (imports, PYTHON)], ids=["includes", "imports"]
)
def test_arrows(read, arrows):
    graph = read()
    unknown = {room(file, arrows) for file in graph} - arrows.keys()
    assert not unknown, f"{sorted(unknown)}: rooms without arrows; add them to the table"
    found = offenders(graph, arrows)
    new = [f"{file} -> {target}" for file, target in found if (file, target) not in KNOWN]
    assert not new, "arrows that point back: " + "; ".join(new)


def test_known_offenders_still_offend():
    there = {
        (file, to) for graph in (includes(), imports()) for file, targets in graph.items() for to in targets
    }
    assert not KNOWN.keys() - there, "strike what is mended off KNOWN"


@pytest.mark.parametrize("read", [includes, imports])
def test_no_circle(read):
    graph = {file: [to for to in targets if (file, to) not in KNOWN] for file, targets in read().items()}
    found = circle(graph)
    assert not found, "a circle: " + " -> ".join(found)


def test_code_of_one_instruction_set_does_not_choose_one():
    """What is compiled for each is chosen by kernels/dispatch.h, which it therefore never sees."""
    graph = includes()
    reached = allowed(graph, "isa/table.h")
    assert not reached & {"kernels/dispatch.h", "recurrent/plan.h", "machine/buffer.h"}


def test_the_table_has_no_circle():
    for arrows in (CPP, PYTHON):
        rooms = {start: [to for to in targets if to in arrows] for start, targets in arrows.items()}
        assert not circle(rooms)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/design.md"])
def test_the_pages_draw_the_table(page):
    """Every arrow between rooms that they draw; what else they name there are files and words."""
    drawing = next(part for part in (ROOT / page).read_text().split("```") if "bind ->" in part)
    cpp, python = drawing.split("Python")
    for text, arrows in ((cpp, CPP), (python, PYTHON)):
        for chain in re.split(r" {2,}|;|\n", text):
            sides = [side.split(", ") for side in chain.removeprefix("C++:").strip(": ").split(" -> ")]
            for left, right in itertools.pairwise(sides):
                for start, end in itertools.product(left, right):
                    assert start in arrows and (end not in arrows or end in allowed(arrows, start)), chain
