"""The reference has every public name, which says what it must, and nothing on the site is dead or from elsewhere."""

import html.parser
import pathlib
import re
import subprocess
import sys
import urllib.parse

import pytest

from tests.support.docstrings import lacks, load, public_things
from tests.support.pages import ROOT


class Page(html.parser.HTMLParser):
    """What a page has: places, links, and what a browser loads for it."""

    def __init__(self, text: str):
        super().__init__()
        self.places, self.links, self.loaded = {"", "__toc"}, [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.places.add(values.get("id") or "")
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        if tag == "link" and values.get("rel") != "canonical":
            self.loaded.append(values["href"])
        if values.get("src"):
            self.loaded.append(values["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Each file's path on the site, with its Page if it is one. A warning of mkdocs ends the build."""
    place = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", place],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"NO_MKDOCS_2_WARNING": "1", "PATH": ""},
    )
    assert built.returncode == 0 and not built.stderr, built.stderr
    files = [path for path in place.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(place)): Page(path.read_text()) if path.suffix == ".html" else None
        for path in files
    }


@pytest.mark.slow
def test_every_public_name_is_on_the_page_of_its_module(site):
    """In full at home, and by a link wherever else it is named."""
    hooks = load("hooks")
    modules = hooks.public_modules()
    shown = hooks.homes(modules)
    for path, module in modules.items():
        page = site[f"reference/{path}.html"]
        ends = {urllib.parse.unquote(link).partition("#")[2] for link in page.links}
        for name in module.exports:
            if name.startswith("__"):
                continue
            home = shown[f"{path}.{name}"]
            assert home in ends, f"{path}.{name}: no link to {home}"
            assert home in site[f"reference/{home.rpartition('.')[0]}.html"].places or home in modules, home


@pytest.mark.slow
def test_no_link_of_the_site_is_dead(site):
    dead = []
    for path, page in site.items():
        if page is None or path == "404.html":
            continue
        for link in page.links:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme:
                continue
            target = (
                (pathlib.PurePosixPath("/", path).parent / urllib.parse.unquote(parts.path))
                if parts.path
                else f"/{path}"
            )
            file = re.sub(r"[^/]+/\.\./", "", str(target)).lstrip("/")
            found = site.get(file, "none")
            if found == "none" or (found and urllib.parse.unquote(parts.fragment) not in found.places):
                dead.append(f"{path}: {link}")
    assert len(site) > 20 and not dead


@pytest.mark.slow
def test_the_site_loads_nothing_from_elsewhere(site):
    loaded = [name for page in site.values() if page for name in page.loaded]
    assert loaded and not [name for name in loaded if re.match(r"(https?:)?//", name)]


def test_public_names_say_what_they_take_give_and_refuse():
    """A docstring; an entry for each argument, with its shape or kind; Returns; Raises where there are refusals."""
    found = {name: list(lacks(name, thing)) for name, thing in public_things()}
    assert len(found) > 60
    missing = [lack for several in found.values() for lack in several]
    assert not missing, "\n".join(["docstrings need", *missing])
