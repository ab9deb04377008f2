"""Every block of Python on every page runs, in the order of its page, in a folder of its own."""

import ast
import sys
import types

import pytest

from tests.support.pages import PAGES, blocks_of, code_of, name_of

QUICK = {"docs/pytorch.md"}  # the others train something
# What takes readers a minute is smaller here: by page, what stands there and what runs.
SMALLER = {
    "docs/training.md": [
        ("epochs=12, batch_size=64, schedule=Cosine(12,", "epochs=4, learning_rate=5e-3, schedule=Cosine(4,")
    ],
    "docs/tutorials/classify-texts.md": [("epochs=6", "epochs=4")],
    "docs/tutorials/forecast-shops.md": [("epochs=10", "epochs=6")],
    "docs/tutorials/train-on-disk.md": [("16000, 128, 8", "16000, 32, 8")],
    "docs/tutorials/search.md": [
        ("trials=12", "trials=6"),
        ("len(study.trials) == 12", "len(study.trials) == 6"),
    ],
}
RUNNING = [
    pytest.param(page, id=name_of(page), marks=() if name_of(page) in QUICK else pytest.mark.slow)
    for page in PAGES
    if code_of(page)
]


@pytest.mark.parametrize("page", RUNNING)
@pytest.mark.filterwarnings("ignore")  # of optional packages
def test_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    module = types.ModuleType(f"page_{page.stem.replace('-', '_').lower()}")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # files name the module of a model's class
    left = SMALLER.get(name_of(page), [])
    assert all(any(text in code for _, code in code_of(page)) for text, _ in left)
    for line, code in code_of(page):
        for text, smaller in left:
            code = code.replace(text, smaller)
        tree = ast.increment_lineno(ast.parse(code, name_of(page)), line - 1)
        exec(compile(tree, page, "exec"), vars(module))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_blocks_of_other_libraries_are_python(page):
    """Those of libraries that the tests do not install are of the language `py`."""
    for block in blocks_of(page, "py"):
        ast.parse(block)


def test_most_pages_of_the_guide_run_something():
    assert {"README.md", "docs/training.md", "docs/pytorch.md"} <= {param.id for param in RUNNING}
