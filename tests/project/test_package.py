"""The package as a user meets it: its names, its rooms, its help and its commands."""

import importlib
import inspect
import pydoc
import re
import subprocess
import sys

import pytest

import elman
from elman.__main__ import main
from tests.support.docstrings import load
from tests.support.pages import ROOT

MODULES = sorted(load("hooks").public_modules())
ROOMS = [name.partition(".")[2] for name in MODULES if name.count(".") == 1]


def python(code):
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(params=MODULES)
def module(request):
    """A public module; one whose package is not installed here is left out."""
    try:
        return importlib.import_module(request.param)
    except ImportError as error:
        assert "pip install 'elman[" in str(error)
        pytest.skip(str(error))


def test_every_room_is_an_attribute_of_the_package():
    assert len(ROOMS) >= 11 and not set(ROOMS) - set(dir(elman))


def test_rooms_are_imported_when_they_are_used():
    rooms = ", ".join(f'"{room}"' for room in ROOMS if room not in ("init", "sequence", "layers"))
    code = f"""
import sys, elman
early = [room for room in ({rooms}) if "elman." + room in sys.modules]
assert not early, early
assert elman.models.network and elman.train.fit and elman.losses.ctc and "elman.sklearn" not in sys.modules
from elman import datasets
assert datasets is elman.datasets
"""
    python(code)


def test_all_names_may_be_imported_without_any_extra():
    code = "import sys; sys.modules |= dict.fromkeys(['torch', 'sklearn', 'pandas', 'safetensors', 'tqdm'])\n"
    assert python(code + "from elman import *; print(train.__name__, LSTM.__name__)") == "elman.train LSTM\n"


@pytest.mark.parametrize("room", ["torch", "sklearn"])
def test_a_room_whose_package_is_missing_says_what_to_install(room):
    code = f"""
import sys; sys.modules[{room!r}] = None
import elman
assert not hasattr(elman, {room!r}) and {room!r} in dir(elman)
for use in ("elman.{room}", "import elman.{room}", "from elman import {room}"):
    try: exec(use)
    except (AttributeError, ImportError) as error: print(type(error).__name__, error)
"""
    text = f"elman.{room} needs {room}: pip install 'elman[{room}]'\n"
    assert python(code) == f"AttributeError {text}ImportError {text}ImportError {text}"


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'elman' has no attribute 'nothing'"):
        elman.nothing  # noqa: B018


def test_dir_shows_what_is_public(module):
    shown = set(dir(module))
    assert shown - set(module.__all__) == (set(ROOMS) - set(elman.__all__) if module is elman else set())
    assert not [name for name in shown - {"__version__"} if name.startswith("_")]
    assert all(hasattr(module, name) for name in module.__all__)


@pytest.mark.slow
def test_help_shows_the_same_names(module):
    """Beside the files of a package, which pydoc lists."""
    text = pydoc.plain(pydoc.render_doc(module))
    sections = dict(re.findall(r"^([A-Z ]+)\n((?:    .*\n|\n)+)", text, re.MULTILINE))
    shown = set(
        re.findall(
            r"^    (?:class )?(\w+)(?:\(| = )",
            "".join(map(sections.get, sections.keys() & {"FUNCTIONS", "DATA"})),
            re.MULTILINE,
        )
    )
    shown |= set(re.findall(r"^    class (\w+)", sections.get("CLASSES", ""), re.MULTILINE))
    rooms = {name for name in module.__all__ if inspect.ismodule(getattr(module, name))}
    assert shown - {"__all__"} == set(module.__all__) - rooms - {"__version__"}
    assert not rooms - set(re.findall(r"^    (\w+)", sections.get("PACKAGE CONTENTS", ""), re.MULTILINE))


def test_commands_are_listed_and_unknown_ones_named(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert re.search(r"info .*\n *describe ", capsys.readouterr().out)
    with pytest.raises(SystemExit) as ended:
        main(["inof"])
    assert ended.value.code == 2
    assert "invalid choice: 'inof' (choose from" in capsys.readouterr().err


def test_info_prints_each_fact(capsys):
    assert main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(elman.info())


def test_describe_tells_what_a_file_holds(tmp_path, capsys):
    """Without importing the class, which may be the user's own."""
    path = tmp_path / "gru.safetensors"
    elman.GRU(3, 4).save(path)
    assert main(["describe", str(path)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^layer +.*GRU$", out, re.MULTILINE) and re.search(r"^numbers +108$", out, re.MULTILINE)
    assert re.search(r"hidden_size +4$", out, re.MULTILINE)
    assert re.search(r"^weight_hh_l0 +\[12, 4\] float32$", out, re.MULTILINE)


def test_describe_refuses_other_files(tmp_path, capsys):
    path = tmp_path / "notes.txt"
    path.write_text("no model")
    assert main(["describe", str(path)]) == 1
    assert (
        f"file: expected one that elman wrote, got {str(path)!r}: not a safetensors file"
        in capsys.readouterr().err
    )
    assert main(["describe", str(tmp_path / "none")]) == 1
    assert "No such file" in capsys.readouterr().err


@pytest.mark.slow
def test_type_checkers_see_the_rooms(tmp_path):
    mypy = pytest.importorskip("mypy.api")
    program = tmp_path / "program.py"
    program.write_text("import elman\nreveal_type(elman.models.network)\nelman.train.fit(3)\n")
    out, _, _ = mypy.run([str(program), "--config-file", str(ROOT / "pyproject.toml"), "--no-incremental"])
    assert re.search(r'Revealed type is "def \(', out) and "3: error:" in out, out
