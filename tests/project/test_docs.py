"""What the pages name is there, what the README shows runs, and what the example promises to do it does."""

import importlib
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

import elman

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
ROOMS = ("csrc", "python", "tests", "bench", "examples", "docs")
FILE = r"(?<![\w/.*-])(?:[\w-]+/)*[\w-]+\.(?:h|cpp|cu|inc|cmake|py|md|csv)\b"


@pytest.fixture(params=PAGES, ids=lambda page: page.name)
def page(request):
    """The words of a page, but for what its diffs add."""
    return re.sub(r"```diff.*?```", "", request.param.read_text(), flags=re.DOTALL)


def paths():
    """Of all files, each after a slash."""
    files = [*ROOT.glob("*.*"), *(path for room in ROOMS for path in (ROOT / room).rglob("*.*"))]
    return [f"/{path.relative_to(ROOT)}" for path in files]


def test_files_that_a_page_names_are_there(page):
    """By the whole path or its end."""
    known = paths()
    missing = [
        name for name in set(re.findall(FILE, page)) if not any(path.endswith(f"/{name}") for path in known)
    ]
    assert not missing


def test_variables_and_commands_that_a_page_names_are_there(page):
    makefile = (ROOT / "Makefile").read_text()
    code = [ROOT / path[1:] for path in paths() if re.search(r"\.(h|cpp|cmake|py|txt)$", path)]
    known = set(re.findall(r"\bELMAN_[A-Z_]+\b", makefile + "".join(path.read_text() for path in code)))
    assert not set(re.findall(r"\bELMAN_[A-Z_]+\b", page)) - known
    commands = re.findall(r"(?:`|^)make ([a-z][a-z-]*)", page, re.MULTILINE)
    assert not [name for name in commands if not re.search(rf"^{name}:", makefile, re.MULTILINE)]


def test_names_of_elman_that_a_page_names_are_there(page):
    for name in set(re.findall(r"(?<!\w)elman(?:\.[A-Za-z_]\w*)+", page)):
        find(name)


def find(name):
    """The module, or what is in one."""
    try:
        return importlib.import_module(name)
    except ImportError:
        outer, _, last = name.rpartition(".")
        return getattr(find(outer), last)


def test_readme_example():
    code, training, pytorch = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["y"].shape == (100, 32, 128) and names["dx"].shape == (100, 32, 7)
    assert not names["y"][names["lengths"][0] :, 0].any()
    assert names["out"].any()
    exec(compile(training, "README.md", "exec"), names)
    assert names["history"].epochs == 3 and names["model"].predict_proba(names["sequences"]).shape == (32, 2)
    names = {"model": torch.nn.Sequential(torch.nn.GRU(3, 4))}
    exec(compile(pytorch, "README.md", "exec"), names)
    assert type(names["model"][0]) is names["elman"].torch.GRU


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of optional packages
def test_training_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for code in re.findall(r"```python\n(.*?)```", (ROOT / "docs/training.md").read_text(), re.DOTALL):
        exec(compile(code, "training.md", "exec"), names)
    assert names["error"][0] < 0.8 and names["error"][23] < 3.5  # C; persistence has 0.64 and 3.60
    assert min(names["history"].validation_loss) < 0.2
    last = names["model"](names["test"].x[0][:, None])
    np.testing.assert_array_equal(names["now"], last)
    assert (tmp_path / "history.png").exists() and len(names["study"].trials) == 2


@pytest.mark.slow
def test_weather_example_runs(tmp_path):
    out = subprocess.run(
        [sys.executable, ROOT / "examples/weather.py", "--quick", "--out", tmp_path],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    errors = dict(
        re.findall(r"^(elman|ridge regression|persistence|same hour yesterday) +([\d.]+)", out, re.MULTILINE)
    )
    assert float(errors["persistence"]) == 0.635  # the same whatever the network
    assert 0.3 < float(errors["elman"]) < 0.8
    picture = tmp_path / "weather.png"
    assert str(picture) in out and picture.read_bytes().startswith(b"\x89PNG")
    assert elman.load(tmp_path / "weather.safetensors").horizon == 9
