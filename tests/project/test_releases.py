"""One version: that of the package, of the changelog and of what is built; and what the workflow builds."""

import re

import pytest

import elman
from tests.support.pages import ROOT

tomllib = pytest.importorskip("tomllib")  # from Python 3.11 on
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WORKFLOW = (ROOT / ".github/workflows/wheels.yml").read_text()


def test_the_version_stands_in_one_place():
    source = (ROOT / "python/elman/_version.py").read_text()
    assert re.findall(r'"(\d+\.\d+\.\d+)"', source) == [elman.__version__]
    assert "version" not in PROJECT["project"] and PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["scikit-build"]["metadata"]["version"]["input"] == "python/elman/_version.py"


def test_the_changelog_begins_with_it():
    headings = re.findall(
        r"^## \[(.+?)\] - (Unreleased|\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    versions = [version for version, _ in headings]
    assert versions[0] == elman.__version__
    assert versions == sorted(versions, key=lambda v: [*map(int, v.split("."))], reverse=True)
    assert all(date != "Unreleased" for _, date in headings[1:])


def test_the_workflow_pins_what_it_runs():
    """Actions by the hash of a commit, tools by their version: what has been looked at is what runs."""
    actions = re.findall(r"uses: (\S+)", WORKFLOW)
    assert actions and all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action) for action in actions)
    tools = re.findall(r"pipx run (\S+)", WORKFLOW)
    assert tools and all(re.fullmatch(r"\w+==[\d.]+", tool) for tool in tools)


def test_wheels_are_tested_by_files_that_are_there():
    (*commands,) = PROJECT["tool"]["cibuildwheel"]["test-command"]
    paths = re.findall(r"\{project\}/(\S+)", " ".join(commands))
    assert len(paths) > 2 and all((ROOT / path).exists() for path in paths)
