"""What the pages name is there, and what the example promises to do it does."""

import ast
import functools
import importlib
import re
import subprocess
import sys
import types

import pytest

import elman
from tests.support.pages import PAGES, ROOT, anchors_of, blocks_of, links_of, name_of

ROOMS = ("csrc", "python", "tests", "bench", "examples", "docs")
FILE = r"(?<![\w/.*-])(?:[\w-]+/)*[\w-]+\.(?:h|cpp|cu|inc|cmake|py|md|csv)\b"
MAKEFILE = (ROOT / "Makefile").read_text()


@pytest.fixture(params=PAGES, ids=name_of)
def path(request):
    return request.param


@pytest.fixture
def page(path):
    """The words of a page, but for what its diffs add."""
    return re.sub(r"```diff.*?```", "", path.read_text(), flags=re.DOTALL)


def paths():
    """Of all files, each after a slash."""
    files = [*ROOT.glob("*.*"), *(path for room in ROOMS for path in (ROOT / room).rglob("*.*"))]
    return [f"/{path.relative_to(ROOT)}" for path in files]


def test_files_that_a_page_names_are_there(page):
    """By the whole path or its end. What a block of code names it may make; a script has its name in its first line."""
    words = re.sub(r"```py.*?```|<!-- test:.*?-->", "", page, flags=re.DOTALL)
    known = [
        *paths(),
        *(f"/{name}" for name in re.findall(r"^```py(?:thon)?\n# (\w+\.py)$", page, re.MULTILINE)),
    ]
    missing = [
        name for name in set(re.findall(FILE, words)) if not any(path.endswith(f"/{name}") for path in known)
    ]
    assert not missing


def test_links_of_a_page_lead_somewhere(path):
    """To files of the repository and headings in them; of those to elsewhere only the form is looked at."""
    dead = []
    for link in links_of(path):
        if re.match(r"[a-z]+:", link):
            if not re.fullmatch(r"https://[\w.-]+\.\w+(/\S*)?", link):
                dead.append(link)
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.is_file() or (anchor and anchor not in anchors_of(target)):
            dead.append(link)
    assert not dead


@functools.cache
def variables():
    code = [ROOT / path[1:] for path in paths() if re.search(r"\.(h|cpp|cmake|py|txt)$", path)]
    return set(re.findall(r"\bELMAN_[A-Z_]+\b", MAKEFILE + "".join(path.read_text() for path in code)))


def test_variables_and_commands_that_a_page_names_are_there(page):
    assert not set(re.findall(r"\bELMAN_[A-Z_]+\b", page)) - variables()
    commands = re.findall(r"(?:`|^)make ([a-z][a-z0-9-]*)", page, re.MULTILINE)
    assert not [name for name in commands if not re.search(rf"^{name}:", MAKEFILE, re.MULTILINE)]


def test_extras_and_modules_that_commands_name_are_there(path):
    """Of blocks without a language, or of a shell's, and of commands within lines."""
    text = "\n".join(blocks_of(path, "", "sh", "bash", "console")) + path.read_text()
    extras = set(re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    for names in re.findall(r"pip install [^\n`]*?(?:\.|elman)\[([\w,]+)\]", text):
        assert not set(names.split(",")) - extras
    for module in re.findall(r"python -m ((?:bench|elman|examples)[\w.]*)", text):
        place = module.replace(".", "/").replace("elman", "python/elman", 1)
        assert (ROOT / f"{place}.py").exists() or (ROOT / place / "__main__.py").exists(), module


def test_names_of_elman_that_a_page_names_are_there(page):
    for name in set(re.findall(r"(?<![\w/.])elman(?:\.[A-Za-z_]\w*)+", page)):
        find(name)


def public_names(room):
    """Of a room that cannot be imported: what its __all__ says."""
    text = (ROOT / "python" / room.replace(".", "/") / "__init__.py").read_text()
    return ast.literal_eval(re.search(r"^__all__ = (\[.*?\])", text, re.MULTILINE | re.DOTALL)[1])


def find(name):
    """The module, or what is in one."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if "pip install 'elman[" in str(error):  # a room whose package is not installed here
            return types.SimpleNamespace(**dict.fromkeys(public_names(name)))
        outer, _, last = name.rpartition(".")
        return getattr(find(outer), last)


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
